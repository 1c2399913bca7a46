"""A gate before a MongoDB wire server that cannot run two transactions at once.

`nx-27017` keeps every session on one SQLite connection: an abort in one session rolls back what another
has written, acknowledged or not. So while one session's transaction is open, the messages of all other
sessions wait here, and a transaction starts only when no other operation is under way. That is
serialisable. Only what the gate needs is read from a message: ``lsid``, ``txnNumber``, ``autocommit``,
``startTransaction`` and the command's name (MongoDB wire protocol, OP_MSG section kind 0).

A transaction ends with its commit or abort, when its connection goes, or when it is older than
`LIFETIME_SECONDS`; in the last two cases the gate aborts it at the server, and the session is told
``NoSuchTransaction`` with the label ``TransientTransactionError``, on which drivers run it again.

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
# Commands that touch no data: a driver that gets no answer to them takes the server for dead.
_FREE = frozenset(
    {"hello", "ismaster", "isMaster", "ping", "buildInfo", "buildinfo", "saslStart", "saslContinue"}
)
# May wait at the server for new events, for which a transaction need not wait.
_PATIENT = frozenset({"getMore"})
_REMEMBERED = 1000

Key = tuple[bytes, int]


@dataclass
class Transaction:
    """The one that is open: its session and number, and the connection that spoke for it last."""

    key: Key
    connection: object
    database: str
    deadline: float
    busy: bool = False


@dataclass
class Message:
    """One wire message, with what the gate wants to know about it."""

    raw: bytes
    request: int
    command: str = ""
    database: str = "admin"
    session: bytes | None = None
    number: int | None = None
    transactional: bool = False
    starts: bool = False
    answered: bool = True

    @property
    def key(self) -> Key | None:
        if not self.transactional or self.session is None or self.number is None:
            return None
        return (self.session, self.number)

    @property
    def ends(self) -> bool:
        return self.command in {"commitTransaction", "abortTransaction"}


def parse(raw: bytes) -> Message:
    """What the gate needs of a message. Other opcodes and unreadable bodies pass as plain operations."""
    _, request, _, opcode = _HEADER.unpack_from(raw)
    message = Message(raw, request)
    if opcode != _OP_MSG or len(raw) < 26 or raw[20] != 0:
        return message
    message.answered = not struct.unpack_from("<I", raw, 16)[0] & _MORE_TO_COME
    (length,) = struct.unpack_from("<i", raw, 21)
    try:
        body = bson.BSON(raw[21 : 21 + length]).decode(_LAZY)
    except bson.errors.BSONError:
        return message
    message.command = next(iter(body), "")
    message.database = str(body.get("$db", "admin"))
    session = body.get("lsid")
    if session is not None:
        message.session = bytes(session["id"])
        message.number = body.get("txnNumber")
    message.transactional = body.get("autocommit") is False
    message.starts = bool(body.get("startTransaction"))
    return message


_LAZY: Any = bson.CodecOptions(document_class=RawBSONDocument)


@dataclass
class Gate:
    """Who may pass now. `operations` counts plain operations under way."""

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
            # A transaction waits for what is under way. Its later messages do not come here: it is open.
            return self.operations == 0
        return self.open is None and not self._starters

    async def enter(self, message: Message, connection: object) -> bool:
        """Wait for leave to send `message`; False when its transaction is no more."""
        key = message.key
        starting = key is not None and (self.open is None or self.open.key != key)
        if starting:
            self._starters += 1
        try:
            while True:
                if key is not None and self._is_over(message, key):
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

    def _is_over(self, message: Message, key: Key) -> bool:
        """Only a first message may open a transaction: others belong to one that is open, or to none."""
        if self.open is not None and self.open.key == key:
            return False
        return key in self._aborted or not message.starts

    def leave(self, message: Message, *, succeeded: bool) -> None:
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
        """A commit that is sent again, because its answer was lost, has the same answer."""
        return message.command == "commitTransaction" and message.key in self._committed

    def give_up(self) -> None:
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
    """Accepts clients, and pairs each with a connection of its own to the server behind."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._gate = Gate()
        self._abort_wanted = asyncio.Event()
        self._aborting = asyncio.Lock()

    async def serve(self, port: int) -> None:
        server = await asyncio.start_server(self._client, "127.0.0.1", port, backlog=1024)
        async with server, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(server.serve_forever())

    async def _watch(self) -> None:
        """Abort the transaction that is older than it may be, while none of its operations is under way."""
        loop = asyncio.get_running_loop()
        while True:
            transaction = self._gate.open
            if transaction is None:
                await asyncio.sleep(LIFETIME_SECONDS / 4)
                continue
            await asyncio.sleep(max(0.05, transaction.deadline - loop.time()))
            if (
                self._gate.open is transaction
                and loop.time() >= transaction.deadline
                and not transaction.busy
            ):
                await self._abort(transaction)

    async def _abort(self, transaction: Transaction) -> None:
        """Roll back at the server what the session has left open; only then may others pass."""
        async with self._aborting:
            if self._gate.open is not transaction:
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
            self._gate.give_up()

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
                answer = await self._pass(message, connection, up_reader, up_writer)
                if message.answered:
                    writer.write(answer)
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()
            up_writer.close()
            transaction = self._gate.open
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
        if not await self._gate.enter(message, connection):
            return _answer(message, committed=self._gate.was_committed(message))
        succeeded = False
        try:
            answer = await _exchange(message, reader, writer)
            succeeded = _is_ok(answer) if message.ends else True
            return answer
        finally:
            self._gate.leave(message, succeeded=succeeded)


async def _exchange(message: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Send and await the answer. The server answers even what asks for none, so there is always one."""
    writer.write(message.raw)
    return await _read(reader)


async def _read(reader: asyncio.StreamReader) -> bytes:
    header = await reader.readexactly(16)
    (length,) = struct.unpack_from("<i", header)
    if not 16 <= length <= _MAX_BYTES:
        raise ValueError(f"a message of {length} bytes")
    return header + await reader.readexactly(length - 16)


def _is_ok(answer: bytes) -> bool:
    with contextlib.suppress(bson.errors.BSONError, IndexError, struct.error):
        return bool(bson.decode(answer[21:]).get("ok"))
    return False


def _answer(message: Message, *, committed: bool) -> bytes:
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
