"""Calls of the supervisor: results, streams, errors, and calls of which one side has ended."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.errors import MachineError
from rehearsal.host.rpc import Calls, CancelledError, call, serve, stream


class Supervisor:
    """Methods of a supervisor, served in a thread."""

    def __init__(self) -> None:
        self.hanging = threading.Event()
        self.cancelled = threading.Event()

    async def handle(self, method: str, params: dict[str, Any]) -> Any:
        match method:
            case "echo":
                return params
            case "count":
                return self._count(params["to"])
            case "refuse":
                raise MachineError(["the port is in use", "by redis (pid 7)"])
            case "break":
                raise LookupError("a fault of the supervisor")
            case "unserializable":
                return object()
        self.hanging.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    async def _count(self, to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number
        if to > 2:
            raise MachineError("too many")


@contextmanager
def served(path: Path) -> Iterator[Supervisor]:
    """A server at `path` while the block runs; it ends as a killed process does."""
    supervisor, ready = Supervisor(), threading.Event()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def live() -> None:
        server = await serve(path, supervisor.handle)
        loop.set_exception_handler(lambda loop, context: None)  # reported by the server of `break`
        ready.set()
        await ended.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(live()))
    thread.start()
    assert ready.wait(10)
    try:
        yield supervisor
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "supervisor.sock"


@pytest.mark.parametrize("value", [{"a": [1, None, "ü\n"]}, {"text": "x" * 200_000}, {}])
def test_result_is_what_the_method_returned(path: Path, value: dict[str, Any]) -> None:
    with served(path):
        assert call(path, "echo", value, 5) == value
        assert list(stream(path, "echo", value, 5)) == [value]


def test_items_come_before_the_result(path: Path) -> None:
    with served(path):
        assert list(stream(path, "count", {"to": 2}, 5)) == [0, 1, None]
        assert call(path, "count", {"to": 2}, 5) is None


def test_error_has_all_reasons_also_in_the_middle_of_a_stream(path: Path) -> None:
    with served(path):
        with pytest.raises(MachineError) as caught:
            call(path, "refuse", {}, 5)
        assert caught.value.reasons == ["the port is in use", "by redis (pid 7)"]
        found = []
        with pytest.raises(MachineError, match="too many"):
            found += list(stream(path, "count", {"to": 3}, 5))
        items = stream(path, "count", {"to": 3}, 5)
        assert [next(items) for _ in range(3)] == [0, 1, 2]


def test_many_clients_are_served_at_once(path: Path) -> None:
    with served(path) as supervisor, ThreadPoolExecutor(9) as pool:
        calls = Calls()
        hanging = pool.submit(call, path, "hang", {}, 30, calls)
        assert supervisor.hanging.wait(5)

        def echoed(number: int) -> Any:
            return call(path, "echo", {"n": number}, 5)

        assert list(pool.map(echoed, range(50))) == [{"n": number} for number in range(50)]
        calls.cancel()
        with pytest.raises(CancelledError):
            hanging.result(5)


def test_without_a_supervisor_a_call_is_an_os_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        call(path, "echo", {}, 5)
    # The socket of a killed supervisor remains.
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with pytest.raises(ConnectionRefusedError):
        call(path, "echo", {}, 5)


def test_call_that_takes_too_long_ends_and_cancels_the_method(path: Path) -> None:
    with served(path) as supervisor:
        with pytest.raises(TimeoutError):
            call(path, "hang", {}, 0.1)
        assert supervisor.cancelled.wait(5)


def test_cancelled_calls_end_at_once_and_later_ones_do_not_begin(path: Path) -> None:
    calls = Calls()
    with served(path) as supervisor, ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(call, path, "hang", {}, 30, calls)
        assert supervisor.hanging.wait(5)
        calls.cancel()
        with pytest.raises(CancelledError):
            hanging.result(5)
        # The supervisor does not continue without its client.
        assert supervisor.cancelled.wait(5)
        with pytest.raises(CancelledError):
            call(path, "echo", {}, 5, calls)
        assert call(path, "echo", {"other": 1}, 5) == {"other": 1}


def test_supervisor_that_exits_during_a_call_is_a_connection_error(path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        with served(path) as supervisor:
            hanging = pool.submit(call, path, "hang", {}, 30)
            assert supervisor.hanging.wait(5)
        with pytest.raises(ConnectionResetError, match="the supervisor exited during the call"):
            hanging.result(5)


@pytest.mark.parametrize("method", ["break", "unserializable"])
def test_fault_of_the_supervisor_ends_the_call(path: Path, method: str) -> None:
    with served(path):
        with pytest.raises(ConnectionResetError):
            call(path, method, {}, 5)
        assert call(path, "echo", {"a": 1}, 5) == {"a": 1}


@pytest.mark.parametrize("line", [b"{\n", b"[]\n", b'{"method": "echo"}\n', b"\xff\n"])
def test_malformed_request_is_refused(path: Path, line: bytes) -> None:
    with served(path), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(line)
        response = b""
        while received := client.recv(4096):
            response += received
    [reason] = json.loads(response)["error"]
    assert reason.startswith("the request is not {method, params} as JSON: ")


def test_client_that_connects_and_leaves_has_no_effect_on_others(path: Path) -> None:
    with served(path):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        assert call(path, "echo", {"a": 1}, 5) == {"a": 1}


def test_path_longer_than_a_socket_address_is_served(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    with served(folder / "supervisor.sock"):
        assert call(folder / "supervisor.sock", "echo", {"a": 1}, 5) == {"a": 1}
