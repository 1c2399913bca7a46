"""Sign-up with and without confirmation of the address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.app.conftest import Person
from tests.app.test_application import problem
from tests.support.backends import Platform, pod, wait_for

PASSWORD = "correct horse battery"
OTHER = "seven quiet lanterns"


@pytest.fixture(scope="module")
def confirming(platform: Platform) -> Iterator[str]:
    """A pod that confirms addresses, on the same database."""
    process = pod("api", platform.folder, platform.settings | {"KINGDOM_CONFIRM_ADDRESSES": "true"})
    process.start()
    try:
        platform.wait_until_ready(process)
        yield f"http://127.0.0.1:{process.port}"
    finally:
        process.kill()


def sign_up(url: str, email: str, password: str = PASSWORD) -> httpx.Response:
    body = {"email": email, "password": password, "name": "Ada"}
    return httpx.post(f"{url}/v1/accounts", json=body, timeout=20)


def sign_in(url: str, email: str, password: str = PASSWORD) -> httpx.Response:
    return httpx.post(f"{url}/v1/sessions", json={"email": email, "password": password}, timeout=20)


def confirm(url: str, code: str) -> httpx.Response:
    return httpx.post(f"{url}/v1/accounts/confirmation", json={"code": code}, timeout=20)


def mails(url: str, email: str) -> list[dict[str, str]]:
    return [mail for mail in httpx.get(f"{url}/outboxz").json() if mail["to"] == email]


def code(url: str, email: str) -> str:
    wait_for("a mail", lambda: bool(mails(url, email)))
    return mails(url, email)[0]["text"].split("\n\n")[2]


def new_address() -> str:
    return f"{uuid4().hex}@example.com"


@pytest.mark.parametrize("confirms", [False, True])
def test_the_response_is_the_same_for_known_and_unknown_addresses(
    platform: Platform, confirming: str, ada: Person, confirms: bool
) -> None:
    url = confirming if confirms else platform.url
    responses = [sign_up(url, email, OTHER) for email in (new_address(), ada.email, ada.email.upper())]
    bodies = {(each.status_code, each.content) for each in responses}
    assert bodies == {(202, b'{"confirmation":"mail"}' if confirms else b'{"confirmation":"none"}')}
    assert len({tuple(sorted(set(each.headers) - {"endpoint-load-metrics"})) for each in responses}) == 1


def database_commands(url: str) -> Counter[str]:
    counts = Counter[str]()
    for family in text_string_to_metric_families(httpx.get(f"{url}/metrics").text):
        for sample in family.samples:
            if sample.name == "kingdom_mongodb_command_seconds_count":
                counts[sample.labels["command"]] += int(sample.value)
    return counts


@pytest.mark.parametrize("confirms", [False, True])
def test_a_sign_up_takes_the_same_database_commands_for_known_and_unknown_addresses(
    platform: Platform, confirming: str, ada: Person, confirms: bool
) -> None:
    """Equal work implies equal response times, apart from one password hash in both cases."""
    url = confirming if confirms else platform.url
    spent = []
    for email in (new_address(), ada.email):
        before = database_commands(url)
        assert sign_up(url, email, OTHER).status_code == 202
        if confirms:  # the address is looked up after the response, to decide which mail to send
            wait_for("a mail", lambda email=email: bool(mails(url, email)))
        spent.append({name: count - before[name] for name, count in database_commands(url).items()})
    assert spent[0] == spent[1]


def test_the_owner_of_a_known_address_gets_a_mail_and_the_account_is_unchanged(
    platform: Platform, ada: Person
) -> None:
    assert sign_up(platform.url, ada.email).status_code == 202, "a client that lost the response"
    assert sign_up(platform.url, ada.email, OTHER).status_code == 202
    wait_for("a mail", lambda: bool(mails(platform.url, ada.email)))
    assert [mail["subject"] for mail in mails(platform.url, ada.email)] == ["You already have an account"]
    problem(sign_in(platform.url, ada.email, OTHER), 401, "wrong-credentials")
    assert sign_in(platform.url, ada.email).json()["account"] == ada.account


def test_a_repeated_sign_up_has_one_effect(platform: Platform) -> None:
    email = new_address()
    with ThreadPoolExecutor(4) as clients:
        sent = [clients.submit(sign_up, platform.url, email) for _ in range(4)]
        statuses = {each.result().status_code for each in sent}
    assert statuses == {202}
    accounts = {sign_in(platform.url, email).json()["account"]["id"] for _ in range(2)}
    assert len(accounts) == 1


def test_an_account_is_created_with_the_code_of_the_mail_once(confirming: str) -> None:
    email = new_address()
    assert sign_up(confirming, email).json() == {"confirmation": "mail"}
    problem(sign_in(confirming, email), 401, "wrong-credentials")
    mailed = code(confirming, email)
    with ThreadPoolExecutor(4) as clients:
        sent = [clients.submit(confirm, confirming, mailed) for _ in range(4)]
        responses = [each.result() for each in sent]
    assert sorted(each.status_code for each in responses) == [201, 401, 401, 401]
    session = next(each.json() for each in responses if each.status_code == 201)
    assert (session["account"]["email"], session["account"]["name"]) == (email, "Ada")
    assert sign_in(confirming, email).json()["account"]["id"] == session["account"]["id"]
    problem(confirm(confirming, mailed), 401, "confirmation-expired")


def test_without_its_code_a_sign_up_shows_nothing_of_an_address(confirming: str, ada: Person) -> None:
    unknown = new_address()
    for email in (unknown, ada.email):
        sign_up(confirming, email, OTHER)
    # A sign-in with the password of the sign-up is refused in both cases.
    refused = [sign_in(confirming, email, OTHER) for email in (unknown, ada.email)]
    assert {(each.status_code, each.json()["detail"]) for each in refused} == {
        (401, "Check the address and the password, or reset the password.")
    }
    wait_for("the mail of the owner", lambda: bool(mails(confirming, ada.email)))
    assert [mail["subject"] for mail in mails(confirming, ada.email)] == ["You already have an account"]


def test_a_forged_or_used_up_code_is_refused(confirming: str, ada: Person) -> None:
    email = new_address()
    sign_up(confirming, email)
    mailed = code(confirming, email)
    changed = mailed[:-1] + ("A" if mailed[-1] != "A" else "B")
    other = f"{ada.account['id']}.{mailed.partition('.')[2]}"
    for each in (changed, other, "", "x.y"):
        problem(confirm(confirming, each), 401, "confirmation-expired")
    problem(confirm(confirming, mailed + "\n"), 422, "invalid")
    assert sign_up(confirming, email).status_code == 202
    wait_for("a second mail", lambda: len(mails(confirming, email)) == 2)
    assert confirm(confirming, code(confirming, email)).status_code == 201
    problem(confirm(confirming, mailed), 401, "confirmation-expired")
