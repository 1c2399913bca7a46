"""Password reset, export and deletion of an account, over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pymongo import MongoClient

from app import clock
from app.accounts.recovery import Recovery
from app.auth.tokens import LIFETIME_SECONDS, Session
from app.connections import Database
from app.http.problems import Problem
from app.ids import new_id
from tests.app.conftest import Person, sign_up
from tests.app.test_application import problem
from tests.support.backends import Platform, until, wait_for

NEW = "seven quiet lanterns"


def code(platform: Platform, email: str) -> str:
    """Latest reset code sent to an address; empty without one."""
    outbox = httpx.get(f"{platform.url}/outboxz").json()
    texts = [message["text"] for message in outbox if message["to"] == email]
    return texts[0].split("\n\n")[2] if texts else ""


def request_code(platform: Platform, client: httpx.Client, email: str) -> str:
    assert client.post("/v1/password-resets", json={"email": email}).status_code == 202
    wait_for("the code", lambda: bool(code(platform, email)))
    return code(platform, email)


def test_reset_replaces_the_password_once_and_revokes_all_sessions(
    platform: Platform, ada: Person, client: httpx.Client
) -> None:
    token = request_code(platform, client, ada.email)
    done = client.post("/v1/password-resets/completion", json={"token": token, "password": NEW})
    assert done.status_code == 200
    assert done.json()["account"]["id"] == ada.account["id"]
    problem(ada.client.get("/v1/accounts/me"), 401, "unauthenticated")
    old = {"email": ada.email, "password": ada.password}
    problem(client.post("/v1/sessions", json=old), 401, "wrong-credentials")
    assert client.post("/v1/sessions", json=old | {"password": NEW}).status_code == 201
    again = client.post("/v1/password-resets/completion", json={"token": token, "password": NEW + "!"})
    problem(again, 401, "reset-expired")


def test_reset_code_is_rejected_after_a_password_change_or_if_forged(
    platform: Platform, ada: Person, client: httpx.Client
) -> None:
    token = request_code(platform, client, ada.email)
    change = {"current": ada.password, "new": NEW}
    assert ada.client.put("/v1/accounts/me/password", json=change).status_code == 204
    for each in (token, token[:-1] + ("A" if token[-1] != "A" else "B"), "x.1.1.y"):
        body = {"token": each, "password": "another fine lantern"}
        problem(client.post("/v1/password-resets/completion", json=body), 401, "reset-expired")
    body = {"token": token + "\n", "password": "another fine lantern"}
    problem(client.post("/v1/password-resets/completion", json=body), 422, "invalid")


def test_reset_response_does_not_reveal_accounts(ada: Person, client: httpx.Client) -> None:
    responses = [
        client.post("/v1/password-resets", json={"email": email})
        for email in (ada.email, "nobody@example.com", "no address")
    ]
    assert {(response.status_code, response.content) for response in responses} == {(202, b"")}
    assert (
        len({tuple(sorted(set(response.headers) - {"endpoint-load-metrics"})) for response in responses}) == 1
    )


def test_deleted_account_receives_no_reset_mail(
    platform: Platform, ada: Person, client: httpx.Client
) -> None:
    closed = sign_up(platform.url)
    with contextlib.closing(closed.client) as its:
        body = {"password": closed.password}
        assert its.post("/v1/accounts/me/deletion", json=body).status_code == 204
    for _ in range(3):
        internal = {"email": f"deleted:{closed.account['id']}"}
        assert client.post("/v1/password-resets", json=internal).status_code == 202
    request_code(platform, client, ada.email)
    outbox = httpx.get(f"{platform.url}/outboxz").json()
    assert not [message for message in outbox if not message["to"]]


def test_no_session_opened_with_the_old_password_survives_its_change(platform: Platform) -> None:
    """Sign-ins with the old password, concurrent with its change, are rejected or their sessions revoked."""
    with httpx.Client(base_url=platform.url, timeout=30) as client:
        for _ in range(3):
            person = sign_up(platform.url)
            started = threading.Barrier(7)

            def sign_in(
                person: Person = person, started: threading.Barrier = started
            ) -> list[httpx.Response]:
                started.wait()
                body = {"email": person.email, "password": person.password}
                return [client.post("/v1/sessions", json=body) for _ in range(3)]

            with ThreadPoolExecutor(6) as clients:
                signing = [clients.submit(sign_in) for _ in range(6)]
                started.wait()
                change = {"current": person.password, "new": NEW}
                assert person.client.put("/v1/accounts/me/password", json=change).status_code == 204
                responses = [response for each in signing for response in each.result()]
            tokens: list[dict[str, Any]] = [each.json() for each in responses if each.status_code == 201]
            for each in tokens:
                again = client.post("/v1/sessions/refresh", json={"refresh_token": each["refresh_token"]})
                problem(again, 401, "session-expired")
                mine = {"authorization": f"Bearer {each['token']}"}
                assert client.get("/v1/accounts/me", headers=mine).status_code == 401
            assert person.client.get("/v1/accounts/me").status_code == 200, (
                "the session that changed the password stays valid"
            )
            person.client.close()


def test_export_contains_the_data_of_the_account(ada: Person, administrator: Person) -> None:
    content = ada.create("a thing to take along")
    ada.finished(content["id"])
    administrator.pay_in(ada, 300)
    event = {"id": "export-0001", "name": "screen.viewed", "at": clock.now().isoformat(), "screen": "home"}
    assert ada.client.post("/v1/events", json={"events": [event]}).status_code == 202
    taken = ada.client.get("/v1/accounts/me/export").json()
    assert taken["account"]["email"] == ada.email
    assert [each["prompt"] for each in taken["contents"]] == ["a thing to take along"]
    assert taken["contents"][0]["text"]
    assert [each["current"] for each in taken["sessions"]] == [True]
    assert (taken["media"], taken["orders"]) == ([], [])
    assert [each["amount"] for each in taken["payments"]] == [300]
    assert [(each["id"], each["name"], each["screen"]) for each in taken["events"]] == [
        ("export-0001", "screen.viewed", "home")
    ]


@pytest.mark.anyio
async def test_exports_beyond_the_running_and_waiting_ones_are_unavailable(own_database: Database) -> None:
    unused: Any = None
    recovery = Recovery(own_database, unused, unused, unused, unused, unused, "https://localhost")
    session = Session("ada", int(time.time()) + 60, "session")
    async with recovery._exports.enter():
        waiting = [asyncio.create_task(recovery.export(session)) for _ in range(4)]
        await until(lambda: recovery._exports.waiting == len(waiting))
        with pytest.raises(Problem) as caught:
            await recovery.export(session)
        assert (caught.value.kind.status, caught.value.headers["retry-after"]) == (503, "5")
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def test_deleted_account_is_anonymized_at_once(platform: Platform, client: httpx.Client) -> None:
    person = sign_up(platform.url)
    content = person.create("something to delete")["id"]
    person.finished(content)
    assert person.client.put(f"/v1/contents/{content}/publication").status_code == 200
    wait_for("the piece in the feed", lambda: client.get(f"/v1/feed/{content}").status_code == 200)
    image = client.get(f"/v1/feed/{content}").json()["image"]
    assert client.get(image).status_code == 200
    wrong = person.client.post("/v1/accounts/me/deletion", json={"password": "not the password"})
    problem(wrong, 401, "wrong-credentials")
    body = {"password": person.password}
    assert person.client.post("/v1/accounts/me/deletion", json=body).status_code == 204
    problem(person.client.get("/v1/accounts/me"), 401, "unauthenticated")
    problem(client.get(f"/v1/feed/{content}"), 404, "not-found")
    assert content not in client.get("/v1/feed").text
    problem(client.get(image), 404, "not-found")
    old = {"email": person.email, "password": person.password}
    problem(client.post("/v1/sessions", json=old), 401, "wrong-credentials")
    assert client.post("/v1/accounts", json=old | {"name": "Ada"}).status_code == 202
    again = client.post("/v1/sessions", json=old)
    assert again.json()["account"]["id"] != person.account["id"], "the address is free"
    person.client.close()


@pytest.mark.slow
def test_data_of_a_deleted_account_is_erased_later(platform: Platform) -> None:
    person = sign_up(platform.url)
    person.finished(person.create("something to delete")["id"])
    event = {"id": "deleted-0001", "name": "app.opened", "at": clock.now().isoformat()}
    assert person.client.post("/v1/events", json={"events": [event]}).status_code == 202
    body = {"password": person.password}
    assert person.client.post("/v1/accounts/me/deletion", json=body).status_code == 204
    database = platform.settings["KINGDOM_MONGODB_DATABASE"]
    with MongoClient[dict[str, Any]](f"mongodb://127.0.0.1:{platform.mongodb.port}/") as mongodb:
        stored = mongodb[database]
        erased = {"_id": person.account["id"], "erase": {"$exists": False}}
        wait_for("erased", lambda: stored["accounts"].count_documents(erased) == 1, 150)
        assert stored["contents"].count_documents({"owner": person.account["id"]}) == 0
        assert stored["events"].count_documents({"account": person.account["id"]}) == 0
        # Stored by a request that was running, or by a pod that had not received the end of the session.
        late = {"_id": new_id(), "owner": person.account["id"], "state": "ready", "published": {"order": "1"}}
        stored["contents"].insert_one(late | {"order": late["_id"], "request": late["_id"]})
        due = stored["accounts"].find_one({"_id": person.account["id"]}, {"erase_again": 1})
        assert due is not None
        assert due["erase_again"] - time.time() > LIFETIME_SECONDS
        stored["accounts"].update_one({"_id": person.account["id"]}, {"$set": {"erase_again": 0.0}})
        complete = {"_id": person.account["id"], "erase_again": {"$exists": False}}
        wait_for("erased again", lambda: stored["accounts"].count_documents(complete) == 1, 150)
        assert stored["contents"].count_documents({"owner": person.account["id"]}) == 0
    person.client.close()


def test_deletion_and_password_change_at_the_same_time_leave_one_of_them(platform: Platform) -> None:
    for _ in range(3):
        person = sign_up(platform.url)
        started = threading.Barrier(2)

        def send(
            method: str, path: str, body: dict[str, str], person: Person = person, started: Any = started
        ) -> int:
            with httpx.Client(base_url=platform.url, timeout=30, headers=person.client.headers) as client:
                started.wait()
                return client.request(method, path, json=body).status_code

        with ThreadPoolExecutor(2) as clients:
            change = {"current": person.password, "new": NEW}
            changing = clients.submit(send, "PUT", "/v1/accounts/me/password", change)
            closing = clients.submit(send, "POST", "/v1/accounts/me/deletion", {"password": person.password})
            changed, closed = changing.result(), closing.result()
        assert (changed, closed) in {(204, 401), (401, 204)}
        body = {"email": person.email, "password": NEW}
        signed_in = httpx.post(f"{platform.url}/v1/sessions", json=body, timeout=30).status_code
        assert signed_in == (201 if changed == 204 else 401)
        person.client.close()


@pytest.mark.parametrize(
    "password",
    [
        "password123",
        "Password1234!",
        "P4ssw0rd!!",
        "qwertyuiop",
        "1234567890",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "abcdefghijkl",
        "0987654321",
        "iloveyou123",
        "kingdomkingdom",
    ],
)
def test_common_passwords_are_rejected(client: httpx.Client, password: str) -> None:
    body = {"email": f"{uuid4().hex}@example.com", "password": password, "name": "Ada"}
    refused = problem(client.post("/v1/accounts", json=body), 422, "invalid")
    assert refused["errors"][0]["at"] == "$.password"  # type: ignore[index]


def test_password_derived_from_the_address_is_rejected(client: httpx.Client) -> None:
    body = {"email": "grandmothers@example.com", "password": "Grandmothers1", "name": "Ada"}
    problem(client.post("/v1/accounts", json=body), 422, "invalid")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "b@x.yz\n"),
        ("email", "b\u202e@x.yz"),
        ("email", "b\u0000@x.yz"),
        ("name", "Ada\u0000"),
        ("name", "\u202eadA"),
        ("name", "\u200b\u200b"),
        ("name", "   "),
        ("name", "A\nB"),
    ],
)
def test_hidden_characters_are_rejected(client: httpx.Client, field: str, value: str) -> None:
    body = {"email": f"{uuid4().hex}@example.com", "password": "correct horse battery", "name": "Ada"}
    problem(client.post("/v1/accounts", json=body | {field: value}), 422, "invalid")


def test_spellings_of_an_address_belong_to_one_account(client: httpx.Client) -> None:
    name = uuid4().hex
    body = {"email": f"{name}\u00e9@b\u00fccher.example", "password": "correct horse battery", "name": "Ada"}
    assert client.post("/v1/accounts", json=body).status_code == 202
    first = client.post("/v1/sessions", json={"email": body["email"], "password": body["password"]}).json()
    for same in (
        f"{name}e\u0301@b\u00fccher.example",  # decomposed
        f"{name.upper()}\u00c9@B\u00dcCHER.example",
        f"{name}\u00e9@xn--bcher-kva.example",
    ):
        assert client.post("/v1/accounts", json=body | {"email": same}).status_code == 202
        session = client.post("/v1/sessions", json={"email": same, "password": body["password"]})
        assert session.json()["account"]["id"] == first["account"]["id"]
