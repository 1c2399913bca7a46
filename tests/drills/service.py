"""The service with real backends and without a supervisor, so that a killed process stays down until the
drill restarts it; and fakes for drills: a text generator that can hang, a proxy that delays the storage."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from tests.support import backends
from tests.support.backends import Platform, Process, free_port

_CHUNK = 64 * 1024
_ENDS = ("ready", "failed")

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextmanager
def serving(handler: Handler, port: int) -> Iterator[None]:
    """Run a TCP server in a separate thread while the context is open."""
    loop = asyncio.new_event_loop()
    started, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with await asyncio.start_server(handler, "127.0.0.1", port):
            started.set()
            await stop.wait()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert started.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


class Delay:
    """TCP proxy to the port ``target`` that delays each chunk of the responses by ``seconds``."""

    def __init__(self) -> None:
        self.port = free_port()
        self.target = 0
        self.seconds = 0.0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_target, to_target = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            await asyncio.gather(
                self._pass(reader, to_target, late=False), self._pass(from_target, writer, late=True)
            )
        finally:
            for end in (to_target, writer):
                end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_CHUNK):
                if late:
                    await asyncio.sleep(self.seconds)
                writer.write(data)
                await writer.drain()
        writer.close()


class Model:
    """Fake text generator with OpenAI's API; with ``hanging`` it starts a text and does not complete it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.hanging = False
        self.begun = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        payload = json.loads(await reader.readexactly(length))
        self.begun += 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        prompt = payload["messages"][-1]["content"]
        for text in ("A text that is long enough to be published at once, ", f"about {prompt}."):
            writer.write(_chunk(text))
            await writer.drain()
            if self.hanging:
                await reader.read()
        writer.write(_chunk(None) + b"data: [DONE]\n\n")
        writer.close()


def _chunk(text: str | None) -> bytes:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": "stop" if text is None else None}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


@dataclass
class Service:
    """The processes of the service, with the proxy in front of the storage and the fake generator."""

    whole: Platform
    delay: Delay
    model: Model

    def client(self) -> httpx.Client:
        """Return a client of the api, without a session."""
        return httpx.Client(base_url=self.whole.url, timeout=20)

    def readiness(self, process: Process) -> tuple[int, dict[str, Any]]:
        """Return the status and the report of a pod's readiness probe."""
        response = httpx.get(f"http://127.0.0.1:{process.port}/readyz", timeout=10)
        return response.status_code, dict(response.json())

    def is_ready(self) -> bool:
        """Return whether both roles are ready and all dependencies available."""
        reports = [self.readiness(process) for process in (self.whole.api, self.whole.worker)]
        return all(status == 200 and set(report.values()) == {"serving", "ok"} for status, report in reports)

    def ends(self, piece: str) -> list[str]:
        """Return the final events of a content item: one, even if its job ran several times."""
        with contextlib.closing(Redis(port=self.whole.redis.port)) as redis:
            events: Any = redis.xrange(f"progress:{piece}")
        names = [fields[b"name"].decode() for _, fields in events]
        return [name for name in names if name in _ENDS]


@contextmanager
def service(folder: Path, *, modelled: bool = False) -> Iterator[Service]:
    """Start the service; ``modelled`` uses the fake generator instead of the embedded one."""
    delay, model = Delay(), Model()
    settings = {"KINGDOM_STORAGE_ENDPOINT": f"http://127.0.0.1:{delay.port}"}
    if modelled:
        settings["KINGDOM_GENERATOR_URL"] = f"http://127.0.0.1:{model.port}/v1"
        settings["KINGDOM_GENERATOR_MODEL"] = "small"
    with serving(delay.handle, delay.port):
        whole = backends.platform(folder, settings)
        delay.target = whole.storage.port
        try:
            yield Service(whole, delay, model)
        finally:
            backends.end(whole)
