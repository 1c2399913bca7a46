"""Content over HTTP: idempotent creation, plan limits, paging, publication."""

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


def ask(person: Person, key: str, **body: str) -> httpx.Response:
    return person.client.post("/v1/contents", json=body, headers={"idempotency-key": key})


def test_repeated_request_is_executed_once(ada: Person) -> None:
    key = str(uuid4())
    first, again = ask(ada, key, prompt="once"), ask(ada, key, prompt="once")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(ada.client.get("/v1/contents").json()["items"]) == 1


def test_concurrent_requests_with_one_key_create_one_item(ada: Person) -> None:
    key = str(uuid4())
    with ThreadPoolExecutor(8) as clients:
        asking = [clients.submit(ask, ada, key, prompt="all at once") for _ in range(8)]
        responses = [each.result() for each in asking]
    assert {response.status_code for response in responses} == {202}
    assert len({response.json()["id"] for response in responses}) == 1


def test_idempotency_key_belongs_to_one_request_of_one_account(ada: Person, eve: Person) -> None:
    key = str(uuid4())
    mine = ask(ada, key, prompt="this")
    other = ask(ada, key, prompt="that")
    assert (other.status_code, other.json()["type"].rpartition("#")[2]) == (422, "idempotency-key-reused")
    theirs = ask(eve, key, prompt="this")
    assert theirs.status_code == 202
    assert theirs.json()["id"] != mine.json()["id"]


@pytest.mark.parametrize("key", ["short", "x" * 129, "with spaces in it", "{$ne: null}"])
def test_malformed_idempotency_key_is_rejected(ada: Person, key: str) -> None:
    assert ask(ada, key, prompt="x").status_code == 422


def test_full_queue_rejects_new_content(ada: Person, platform: Platform) -> None:
    others = {f"other{number}": 9e15 for number in range(100_000)}  # due in the distant future
    with Redis(port=platform.redis.port) as redis:
        redis.zadd("queue:{jobs}:delayed", others)
        try:
            taken = ask(ada, str(uuid4()), prompt="the last")  # and the queue reports it
            refused = ask(ada, str(uuid4()), prompt="one too many")
        finally:
            redis.zremrangebyscore("queue:{jobs}:delayed", 9e15, 9e15)
    assert (taken.status_code, refused.status_code) == (202, 503)
    assert refused.headers["retry-after"] == "5"
    wait_for("it takes again", lambda: ask(ada, str(uuid4()), prompt="room again").status_code == 202)


def test_plan_limits_concurrent_generations(ada: Person) -> None:
    """The free plan allows 20 concurrent generations; further requests are rejected, not queued."""
    with ThreadPoolExecutor(8) as clients:
        asking = [clients.submit(ask, ada, str(uuid4()), prompt="many") for _ in range(80)]
        responses = [each.result() for each in asking]
    refused = [response for response in responses if response.status_code != 202]
    assert refused, "eighty at once are more than the plan has"
    assert {response.status_code for response in refused} <= {403, 429, 503}


@pytest.mark.parametrize("cursor", ["!", "MQ", "x" * 60, "MScgfHwgMT0x", "eyIkbmUiOiAxfQ"])
def test_malformed_cursor_is_rejected(ada: Person, cursor: str) -> None:
    response = ada.client.get("/v1/contents", params={"cursor": cursor})
    assert (response.status_code, response.json()["errors"][0]["at"]) == (422, "cursor")


def test_current_copy_is_not_sent_again(ada: Person) -> None:
    content = ada.create("known")
    ada.finished(content["id"])
    path = f"/v1/contents/{content['id']}"
    first = ada.client.get(path)
    again = ada.client.get(path, headers={"if-none-match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert ada.client.get(path, headers={"if-none-match": '"other"'}).status_code == 200


def test_published_content_is_public_until_it_is_withdrawn(
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
    assert not in_feed(), "withdrawn content disappears at once"
    assert client.get(f"/v1/feed/{content['id']}").status_code == 404


def test_only_ready_content_can_be_published(ada: Person, client: httpx.Client) -> None:
    content = ada.create("too early")
    response = ada.client.put(f"/v1/contents/{content['id']}/publication")
    assert response.status_code in {200, 409}  # the worker may have finished before
    if response.status_code == 409:
        assert response.json()["type"].endswith("#conflict")


def test_feed_pages_follow_each_other_without_gaps(ada: Person, client: httpx.Client) -> None:
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
        assert prompt in text, "braces of a prompt are not expanded"
        assert text == "".join(grammar.generate(prompt, form))
        assert "{" not in text.replace(prompt, "")
