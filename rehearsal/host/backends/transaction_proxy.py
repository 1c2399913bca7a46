"""Proxy that serializes transactions for a MongoDB wire server without transaction isolation.

`nx-27017` runs all sessions on one SQLite connection, so an abort in one session rolls back the writes of
every other session, including acknowledged ones. While a transaction is open, the proxy queues the messages
of all other sessions; a transaction starts only when no other operation is in progress. This makes
transactions serializable. The proxy reads only ``lsid``, ``txnNumber``, ``autocommit``, ``startTransaction``
and the command name of each message (MongoDB wire protocol, OP_MSG section kind 0).

A transaction ends by commit or abort, when its connection closes, or after `LIFETIME_SECONDS`. In the last
two cases the proxy aborts it on the server, and the session's next command fails with ``NoSuchTransaction``
and the label ``TransientTransactionError``, on which drivers retry the transaction.

Run as ``python -m rehearsal.host.backends.transaction_proxy PORT UPSTREAM_PORT``.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import sys
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument

LIFETIME_SECONDS = 10.0
_OP_MSG = 2013
_MORE_TO_COME = 0x2
_MAX_BYTES = 48_000_000
_HEADER = struct.Struct("<iiii")
# Forwarded at any time: they access no data, and a driver without a response to them marks the server as
# down.
_FREE = frozenset(
    {"hello", "ismaster", "isMaster", "ping", "buildInfo", "buildinfo", "saslStart", "saslContinue"}
)
# Can block on the server until new events arrive; a transaction must not wait for that.
_PATIENT = frozenset({"getMore"})
_REMEMBERED = 1000

Key = tuple[bytes, int]


@dataclass
class Transaction:
    """The open transaction: session ID and transaction number, and the connection that used it last."""

    key: Key
    connection: object
    database: str
    deadline: float
    busy: bool = False


@dataclass
class Message:
    """One wire message with the fields that the lock depends on."""

    raw: bytes
    request: int
    command: str = ""
    database: str = "admin"
    session: bytes | None = None
    number: int | None = None
    transactional: bool = False
    starts: bool = False
    expects_response: bool = True

    @property
    def key(self) -> Key | None:
        if not self.transactional or self.session is None or self.number is None:
            return None
        return (self.session, self.number)

    @property
    def ends(self) -> bool:
        return self.command in {"commitTransaction", "abortTransaction"}


def parse(raw: bytes) -> Message:
    """Parse the fields that the lock needs; other opcodes and malformed bodies count as plain operations."""
    _, request, _, opcode = _HEADER.unpack_from(raw)
    message = Message(raw, request)
    if opcode != _OP_MSG or len(raw) < 26 or raw[20] != 0:
        return message
    message.expects_response = not struct.unpack_from("<I", raw, 16)[0] & _MORE_TO_COME
    (length,) = struct.unpack_from("<i", raw, 21)
    try:
        # Values are decoded when they are read: each of these lines can find the body malformed.
        body = bson.BSON(raw[21 : 21 + length]).decode(_LAZY)
        command, database = next(iter(body), ""), str(body.get("$db", "admin"))
        session = body.get("lsid")
        identity = None if session is None else bytes(session["id"])
        number = None if session is None else body.get("txnNumber")
        transactional, starts = body.get("autocommit") is False, bool(body.get("startTransaction"))
    except (bson.errors.BSONError, KeyError, TypeError):
        return message
    message.command, message.database = command, database
    message.session, message.number = identity, number
    message.transactional, message.starts = transactional, starts
    return message


_LAZY: Any = bson.CodecOptions(document_class=RawBSONDocument)


@dataclass
class TransactionLock:
    """Lock that an open transaction holds exclusively; plain operations share it.

    `operations` counts the plain operations in progress.
    """

    operations: int = 0
    open: Transaction | None = None
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    _aborted: OrderedDict[Key, None] = field(default_factory=OrderedDict)
    _committed: OrderedDict[Key, None] = field(default_factory=OrderedDict)
    _starters: int = 0

    def _may_pass(self, message: Message) -> bool:
        key = message.key
        if key is not None:
            if self.open is not None:
                return self.open.key == key
            # A transaction starts only when no operation is in progress.
            return self.operations == 0
        return self.open is None and not self._starters

    async def acquire(self, message: Message, connection: object) -> bool:
        """Wait for permission to send `message`; return False if its transaction has ended."""
        key = message.key
        starting = key is not None and (self.open is None or self.open.key != key)
        if starting:
            self._starters += 1
        try:
            while True:
                if key is not None and self._is_closed(message, key):
                    return False
                if self._may_pass(message):
                    break
                turn = asyncio.get_running_loop().create_future()
                self._waiting.append(turn)
                await turn
        finally:
            if starting:
                self._starters -= 1
                self._wake()
        if key is None:
            self.operations += message.command not in _PATIENT
            return True
        if self.open is None:
            deadline = asyncio.get_running_loop().time() + LIFETIME_SECONDS
            self.open = Transaction(key, connection, message.database, deadline)
        self.open.connection, self.open.busy = connection, True
        return True

    def _is_closed(self, message: Message, key: Key) -> bool:
        """Return whether the transaction was aborted or never started: only its first message may open it."""
        if self.open is not None and self.open.key == key:
            return False
        return key in self._aborted or not message.starts

    def release(self, message: Message, *, succeeded: bool) -> None:
        if message.key is None:
            self.operations -= message.command not in _PATIENT
        elif self.open is not None and self.open.key == message.key:
            self.open.busy = False
            if message.ends:
                _remember(
                    self._committed if succeeded and message.command[0] == "c" else self._aborted, message.key
                )
                self.open = None
        self._wake()

    def was_committed(self, message: Message) -> bool:
        """Return whether this is a retry of a commit that succeeded, which gets the same response."""
        return message.command == "commitTransaction" and message.key in self._committed

    def clear(self) -> None:
        if self.open is not None:
            _remember(self._aborted, self.open.key)
            self.open = None
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)


def _remember(keys: OrderedDict[Key, None], key: Key) -> None:
    keys[key] = None
    while len(keys) > _REMEMBERED:
        keys.popitem(last=False)


class Server:
    """Accept clients and open one upstream connection per client."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._lock = TransactionLock()
        self._abort_wanted = asyncio.Event()
        self._aborting = asyncio.Lock()

    async def serve(self, port: int) -> None:
        server = await asyncio.start_server(self._client, "127.0.0.1", port, backlog=1024)
        async with server, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(server.serve_forever())

    async def _watch(self) -> None:
        """Abort a transaction that exceeds its lifetime and has no operation in progress."""
        loop = asyncio.get_running_loop()
        while True:
            transaction = self._lock.open
            if transaction is None:
                await asyncio.sleep(LIFETIME_SECONDS / 4)
                continue
            await asyncio.sleep(max(0.05, transaction.deadline - loop.time()))
            if (
                self._lock.open is transaction
                and loop.time() >= transaction.deadline
                and not transaction.busy
            ):
                await self._abort(transaction)

    async def _abort(self, transaction: Transaction) -> None:
        """Abort the transaction on the server, then release the lock."""
        async with self._aborting:
            if self._lock.open is not transaction:
                return
            session, number = transaction.key
            command = {
                "abortTransaction": 1,
                "lsid": {"id": bson.Binary(session, 4)},
                "txnNumber": bson.Int64(number),
                "autocommit": False,
                "$db": "admin",
            }
            body = b"\0\0\0\0\0" + bson.encode(command)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
                try:
                    writer.write(_HEADER.pack(16 + len(body), 1, 0, _OP_MSG) + body)
                    await _read(reader)
                finally:
                    writer.close()
            self._lock.clear()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = object()
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream, limit=2**20)
        except OSError:
            writer.close()
            return
        try:
            while True:
                message = parse(await _read(reader))
                response = await self._pass(message, connection, up_reader, up_writer)
                if message.expects_response:
                    writer.write(response)
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()
            up_writer.close()
            transaction = self._lock.open
            if transaction is not None and transaction.connection is connection:
                await self._abort(transaction)

    async def _pass(
        self,
        message: Message,
        connection: object,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bytes:
        if message.command in _FREE:
            return await _exchange(message, reader, writer)
        if not await self._lock.acquire(message, connection):
            return _end_response(message, committed=self._lock.was_committed(message))
        succeeded = False
        try:
            response = await _exchange(message, reader, writer)
            succeeded = _is_ok(response) if message.ends else True
            return response
        finally:
            self._lock.release(message, succeeded=succeeded)


async def _exchange(message: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Send a message and read the response. `nx-27017` responds even to messages with `moreToCome`."""
    writer.write(message.raw)
    return await _read(reader)


async def _read(reader: asyncio.StreamReader) -> bytes:
    header = await reader.readexactly(16)
    (length,) = struct.unpack_from("<i", header)
    if not 16 <= length <= _MAX_BYTES:
        raise ValueError(f"invalid message length: {length} bytes")
    return header + await reader.readexactly(length - 16)


def _is_ok(response: bytes) -> bool:
    with contextlib.suppress(bson.errors.BSONError, IndexError, struct.error):
        return bool(bson.decode(response[21:]).get("ok"))
    return False


def _end_response(message: Message, *, committed: bool) -> bytes:
    document: dict[str, Any] = {"ok": 1.0}
    if not committed:
        document = {
            "ok": 0.0,
            "code": 251,
            "codeName": "NoSuchTransaction",
            "errmsg": f"the transaction {message.number} of this session was aborted or never started",
            "errorLabels": ["TransientTransactionError"],
        }
    body = b"\0\0\0\0\0" + bson.encode(document)
    return _HEADER.pack(16 + len(body), 1, message.request, _OP_MSG) + body


def main() -> None:
    port, upstream = (int(argument) for argument in sys.argv[1:3])
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Server(upstream).serve(port))


if __name__ == "__main__":
    main()
