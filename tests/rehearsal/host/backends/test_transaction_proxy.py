"""Transactions are serialized in front of a server that does not isolate them."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import bson
import pytest

from rehearsal.host.backends import transaction_proxy as module
from rehearsal.host.backends.transaction_proxy import Message, Server, TransactionLock, parse
from tests.support.backends import free_port, until

pytestmark = pytest.mark.anyio

SESSION, OTHER = b"s" * 16, b"o" * 16


def wire(document: dict[str, Any] | bytes, *, request: int = 7, flags: int = 0, kind: int = 0) -> bytes:
    """An OP_MSG with one section."""
    content = document if isinstance(document, bytes) else bson.encode(document)
    body = struct.pack("<IB", flags, kind) + content
    return struct.pack("<iiii", 16 + len(body), request, 0, 2013) + body


def command(
    name: str, session: bytes | None = None, number: int | None = None, *, starts: bool = False
) -> bytes:
    """A command; one with a `number` belongs to that transaction of the session."""
    document: dict[str, Any] = {name: 1, "$db": "kingdom"}
    if session is not None:
        document["lsid"] = {"id": bson.Binary(session, 4)}
    if number is not None:
        document |= {"txnNumber": bson.Int64(number), "autocommit": False}
    return wire(document | ({"startTransaction": True} if starts else {}))


def message(*arguments: Any, **options: Any) -> Message:
    return parse(command(*arguments, **options))


# -- messages ---------------------------------------------------------------------------------------------


def test_message_has_the_fields_that_the_lock_depends_on() -> None:
    found = parse(command("insert", SESSION, 3, starts=True))
    assert (found.command, found.database, found.key, found.starts) == (
        "insert",
        "kingdom",
        (SESSION, 3),
        True,
    )
    assert not found.ends
    # A retryable write has a number and belongs to no transaction.
    retryable = wire({"insert": 1, "lsid": {"id": bson.Binary(SESSION, 4)}, "txnNumber": bson.Int64(3)})
    assert (parse(retryable).key, parse(retryable).session) == (None, SESSION)
    assert [parse(command(name, SESSION, 3)).ends for name in ("commitTransaction", "abortTransaction")] == [
        True
    ] * 2
    assert parse(wire({"insert": 1}, flags=2)).expects_response is False
    assert parse(wire({"insert": 1}, flags=1)).expects_response is True


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack("<iiii", 16, 7, 0, 2004),
        wire({"insert": 1}, kind=1),
        wire(b"\x05\0\0\0"),
        wire(struct.pack("<i", 500) + b"\x02insert\0"),
        # A string that is longer than its document.
        wire(b"\x13\0\0\0\x02find\0\xff\0\0\0a\0\0\0"),
        wire({"find": "a", "lsid": {"other": 1}, "autocommit": False}),
        wire({"find": "a", "lsid": 5, "autocommit": False}),
    ],
)  # fmt: skip
def test_malformed_message_counts_as_a_plain_operation(raw: bytes) -> None:
    found = parse(raw)
    assert (found.raw, found.request, found.command, found.key) == (raw, 7, "", None)


# -- the lock ---------------------------------------------------------------------------------------------


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Waiting:
    """A message that waits for the lock."""

    def __init__(self, lock: TransactionLock, given: Message) -> None:
        self.task = asyncio.ensure_future(lock.acquire(given, object()))

    async def passed(self) -> bool | None:
        """The result of `acquire`; None while it waits."""
        await turns()
        return self.task.result() if self.task.done() else None


async def test_plain_operations_share_the_lock() -> None:
    lock = TransactionLock()
    for session in (SESSION, OTHER, None):
        assert await lock.acquire(message("find", session), object())
    assert lock.operations == 3


async def test_transaction_waits_for_operations_in_progress_and_later_ones_wait_for_it() -> None:
    lock = TransactionLock()
    plain = message("find", OTHER)
    assert await lock.acquire(plain, object())
    begin = Waiting(lock, message("insert", SESSION, 1, starts=True))
    assert await begin.passed() is None
    # Otherwise a busy server would never start a transaction.
    later = Waiting(lock, message("find", OTHER))
    assert await later.passed() is None
    lock.release(plain, succeeded=True)
    assert await begin.passed() is True
    assert await later.passed() is None
    lock.release(message("insert", SESSION, 1), succeeded=True)
    assert await later.passed() is None
    # Its own messages pass, a second transaction does not.
    assert await lock.acquire(message("find", SESSION, 1), object())
    second = Waiting(lock, message("insert", OTHER, 1, starts=True))
    assert await second.passed() is None
    lock.release(message("commitTransaction", SESSION, 1), succeeded=True)
    assert {await later.passed(), await second.passed()} == {True, None}


async def test_waiting_for_new_events_does_not_delay_a_transaction() -> None:
    lock = TransactionLock()
    assert await lock.acquire(message("getMore", OTHER), object())
    assert await lock.acquire(message("insert", SESSION, 1, starts=True), object())
    lock.release(message("getMore", OTHER), succeeded=True)
    assert lock.operations == 0


async def test_message_of_a_transaction_that_has_ended_or_never_started_is_refused() -> None:
    lock = TransactionLock()
    assert not await lock.acquire(message("find", SESSION, 1), object())
    first = message("insert", SESSION, 1, starts=True)
    assert await lock.acquire(first, object())
    lock.release(first, succeeded=True)
    lock.clear()
    for late in (first, message("commitTransaction", SESSION, 1)):
        assert not await lock.acquire(late, object())
        assert not lock.was_committed(late)
    # The next transaction of the session starts.
    assert await lock.acquire(message("insert", SESSION, 2, starts=True), object())


@pytest.mark.parametrize(
    ("name", "succeeded", "committed"),
    [
        ("commitTransaction", True, True),
        ("commitTransaction", False, False),
        ("abortTransaction", True, False),
    ],
)
async def test_only_a_commit_that_succeeded_can_be_repeated(
    name: str, succeeded: bool, committed: bool
) -> None:
    lock = TransactionLock()
    assert await lock.acquire(message("insert", SESSION, 1, starts=True), object())
    lock.release(message(name, SESSION, 1), succeeded=succeeded)
    assert lock.open is None
    assert lock.was_committed(message("commitTransaction", SESSION, 1)) == committed
    assert not lock.was_committed(message("abortTransaction", SESSION, 1))


# -- the server -------------------------------------------------------------------------------------------


class Upstream:
    """A server that acknowledges every message; `held` delays the commands of that name."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []
        self.held: dict[str, asyncio.Event] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                header = await reader.readexactly(16)
                raw = header + await reader.readexactly(struct.unpack_from("<i", header)[0] - 16)
                document = bson.decode(raw[21:])
                self.commands.append(document)
                name = next(iter(document))
                if name in self.held:
                    await self.held[name].wait()
                writer.write(wire({"ok": 1.0, "did": name}))
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    def names(self) -> list[str]:
        return [next(iter(each)) for each in self.commands]


class Client:
    """A connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def call(self, raw: bytes) -> dict[str, Any]:
        self.writer.write(raw)
        return await self.response()

    async def response(self) -> dict[str, Any]:
        header = await self.reader.readexactly(16)
        body = await self.reader.readexactly(struct.unpack_from("<i", header)[0] - 16)
        return dict(bson.decode(body[5:]))

    async def closed(self) -> bool:
        return await asyncio.wait_for(self.reader.read(), 5) == b""


class Proxy:
    """A proxy in front of an upstream server."""

    def __init__(self, upstream: Upstream, port: int) -> None:
        self.upstream, self.port = upstream, port
        self._clients: list[Client] = []

    async def client(self) -> Client:
        found = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self._clients.append(found)
        return found

    def close(self) -> None:
        for client in self._clients:
            client.writer.close()


@asynccontextmanager
async def proxied(upstream_port: int | None = None) -> AsyncIterator[Proxy]:
    upstream, port = Upstream(), free_port()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    proxy = Server(upstream_port or server.sockets[0].getsockname()[1])
    running = asyncio.ensure_future(proxy.serve(port))
    found = Proxy(upstream, port)

    async def listens() -> bool:
        try:
            (await found.client()).writer.close()
        except OSError:
            return False
        return True

    await until(listens)
    try:
        yield found
    finally:
        found.close()
        running.cancel()
        server.close()
        await asyncio.gather(running, return_exceptions=True)
        await turns()


async def test_messages_and_responses_are_forwarded() -> None:
    async with proxied() as proxy:
        client = await proxy.client()
        assert await client.call(command("find")) == {"ok": 1.0, "did": "find"}
        # No response to a message that expects none; the next one has its own.
        client.writer.write(wire({"insert": 1}, flags=2))
        assert (await client.call(command("find")))["did"] == "find"
        assert proxy.upstream.names() == ["find", "insert", "find"]


async def test_operations_of_other_sessions_wait_for_a_transaction_and_greetings_do_not() -> None:
    async with proxied() as proxy:
        one, two = await proxy.client(), await proxy.client()
        await one.call(command("insert", SESSION, 1, starts=True))
        assert (await two.call(command("ping")))["did"] == "ping"
        waiting = asyncio.ensure_future(two.call(command("find", OTHER)))
        await one.call(command("update", SESSION, 1))
        assert not waiting.done()
        await one.call(command("commitTransaction", SESSION, 1))
        assert (await asyncio.wait_for(waiting, 5))["did"] == "find"
        assert proxy.upstream.names() == ["insert", "ping", "update", "commitTransaction", "find"]
        # A driver repeats a commit whose response was lost.
        assert await one.call(command("commitTransaction", SESSION, 1)) == {"ok": 1.0}
        assert proxy.upstream.names()[-1] == "find"


async def test_transaction_of_a_closed_connection_is_aborted() -> None:
    async with proxied() as proxy:
        one, two = await proxy.client(), await proxy.client()
        await one.call(command("insert", SESSION, 4, starts=True))
        waiting = asyncio.ensure_future(two.call(command("find", OTHER)))
        one.writer.close()
        assert (await asyncio.wait_for(waiting, 5))["did"] == "find"
        abort = proxy.upstream.commands[1]
        assert (abort["abortTransaction"], abort["txnNumber"], abort["autocommit"]) == (1, 4, False)
        assert bytes(abort["lsid"]["id"]) == SESSION
        refused = await two.call(command("update", SESSION, 4))
        assert (refused["ok"], refused["code"], refused["codeName"]) == (0.0, 251, "NoSuchTransaction")
        assert refused["errorLabels"] == ["TransientTransactionError"]
        assert refused["errmsg"] == "the transaction 4 of this session was aborted or never started"


async def test_transaction_that_exceeds_its_lifetime_is_aborted_once_it_is_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LIFETIME_SECONDS", 0.2)
    async with proxied() as proxy:
        one, two = await proxy.client(), await proxy.client()
        proxy.upstream.held["aggregate"] = asyncio.Event()
        await one.call(command("insert", SESSION, 1, starts=True))
        slow = asyncio.ensure_future(one.call(command("aggregate", SESSION, 1)))
        waiting = asyncio.ensure_future(two.call(command("find", OTHER)))
        await asyncio.wait({waiting}, timeout=0.5)
        # An operation in progress is completed first.
        assert not waiting.done()
        proxy.upstream.held["aggregate"].set()
        assert (await slow)["ok"] == 1.0
        assert (await asyncio.wait_for(waiting, 5))["did"] == "find"
        assert (await one.call(command("commitTransaction", SESSION, 1)))["codeName"] == "NoSuchTransaction"
        assert proxy.upstream.names() == ["insert", "aggregate", "abortTransaction", "find"]


@pytest.mark.parametrize("length", [15, 48_000_001, -1])
async def test_message_of_an_invalid_length_closes_its_connection_only(length: int) -> None:
    async with proxied() as proxy:
        one, two = await proxy.client(), await proxy.client()
        one.writer.write(struct.pack("<iiii", length, 1, 0, 2013))
        assert await one.closed()
        assert (await two.call(command("find")))["ok"] == 1.0


async def test_connection_is_closed_while_the_server_is_down() -> None:
    async with proxied(upstream_port=free_port()) as proxy:
        assert await (await proxy.client()).closed()
