"""Responses: entity tags, bodiless statuses, and streams that end with their client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

import pytest

from app.http.responses import (
    NOT_MODIFIED,
    JsonBody,
    Stream,
    encode,
    entity_tag,
    matches,
    write,
    write_body,
    write_json,
    write_stream,
)

pytestmark = pytest.mark.anyio
BODY = b'{"a":1}'
TAG = entity_tag(BODY)


class Sent:
    def __init__(self) -> None:
        self.messages: list[MutableMapping[str, Any]] = []

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])


@pytest.fixture
def sent() -> Sent:
    return Sent()


def scope(method: str = "GET", **headers: str) -> dict[str, Any]:
    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": method, "headers": encoded}


@pytest.mark.parametrize(
    ("condition", "matched"),
    [
        (None, False),
        (TAG, True),
        (f"W/{TAG}", True),
        (f'"x", W/{TAG}', True),
        ("*", True),
        ('"x"', False),
        (f'"x"{TAG}', False),
        ('*, "x"', False),
    ],
)
async def test_tags_are_compared_weakly(condition: str | None, matched: bool) -> None:
    assert matches(condition, TAG) == matched


async def test_tag_depends_on_the_body() -> None:
    assert TAG == entity_tag(BODY) != entity_tag(BODY + b" ")
    assert TAG[0] == TAG[-1] == '"'


@pytest.mark.parametrize(("status", "length"), [(200, b"7"), (404, b"7"), (204, None), (304, None)])
async def test_length_is_sent_with_statuses_that_have_a_body(
    sent: Sent, status: int, length: bytes | None
) -> None:
    await write(sent, status, [], BODY)
    assert sent.headers.get(b"content-length") == length


async def test_head_has_the_headers_without_the_body(sent: Sent) -> None:
    await write(sent, 200, [], BODY, head=True)
    assert (sent.headers[b"content-length"], sent.body) == (b"7", b"")


async def test_tagged_response_is_revalidated(sent: Sent) -> None:
    await write_json(scope(), sent, 200, [], BODY, tagged=True)
    assert sent.headers[b"etag"] == TAG.encode()
    assert sent.headers[b"cache-control"] == b"private, no-cache"
    assert sent.body == BODY


async def test_cache_control_of_the_handler_is_unchanged(sent: Sent) -> None:
    await write_json(scope(), sent, 200, [(b"cache-control", b"public")], BODY, tagged=True)
    assert sent.headers[b"cache-control"] == b"public"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_matching_tag_is_not_modified(sent: Sent, method: str) -> None:
    await write_json(scope(method, if_none_match=TAG), sent, 200, [], BODY, tagged=True)
    assert (sent.status, sent.body) == (NOT_MODIFIED, b"")


@pytest.mark.parametrize(
    ("method", "status", "tagged"), [("POST", 200, True), ("GET", 202, True), ("GET", 200, False)]
)
async def test_other_responses_have_no_tag(sent: Sent, method: str, status: int, tagged: bool) -> None:
    await write_json(scope(method, if_none_match=TAG), sent, status, [], BODY, tagged=tagged)
    assert b"etag" not in sent.headers
    assert (sent.status, sent.body) == (status, BODY)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("condition", ['"x"', "*", entity_tag(encode({"a": 1}))])
async def test_body_encoded_once_is_sent_like_one_encoded_for_the_response(
    method: str, condition: str
) -> None:
    value, once, each = {"a": 1}, Sent(), Sent()
    body = JsonBody(value)
    for _ in range(2):  # the first response must not change the headers of the next one
        once.messages.clear()
        await write_body(scope(method, if_none_match=condition), once, body)
    await write_json(scope(method, if_none_match=condition), each, 200, [], encode(value), tagged=True)
    assert once.messages == each.messages


class Source:
    """A stream of chunks; it counts its releases."""

    def __init__(self, *chunks: bytes, error: Exception | None = None, endless: bool = False) -> None:
        self.chunks, self.error, self.endless = chunks, error, endless
        self.released = 0
        self.closed = False

    async def generate(self) -> AsyncGenerator[bytes]:
        try:
            for chunk in self.chunks:
                yield chunk
            if self.error:
                raise self.error
            if self.endless:
                await asyncio.Event().wait()
        finally:
            self.closed = True

    async def release(self) -> None:
        self.released += 1

    def stream(self, length: int | None = None) -> Stream:
        return Stream(self.generate(), length, self.release)


async def waits() -> MutableMapping[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError


async def leaves() -> MutableMapping[str, Any]:
    return {"type": "http.disconnect"}


async def test_stream_is_sent_and_released(sent: Sent) -> None:
    source, own = Source(b"a", b"b"), scope()
    await write_stream(own, waits, sent, 200, [], source.stream(2))
    assert (sent.headers[b"content-length"], sent.body) == (b"2", b"ab")
    assert [message.get("more_body", False) for message in sent.messages[1:]] == [True, True, False]
    assert source.released == 1
    assert own["streaming"] is True


async def test_stream_ends_with_its_client(sent: Sent) -> None:
    source = Source(b"a", endless=True)
    async with asyncio.timeout(10):
        await write_stream(scope(), leaves, sent, 200, [], source.stream())
    assert source.released == 1


async def test_stream_that_fails_is_released(sent: Sent) -> None:
    source = Source(b"a", error=OSError("lost"))
    with pytest.raises(OSError, match="lost"):
        await write_stream(scope(), waits, sent, 200, [], source.stream())
    assert (source.released, source.closed) == (1, True)


async def test_head_of_a_stream_has_no_body(sent: Sent) -> None:
    source = Source(b"a")
    await write_stream(scope("HEAD"), waits, sent, 200, [], source.stream(1))
    assert (sent.headers[b"content-length"], sent.body, source.released) == (b"1", b"", 1)
