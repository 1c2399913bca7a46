"""The generator over HTTP, against a server that speaks the protocol and misbehaves on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from app.content.generator import GeneratorUnavailable, PromptRejected
from app.content.openai import OpenAI, open_openai
from app.content.schemas import Form
from app.resilience import Breaker
from app.resilience.breaker import BreakerConfig, BreakerState
from app.settings import GeneratorSettings

pytestmark = pytest.mark.anyio


def chunk(text: str | None, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    return f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n".encode()


STORY = [chunk("Once "), b": a comment\n\n", chunk("upon "), chunk("a time."), chunk(None, "stop")]
DONE = b"data: [DONE]\n\n"


@dataclass
class Model:
    """A scripted model server that records its requests."""

    status: str = "200 OK"
    headers: str = ""
    pieces: list[bytes] = field(default_factory=lambda: [*STORY, DONE])
    hang: bool = False
    requests: list[tuple[str, dict[str, str], dict[str, object]]] = field(default_factory=list)

    async def response(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append((first, headers, json.loads(body)))
        writer.write(f"HTTP/1.1 {self.status}\r\nconnection: close\r\n{self.headers}\r\n".encode())
        for piece in self.pieces:
            writer.write(piece)
            await writer.drain()
        if self.hang:
            await reader.read()
        writer.close()


@asynccontextmanager
async def generator(
    model: Model, *, seconds: float = 5, thresholds: BreakerConfig | None = None
) -> AsyncIterator[OpenAI]:
    server = await asyncio.start_server(model.response, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = GeneratorSettings(f"http://127.0.0.1:{port}/v1/", "small", seconds, "a key")
    async with server, open_openai(settings, Breaker("generator", thresholds)) as opened:
        yield opened


async def write(opened: OpenAI, fragments: list[str] | None = None) -> str:
    async def collect(piece: str) -> None:
        if fragments is not None:
            fragments.append(piece)

    return await opened.write("a fox", Form.STORY, collect)


async def test_text_is_streamed_in_fragments() -> None:
    model, fragments = Model(), list[str]()
    async with generator(model) as opened:
        assert await write(opened, fragments) == "Once upon a time."
    assert fragments == ["Once ", "upon ", "a time."]
    first, headers, body = model.requests[0]
    assert first == "POST /v1/chat/completions HTTP/1.1"
    assert headers["authorization"] == "Bearer a key"
    assert (body["model"], body["stream"]) == ("small", True)


async def test_chunks_split_at_any_byte_are_decoded() -> None:
    whole = b"".join([*STORY, DONE])
    async with generator(Model(pieces=[bytes([byte]) for byte in whole])) as opened:
        assert await write(opened) == "Once upon a time."


@pytest.mark.parametrize(
    "model",
    [
        Model(status="500 Oops"),
        Model(status="401 No"),
        Model(pieces=[DONE]),
        Model(pieces=[b"data: {not json\n\n"]),
        Model(pieces=[b"data: " + b"x" * 70_000]),
    ],
)
async def test_transient_errors_are_retried(model: Model) -> None:
    async with generator(model) as opened:
        with pytest.raises(GeneratorUnavailable):
            await write(opened)


async def test_retry_after_of_the_generator_is_honored() -> None:
    async with generator(Model(status="429 Slow down", headers="retry-after: 7\r\n")) as opened:
        with pytest.raises(GeneratorUnavailable) as down:
            await write(opened)
    assert down.value.retry_after == 7


@pytest.mark.parametrize(
    "model", [Model(status="400 No"), Model(pieces=[chunk("x", None), chunk(None, "content_filter")])]
)
async def test_rejected_prompt_is_not_retried(model: Model) -> None:
    async with generator(model) as opened:
        with pytest.raises(PromptRejected):
            await write(opened)


async def test_stream_is_aborted_at_the_deadline() -> None:
    async with generator(Model(pieces=STORY[:2], hang=True), seconds=0.3) as opened:
        with pytest.raises(GeneratorUnavailable, match="Timeout"):
            await write(opened)


async def test_text_is_truncated_at_its_maximum_length() -> None:
    async with generator(Model(pieces=[chunk("x" * 1000)] * 100)) as opened:
        assert len(await write(opened)) == 16_000


async def test_breaker_opens_for_a_failing_generator() -> None:
    model = Model(status="500 Oops")
    thresholds = BreakerConfig(window=4, minimum=4, open_initial=60)
    async with generator(model, thresholds=thresholds) as opened:
        for _ in range(6):
            with pytest.raises(GeneratorUnavailable) as down:
                await write(opened)
        assert len(model.requests) == 4
        assert down.value.retry_after is not None
        assert opened._breaker.state is BreakerState.OPEN
