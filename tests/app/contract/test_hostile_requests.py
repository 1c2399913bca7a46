"""Bodies, parameters and headers of extreme forms: refused with a problem, and within a bounded time."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from app.http.requests import MAX_JSON_BYTES
from app.ids import new_id
from tests.app.conftest import Person
from tests.app.contract.conftest import BALANCE
from tests.app.contract.operations import OPERATIONS, TABLE

WITH_BODY: Final = [
    name
    for name, operation in OPERATIONS.items()
    if "application/json" in operation.get("requestBody", {}).get("content", {})
]
LISTS: Final = ["/v1/contents", "/v1/uploads", "/v1/orders", "/v1/feed"]
MAX_SECONDS: Final = 2.0  # of a refusal, on a busy machine
JSON: Final = {"content-type": "application/json"}
DEPTH: Final = MAX_JSON_BYTES // 2

BODIES: Final[dict[str, bytes]] = {
    "no text": b"",
    "spaces": b" " * MAX_JSON_BYTES,
    "null": b"null",
    "text": b'"a"',
    "nested lists": b"[" * DEPTH + b"]" * DEPTH,
    "unclosed lists": b"[" * MAX_JSON_BYTES,
    "nested objects": b'{"a":' * (DEPTH // 3) + b"1" + b"}" * (DEPTH // 3),
    "nested lists in an unknown member": b'{"x":' + b"[" * (DEPTH - 8) + b"]" * (DEPTH - 8) + b"}",
    "many members": b"{" + b",".join(b'"m%d":1' % number for number in range(6_000)) + b"}",
    "two documents": b"{}{}",
    "a comment": b"{} // a",
    "single quotes": b"{'prompt': 'a'}",
    "not a number": b'{"amount":NaN}',
    "a control character": b'{"prompt":"a\x00b"}',
    "UTF-16": json.dumps({"prompt": "a"}).encode("utf-16"),
    "UTF-32": json.dumps({"prompt": "a"}).encode("utf-32-le"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "an overlong NUL": b'{"prompt":"\xc0\x80"}',
    "an encoded surrogate": b'{"prompt":"\xed\xa0\x80"}',
    "a surrogate": rb'{"prompt":"\ud800"}',
    "half of a character": b'{"prompt":"\xf0\x9f"}',
}
NUMBERS: Final = {
    "not a number": "NaN",
    "infinity": "Infinity",
    "negative infinity": "-Infinity",
    "above a double": "1e400",
    "below a double": "-1e400",
    "a long exponent": "1e" + "9" * 5_000,
    "a long integer": "9" * 60_000,
    "a long fraction": "-0." + "9" * 60_000,
    "above 64 bits": str(2**64),
    "above 63 bits": str(2**63),
    "hexadecimal": "0x10",
    "a leading zero": "01",
    "a leading plus": "+1",
    "no digit before the point": ".5",
    "no digit after the point": "1.",
    "a text": '"1"',
    "true": "true",
}


def refused(response: httpx.Response, *statuses: int) -> None:
    assert response.status_code in statuses, (response.status_code, response.text[:500])
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.content) < 2_000, "the response does not repeat the request"
    assert response.elapsed.total_seconds() < MAX_SECONDS


def caller(name: str, ada: Person, administrator: Person, analyst: Person) -> httpx.Client:
    return {"administrator": administrator, "analyst": analyst}.get(str(TABLE[name].role), ada).client


@pytest.mark.parametrize("name", WITH_BODY)
def test_malformed_bodies_are_refused(name: str, ada: Person, administrator: Person, analyst: Person) -> None:
    client = caller(name, ada, administrator, analyst)
    request = TABLE[name].make(ada)
    method = name.partition(" ")[0]
    for body in BODIES.values():
        refused(
            client.request(method, request.path, content=body, headers={**request.headers, **JSON}), 400, 422
        )
    assert ada.client.get("/v1/accounts/me").status_code == 200


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_numbers_outside_of_their_range_are_refused(number: str, ada: Person, administrator: Person) -> None:
    event = f'{{"id":"{uuid4().hex}","name":"app.opened","at":"2026-11-25T00:00:00Z","seconds":{number}}}'
    body = f'{{"events":[{event}]}}'.encode()
    refused(ada.client.post("/v1/events", content=body, headers=JSON), 400, 422)
    body = f'{{"amount":{number}}}'.encode()
    path = f"/v1/accounts/{ada.account['id']}/payments"
    own = {**JSON, "idempotency-key": uuid4().hex}
    refused(administrator.client.post(path, content=body, headers=own), 400, 422)
    assert ada.client.get("/v1/accounts/me").json()["balance"] == BALANCE


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T23:59:59Z"]
)
def test_times_of_other_ages_are_times_of_arrival(at: str, ada: Person) -> None:
    body = {"events": [{"id": uuid4().hex, "name": "app.opened", "at": at}]}
    response = ada.client.post("/v1/events", json=body)
    assert (response.status_code, response.json()) == (202, {"accepted": 1, "known": 0})
    (stored,) = ada.client.get("/v1/accounts/me/export").json()["events"]
    assert "2000" < stored["at"] < "9000"


@pytest.mark.parametrize(
    "at", ["2026-01-01T24:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00", "1e9", "-1"]
)
def test_times_that_do_not_exist_are_refused(at: str, ada: Person) -> None:
    body = {"events": [{"id": uuid4().hex, "name": "app.opened", "at": at}]}
    refused(ada.client.post("/v1/events", json=body), 422)


def test_last_of_equal_members_counts_for_the_check_and_for_the_effect(ada: Person) -> None:
    body = b'{"prompt":"one","prompt":"two"}'
    response = ada.client.post("/v1/contents", content=body, headers=JSON)
    assert (response.status_code, response.json()["prompt"]) == (202, "two")
    body = b'{"prompt":"one","prompt":"\\u0000"}'
    refused(ada.client.post("/v1/contents", content=body, headers=JSON), 422)


@pytest.mark.parametrize(
    "encoding", ["gzip", "deflate", "br", "zstd", "x-gzip", "gzip, gzip", "GZIP", "unknown"]
)
def test_encoded_bodies_are_refused_unread(ada: Person, encoding: str) -> None:
    bomb = gzip.compress(bytes(20_000_000), 9)
    assert len(bomb) < MAX_JSON_BYTES
    own = {"content-encoding": encoding}
    response = ada.client.post("/v1/contents", content=bomb, headers=JSON | own)
    refused(response, 415)
    assert response.headers["accept-encoding"] == "identity"
    refused(ada.client.post("/v1/uploads", content=bomb, headers={"content-type": "image/png"} | own), 415)
    plain = ada.client.post("/v1/contents", json={"prompt": "a"}, headers={"content-encoding": "identity"})
    assert plain.status_code == 202


@pytest.mark.parametrize(
    "media_type",
    ["", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/jsonp", "application/json,text/plain", "application/" + "j" * 5_000],
)  # fmt: skip
def test_other_media_types_are_refused(ada: Person, media_type: str) -> None:
    response = ada.client.post(
        "/v1/contents", content=b'{"prompt":"a"}', headers={"content-type": media_type}
    )
    refused(response, 415)


@pytest.mark.parametrize(
    "key",
    ["", "short", "a" * 7, "a" * 129, "a" * 10_000, '"' * 20, "a b c d e f", "\u00e9" * 10,
     "$ne" * 5, '""', "../../../etc/passwd?", "{}" * 10],
)  # fmt: skip
def test_malformed_idempotency_keys_are_refused(ada: Person, key: str) -> None:
    own = {b"idempotency-key": key.encode("latin-1")}
    response = ada.client.post("/v1/contents", json={"prompt": "a"}, headers=own)
    refused(response, 422, 431)


def test_quotes_around_an_idempotency_key_do_not_count(ada: Person) -> None:
    key = uuid4().hex
    responses = [
        ada.client.post("/v1/contents", json={"prompt": "a"}, headers={"idempotency-key": each}).json()["id"]
        for each in (key, f'"{key}"')
    ]
    assert len(set(responses)) == 1


@pytest.mark.parametrize("path", LISTS)
def test_altered_cursors_are_refused(ada: Person, path: str) -> None:
    cursor = f"1-{new_id()}"
    altered = ["", "1-", "2-" + cursor[2:], cursor[:-1], cursor + "0", "1-" + "f" * 36, cursor + " ",
               cursor + "\n", '1-{"$gt":""}', "1-0", "A" * 4_000, f"{cursor},{cursor}"]  # fmt: skip
    for each in altered:
        refused(ada.client.get(path, params={"cursor": each}), 422)
    for limit in ("0", "-1", "101", "1e2000", "9" * 5_000, "1_0", "\u0661", "0x1", "", "true", "1.5", " "):
        refused(ada.client.get(path, params={"limit": limit}), 422)
    for query in (
        "cursor=1-%ff",
        "limit=1&limit=2",
        "limit",
        "limit=%00",
        "limit=%ff%fe",
        "%6cimit=0",
        "x" * 7_000,
    ):
        refused(ada.client.get(f"{path}?{query}"), 422)


def test_cursor_of_another_list_or_account_shows_no_item_of_it(ada: Person, eve: Person) -> None:
    for number in range(3):
        eve.create(f"item {number}")
    own = ada.create("own")["id"]
    cursor = eve.client.get("/v1/contents", params={"limit": 1}).json()["next"]
    for path in LISTS:
        response = ada.client.get(path, params={"cursor": cursor, "limit": 100})
        assert response.status_code == 200, response.text
        found = {item["id"] for item in response.json()["items"]}
        assert found <= {own} or path == "/v1/feed"


def test_long_lists_of_entity_tags_are_compared_in_bounded_time(ada: Person) -> None:
    tag = ada.client.get("/v1/accounts/me").headers["etag"]
    others = ", ".join(f'"{number}"' for number in range(1_500))
    for name, listed, status in (
        ("if-none-match", f"{others}, {tag}", 304),
        ("if-none-match", others, 200),
        ("if-none-match", f"{others}, W/{tag}", 304),
        ("if-none-match", "," * 10_000, 200),
        ("if-none-match", "W/" * 5_000, 200),
        ("if-none-match", '"' * 10_000, 200),
    ):
        response = ada.client.get("/v1/accounts/me", headers={name: listed})
        assert response.status_code == status
        assert response.elapsed.total_seconds() < MAX_SECONDS
    body: dict[str, Any] = {"name": "Countess"}
    response = ada.client.put("/v1/accounts/me/profile", json=body, headers={"if-match": others})
    refused(response, 412)
    refused(ada.client.get("/v1/accounts/me", headers={"if-none-match": ", ".join([others] * 3)}), 431)
    response = ada.client.put("/v1/accounts/me/profile", json=body, headers={"if-match": f"{others}, {tag}"})
    assert response.status_code == 200


def test_deadlines_of_extreme_forms_are_ignored_or_bounded(ada: Person) -> None:
    for value in ("-1", "1e3", "9" * 5_000, "\u00b2", "", "nan", "1.5"):
        began = time.monotonic()
        response = ada.client.get("/v1/products", headers={b"x-deadline-ms": value.encode("latin-1")})
        assert response.status_code in {200, 504}, (value, response.text)
        assert time.monotonic() - began < MAX_SECONDS
