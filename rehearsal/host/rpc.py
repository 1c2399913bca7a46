"""Protocol of client and supervisor: JSON lines over a unix socket, one request per connection.

A request is ``{"method": …, "params": {…}}``. The response is one line ``{"result": …}`` or
``{"error": [reasons]}``; a stream has lines ``{"item": …}`` before it.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearsal.host.errors import MachineError
from rehearsal.host.processes.unix_sockets import address

if TYPE_CHECKING:
    import asyncio

MAX_BYTES = 64 * 1024 * 1024
Handler = Callable[[str, dict[str, Any]], Awaitable[Any]]


async def serve(path: Path, handle: Handler) -> asyncio.Server:
    """Serve requests at `path`. A result that is an async iterator is sent item by item."""
    import asyncio  # 4 MB, which a client does not need

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await _serve_one(reader, writer, handle)
        finally:
            # In any case: a client without a response waits until its timeout.
            with suppress(OSError):
                writer.close()

    with address(path) as short:
        return await asyncio.start_unix_server(connected, short, limit=MAX_BYTES)


async def _serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler) -> None:
    import asyncio

    line = await reader.readline()
    if not line:
        return
    try:
        request = json.loads(line)
        method, params = request["method"], request["params"]
    except (ValueError, KeyError, TypeError) as error:
        await _send(writer, {"error": [f"the request is not {{method, params}} as JSON: {error!r}"]})
        return
    working = asyncio.ensure_future(_respond(method, params, writer, handle))
    # The client closed the connection and no longer reads the result.
    leaving = asyncio.ensure_future(reader.read(1))
    await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
    for task in (working, leaving):
        if not task.done():
            task.cancel()
    with suppress(asyncio.CancelledError):
        await working


async def _respond(
    method: str, params: dict[str, Any], writer: asyncio.StreamWriter, handle: Handler
) -> None:
    try:
        result = await handle(method, params)
        if isinstance(result, AsyncIterator):
            async for item in result:
                await _send(writer, {"item": item})
            result = None
        await _send(writer, {"result": result})
    except MachineError as error:
        await _send(writer, {"error": error.reasons})


async def _send(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")
    await writer.drain()


class CancelledError(Exception):
    """The call was cancelled by `Calls.cancel`."""


class Calls:
    """Connections of calls in progress, so that another thread can cancel them."""

    def __init__(self) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.cancelled = False

    def cancel(self) -> None:
        with self._lock:
            self.cancelled = True
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def holding(self, connection: socket.socket) -> Iterator[None]:
        with self._lock:
            if self.cancelled:
                raise CancelledError
            self._open.add(connection)
        try:
            yield
        except OSError:
            if self.cancelled:
                raise CancelledError from None
            raise
        finally:
            with self._lock:
                self._open.discard(connection)


def stream(
    path: Path, method: str, params: dict[str, Any], timeout: float | None, calls: Calls | None = None
) -> Iterator[Any]:
    """Yield the items and then the result of a request.

    Raises MachineError, or OSError without a supervisor.
    """
    with socket.socket(socket.AF_UNIX) as connection, (calls or Calls()).holding(connection):
        connection.settimeout(timeout)
        with address(path) as short:
            connection.connect(short)
        connection.sendall(json.dumps({"method": method, "params": params}).encode() + b"\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if "error" in message:
                    raise MachineError(message["error"])
                if "result" in message:
                    yield message["result"]
                    return
                yield message["item"]
        # Inside the block, which turns the error of a cancelled call into CancelledError.
        raise ConnectionResetError("the supervisor exited during the call")


def call(
    path: Path, method: str, params: dict[str, Any], timeout: float | None, calls: Calls | None = None
) -> Any:
    """Return the result of a request that is not a stream. `calls` lets another thread cancel it."""
    result = None
    for message in stream(path, method, params, timeout, calls):
        result = message
    return result
