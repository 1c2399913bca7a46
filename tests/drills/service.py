"""The service on real parts without anybody who restarts them, so that what is gone stays gone until it is
brought back; and what a drill puts in between: a generator that can hang, a storage that can be slow."""

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
    """A TCP server on a thread of its own."""
    loop = asyncio.new_event_loop()
    begun, enough = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with await asyncio.start_server(handler, "127.0.0.1", port):
            begun.set()
            await enough.wait()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert begun.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(enough.set)
        thread.join()
        loop.close()


class Delay:
    """Stands in front of the port ``target`` and holds back what it answers for ``seconds``."""

    def __init__(self) -> None:
        self.port = free_port()
        self.target = 0
        self.seconds = 0.0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, asks = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            await asyncio.gather(self._pass(reader, asks, late=False), self._pass(answers, writer, late=True))
        finally:
            for end in (asks, writer):
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
    """A generator that speaks OpenAI's protocol; with ``hanging`` it begins a text and does not end it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.hanging = False
        self.begun = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        wish = json.loads(await reader.readexactly(length))
        self.begun += 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        prompt = wish["messages"][-1]["content"]
        for text in ("A text that is long enough to be told at once, ", f"about {prompt}."):
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
    """The parts, with the delay in front of the storage and the model."""

    whole: Platform
    delay: Delay
    model: Model

    def client(self) -> httpx.Client:
        """A client of the api, without a session."""
        return httpx.Client(base_url=self.whole.url, timeout=20)

    def readiness(self, process: Process) -> tuple[int, dict[str, Any]]:
        """Status and report of a pod's readiness probe."""
        answer = httpx.get(f"http://127.0.0.1:{process.port}/readyz", timeout=10)
        return answer.status_code, dict(answer.json())

    def is_ready(self) -> bool:
        """Both roles want work, and every dependency is as it should be."""
        reports = [self.readiness(process) for process in (self.whole.api, self.whole.worker)]
        return all(status == 200 and set(report.values()) == {"serving", "ok"} for status, report in reports)

    def ends(self, piece: str) -> list[str]:
        """The ends of a piece that its watchers were told of; one, however often its job ran."""
        with contextlib.closing(Redis(port=self.whole.redis.port)) as redis:
            events: Any = redis.xrange(f"progress:{piece}")
        names = [fields[b"name"].decode() for _, fields in events]
        return [name for name in names if name in _ENDS]


@contextmanager
def service(folder: Path, *, modelled: bool = False) -> Iterator[Service]:
    """All of it, ready; ``modelled``: texts come from the model, not from the embedded generator."""
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
