"""Asking for content, over HTTP: once however often it is sent, in order, published or not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest
from redis import Redis

from app.content import grammar
from app.content.schemas import Form
from tests.app.conftest import Person
from tests.support.backends import Platform, wait_for


def ask(person: Person, key: str, **wish: str) -> httpx.Response:
    return person.client.post("/v1/contents", json=wish, headers={"idempotency-key": key})


def test_a_request_that_is_sent_again_is_carried_out_once(ada: Person) -> None:
    key = str(uuid4())
    first, again = ask(ada, key, prompt="once"), ask(ada, key, prompt="once")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(ada.client.get("/v1/contents").json()["items"]) == 1


def test_requests_of_one_key_at_the_same_time_make_one_piece(ada: Person) -> None:
    key = str(uuid4())
    with ThreadPoolExecutor(8) as clients:
        asking = [clients.submit(ask, ada, key, prompt="all at once") for _ in range(8)]
        answers = [each.result() for each in asking]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_a_key_belongs_to_one_request_of_one_account(ada: Person, eve: Person) -> None:
    key = str(uuid4())
    mine = ask(ada, key, prompt="this")
    other = ask(ada, key, prompt="that")
    assert (other.status_code, other.json()["type"].rpartition("#")[2]) == (422, "idempotency-key-reused")
    theirs = ask(eve, key, prompt="this")
    assert theirs.status_code == 202
    assert theirs.json()["id"] != mine.json()["id"]


@pytest.mark.parametrize("key", ["short", "x" * 129, "with spaces in it", "{$ne: null}"])
def test_a_key_that_is_none_is_refused(ada: Person, key: str) -> None:
    assert ask(ada, key, prompt="x").status_code == 422


def test_a_full_queue_refuses_what_nobody_could_make_in_time(ada: Person, platform: Platform) -> None:
    others = {f"other{number}": 9e15 for number in range(100_000)}  # of a distant future
    with Redis(port=platform.redis.port) as redis:
        redis.zadd("queue:{jobs}:delayed", others)
        try:
            taken = ask(ada, str(uuid4()), prompt="the last")  # and the queue says so
            refused = ask(ada, str(uuid4()), prompt="one too many")
        finally:
            redis.zremrangebyscore("queue:{jobs}:delayed", 9e15, 9e15)
    assert (taken.status_code, refused.status_code) == (202, 503)
    assert refused.headers["retry-after"] == "5"
    wait_for("it takes again", lambda: ask(ada, str(uuid4()), prompt="room again").status_code == 202)


def test_the_plan_bounds_what_is_being_made(ada: Person) -> None:
    """Twenty at a time for the free plan; more is refused, not queued."""
    with ThreadPoolExecutor(8) as clients:
        asking = [clients.submit(ask, ada, str(uuid4()), prompt="many") for _ in range(80)]
        answers = [each.result() for each in asking]
    refused = [answer for answer in answers if answer.status_code != 202]
    assert refused, "eighty at once are more than the plan has"
    assert {answer.status_code for answer in refused} <= {403, 429, 503}


@pytest.mark.parametrize("cursor", ["!", "MQ", "x" * 60, "MScgfHwgMT0x", "eyIkbmUiOiAxfQ"])
def test_only_cursors_that_were_given_out_are_taken(ada: Person, cursor: str) -> None:
    answer = ada.client.get("/v1/contents", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["at"]) == (422, "cursor")


def test_what_a_client_has_is_not_sent_again(ada: Person) -> None:
    content = ada.create("known")
    ada.finished(content["id"])
    path = f"/v1/contents/{content['id']}"
    first = ada.client.get(path)
    again = ada.client.get(path, headers={"if-none-match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert ada.client.get(path, headers={"if-none-match": '"other"'}).status_code == 200


def test_what_is_published_is_there_for_everybody_until_it_is_withdrawn(
    ada: Person, eve: Person, client: httpx.Client
) -> None:
    content = ada.create("for all to see")
    path = f"/v1/contents/{content['id']}/publication"
    ada.finished(content["id"])
    assert eve.client.put(path).status_code == 404
    published = ada.client.put(path)
    assert published.json()["published_at"]
    assert ada.client.put(path).json() == published.json(), "again changes nothing"

    def in_feed() -> bool:
        return content["id"] in [item["id"] for item in client.get("/v1/feed").json()["items"]]

    wait_for("the feed shows it", in_feed, seconds=5)
    item = client.get(f"/v1/feed/{content['id']}").json()
    assert item["author"] == {"id": ada.account["id"], "name": "Ada"}
    assert "for all to see" in item["text"]
    assert eve.client.delete(path).status_code == 404
    assert ada.client.delete(path).status_code == 204
    assert not in_feed(), "what is withdrawn is gone at once"
    assert client.get(f"/v1/feed/{content['id']}").status_code == 404


def test_only_what_is_ready_can_be_published(ada: Person, client: httpx.Client) -> None:
    content = ada.create("too early")
    answer = ada.client.put(f"/v1/contents/{content['id']}/publication")
    assert answer.status_code in {200, 409}  # the worker may have been quicker
    if answer.status_code == 409:
        assert answer.json()["type"].endswith("#conflict")


def test_the_feed_goes_on_where_a_page_ended(ada: Person, client: httpx.Client) -> None:
    made = [ada.create(f"page {number}")["id"] for number in range(4)]
    for content_id in made:
        ada.finished(content_id)
        ada.client.put(f"/v1/contents/{content_id}/publication")

    def pages() -> list[str]:
        seen: list[str] = []
        cursor: str | None = None
        while len(seen) < 4:
            page = client.get(
                "/v1/feed", params={"limit": "2"} | ({"cursor": cursor} if cursor else {})
            ).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        return seen

    wait_for("all four, newest first", lambda: pages()[:4] == made[::-1], seconds=5)


@pytest.mark.parametrize("form", list(Form))
def test_the_grammar_writes_every_form_about_its_prompt(form: Form) -> None:
    for number in range(200):
        prompt = f"a {{story}} of {number}"
        text = "".join(grammar.generate(prompt, form))
        assert prompt in text, "braces of a prompt are no slots"
        assert text == "".join(grammar.generate(prompt, form))
        assert "{" not in text.replace(prompt, "")
