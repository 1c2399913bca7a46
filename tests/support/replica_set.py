"""Members of a replica set with the indexes of one collection, which each counts its own reads of.

The local wire server is a single process without ``$indexStats``. These members speak MongoDB's wire protocol
(OP_QUERY for the first handshake, OP_MSG) and respond to what a reader of indexes sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import struct
import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import bson

from tests.support.backends import free_port, until

_HEAD: Final = struct.Struct("<iiii")
_OP_REPLY, _OP_QUERY, _OP_MSG = 1, 2004, 2013


class Member:
    """One member; ``reads`` has the number of its own reads by index, since ``since``."""

    def __init__(self, reads: Mapping[str, int], since: datetime) -> None:
        self.port = free_port()
        self.commands: list[str] = []
        self.connections = 0  # that are open
        self._reads = reads
        self._since = since
        self._hosts: list[str] = []
        self._stopped = False

    def stop(self) -> None:
        """Respond to nothing from now on; open connections end with their next request."""
        self._stopped = True

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def join(self, members: Sequence[Member]) -> None:
        """Form a replica set whose first member is the primary."""
        self._hosts = [each.host for each in members]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._respond_to_all(reader, writer)
        finally:
            writer.close()
            self.connections -= 1

    async def _respond_to_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length, request, _, code = _HEAD.unpack(await reader.readexactly(_HEAD.size))
                body = await reader.readexactly(length - _HEAD.size)
                if self._stopped:
                    break
                if code == _OP_QUERY:
                    command = bson.decode(body[body.index(b"\0", 4) + 9 :])
                    start, reply = struct.pack("<iqii", 8, 0, 0, 1), _OP_REPLY
                else:
                    command = bson.decode(body[5:])
                    start, reply = struct.pack("<IB", 0, 0), _OP_MSG
                response = start + bson.encode(self._respond(command))
                writer.write(_HEAD.pack(_HEAD.size + len(response), 0, request, reply) + response)
                await writer.drain()

    def _respond(self, command: Mapping[str, Any]) -> dict[str, Any]:
        name = next(iter(command))
        self.commands.append(name)
        batches: dict[str, list[dict[str, Any]]] = {
            "listCollections": [{"name": "t", "type": "collection"}],
            "listIndexes": [
                {"v": 2, "key": {"_id": 1} if index == "_id_" else {index: 1}, "name": index}
                for index in self._reads
            ],
            "aggregate": [
                {"name": index, "accesses": {"ops": count, "since": self._since}}
                for index, count in self._reads.items()
            ],
        }
        if name.lower() in {"hello", "ismaster"}:
            return self._hello()
        if name in batches:
            return {"cursor": {"id": 0, "ns": "kingdom.t", "firstBatch": batches[name]}, "ok": 1}
        return {"ok": 1}

    def _hello(self) -> dict[str, Any]:
        primary = self._hosts[0] == self.host
        return {
            "helloOk": True,
            "ismaster": primary,
            "isWritablePrimary": primary,
            "secondary": not primary,
            "setName": "rs0",
            "setVersion": 1,
            "hosts": self._hosts,
            "primary": self._hosts[0],
            "me": self.host,
            "maxBsonObjectSize": 16 * 2**20,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000,
            "logicalSessionTimeoutMinutes": 30,
            "minWireVersion": 0,
            "maxWireVersion": 21,
            "ok": 1,
        }


@asynccontextmanager
async def replica_set(*members: Member) -> AsyncIterator[str]:
    """Run the members; yield the URL of the replica set, which names the primary only."""
    async with contextlib.AsyncExitStack() as stack:
        for member in members:
            member.join(members)
            await stack.enter_async_context(
                await asyncio.start_server(member.handle, "127.0.0.1", member.port)
            )
        yield f"mongodb://{members[0].host}/?replicaSet=rs0"
        # PyMongo (4.20) does not close the socket of a connection attempt that is cancelled, as at the end of
        # a client; the collector does.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        await until(lambda: not any(member.connections for member in members))
