"""Streams of objects: complete for every reader, and without a connection while a reader waits."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncGenerator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest

from app.http.responses import Stream
from app.media import object_stream
from app.media.object_stream import ObjectStream
from app.settings import StorageSettings
from app.storage import Bucket, Found, ObjectMissing, StorageError, open_bucket
from tests.support.backends import free_port, until

pytestmark = pytest.mark.anyio

DATA = bytes(range(100))
CHUNK = 8
LARGE = 24 * 1024 * 1024


class CountingBucket:
    """One object, in chunks of eight bytes, that counts its open connections and the ranges requested."""

    def __init__(self) -> None:
        self.connections = 0
        self.ranges: list[str | None] = []
        self.error: StorageError | None = None

    async def open(self, name: str, part: str | None = None) -> Found:
        if self.error is not None:
            raise self.error
        self.ranges.append(part)
        first, last = 0, len(DATA) - 1
        if part is not None:
            first, last = (int(each) for each in part.removeprefix("bytes=").split("-"))
        data = DATA[first : last + 1]
        self.connections += 1
        closed = False

        async def release() -> None:
            nonlocal closed
            self.connections -= not closed
            closed = True

        async def chunks() -> AsyncGenerator[bytes]:
            for at in range(0, len(data), CHUNK):
                assert not closed, "read from a closed connection"
                yield data[at : at + CHUNK]

        range_ = f"bytes {first}-{last}/{len(DATA)}" if part is not None else None
        return Found(chunks(), len(data), range_, release)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> CountingBucket:
    monkeypatch.setattr(object_stream, "STALL_SECONDS", 0.01)
    return CountingBucket()


async def opened(bucket: CountingBucket, part: str | None = None) -> Stream:
    typed = cast(Bucket, bucket)
    return ObjectStream(typed, "name", await bucket.open("name", part)).stream()


async def end(stream: Stream) -> None:
    """End a stream as a response does."""
    await stream.chunks.aclose()
    await stream.release()


async def test_fast_reader_uses_one_connection(bucket: CountingBucket) -> None:
    stream = await opened(bucket)
    assert stream.length == len(DATA)
    assert b"".join([chunk async for chunk in stream.chunks]) == DATA
    await end(stream)
    assert (bucket.connections, bucket.ranges) == (0, [None])


@pytest.mark.parametrize(("part", "expected"), [(None, DATA), ("bytes=10-89", DATA[10:90])])
@pytest.mark.parametrize("stalls", [{1}, {2, 5}, {10}, set(range(1, 14))])
async def test_stalled_reader_holds_no_connection_and_receives_everything(
    bucket: CountingBucket, part: str | None, expected: bytes, stalls: set[int]
) -> None:
    stream = await opened(bucket, part)
    received, number = b"", 0
    async for chunk in stream.chunks:
        received += chunk
        number += 1
        if number in stalls:
            await until(lambda: bucket.connections == 0)
    await end(stream)
    assert received == expected
    assert bucket.connections == 0
    first = int(part[6:].split("-")[0]) if part else 0
    last = first + len(expected) - 1
    reopened = [f"bytes={first + CHUNK * each}-{last}" for each in sorted(stalls)]
    # After the last chunk there is nothing left to open.
    assert bucket.ranges == [part, *(each for each in reopened if int(each[6:].split("-")[0]) <= last)]


@pytest.mark.parametrize("stalled", [False, True])
async def test_reader_that_leaves_releases_the_connection(bucket: CountingBucket, stalled: bool) -> None:
    stream = await opened(bucket)
    assert await anext(stream.chunks) == DATA[:CHUNK]
    if stalled:
        await until(lambda: bucket.connections == 0)
    await end(stream)
    assert bucket.connections == 0


async def test_unread_stream_releases_its_connection(bucket: CountingBucket) -> None:
    stream = await opened(bucket)
    await end(stream)
    assert bucket.connections == 0


async def test_object_that_is_deleted_during_a_stall_ends_the_stream_with_an_error(
    bucket: CountingBucket,
) -> None:
    stream = await opened(bucket)
    assert await anext(stream.chunks) == DATA[:CHUNK]
    await until(lambda: bucket.connections == 0)
    bucket.error = ObjectMissing("name")
    with pytest.raises(ObjectMissing):
        await anext(stream.chunks)
    await end(stream)
    assert bucket.connections == 0


class Storage(ThreadingHTTPServer):
    """A storage with one object that is larger than all buffers of a connection."""

    daemon_threads = True


class ObjectHandler(BaseHTTPRequestHandler):
    """Responses of :class:`Storage`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(LARGE))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(bytes(LARGE))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (a name of http.server)
        """Log nothing."""


@pytest.fixture
def storage() -> Iterator[Storage]:
    with Storage(("127.0.0.1", free_port()), ObjectHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_clients_that_do_not_read_do_not_occupy_the_connections_to_the_storage(
    storage: Storage,
) -> None:
    """More of them than the pod has connections to the storage."""
    async with open_bucket(StorageSettings("media", f"http://127.0.0.1:{storage.server_port}")) as bucket:
        streams = []
        for _ in range(40):
            found = await bucket.open("stalled")
            streams.append(ObjectStream(bucket, "stalled", found).stream())
            assert await anext(streams[-1].chunks)
        for _ in range(3):
            assert len(await bucket.get("other")) == LARGE
        for stream in streams:
            await end(stream)
