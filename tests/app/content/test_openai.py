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
    """What the server answers, and what it was asked."""

    status: str = "200 OK"
    headers: str = ""
    pieces: list[bytes] = field(default_factory=lambda: [*STORY, DONE])
    hang: bool = False
    asked: list[tuple[str, dict[str, str], dict[str, object]]] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append((first, headers, json.loads(body)))
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
    server = await asyncio.start_server(model.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = GeneratorSettings(f"http://127.0.0.1:{port}/v1/", "small", seconds, "a key")
    async with server, open_openai(settings, Breaker("generator", thresholds)) as opened:
        yield opened


async def write(opened: OpenAI, told: list[str] | None = None) -> str:
    async def tell(piece: str) -> None:
        if told is not None:
            told.append(piece)

    return await opened.write("a fox", Form.STORY, tell)


async def test_a_text_is_read_piece_by_piece() -> None:
    model, told = Model(), list[str]()
    async with generator(model) as opened:
        assert await write(opened, told) == "Once upon a time."
    assert told == ["Once ", "upon ", "a time."]
    first, headers, body = model.asked[0]
    assert first == "POST /v1/chat/completions HTTP/1.1"
    assert headers["authorization"] == "Bearer a key"
    assert (body["model"], body["stream"]) == ("small", True)


async def test_chunks_may_be_cut_anywhere() -> None:
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
async def test_what_may_pass_is_tried_again(model: Model) -> None:
    async with generator(model) as opened:
        with pytest.raises(GeneratorUnavailable):
            await write(opened)


async def test_the_generator_may_say_when() -> None:
    async with generator(Model(status="429 Slow down", headers="retry-after: 7\r\n")) as opened:
        with pytest.raises(GeneratorUnavailable) as down:
            await write(opened)
    assert down.value.retry_after == 7


@pytest.mark.parametrize(
    "model", [Model(status="400 No"), Model(pieces=[chunk("x", None), chunk(None, "content_filter")])]
)
async def test_a_refusal_is_final(model: Model) -> None:
    async with generator(model) as opened:
        with pytest.raises(PromptRejected):
            await write(opened)


async def test_a_text_that_does_not_end_is_given_up_at_the_deadline() -> None:
    async with generator(Model(pieces=STORY[:2], hang=True), seconds=0.3) as opened:
        with pytest.raises(GeneratorUnavailable, match="Timeout"):
            await write(opened)


async def test_a_text_without_end_is_cut() -> None:
    async with generator(Model(pieces=[chunk("x" * 1000)] * 100)) as opened:
        assert len(await write(opened)) == 16_000


async def test_a_generator_that_fails_is_left_alone() -> None:
    model = Model(status="500 Oops")
    thresholds = BreakerConfig(window=4, minimum=4, open_initial=60)
    async with generator(model, thresholds=thresholds) as opened:
        for _ in range(6):
            with pytest.raises(GeneratorUnavailable) as down:
                await write(opened)
        assert len(model.asked) == 4
        assert down.value.retry_after is not None
        assert opened._breaker.state is BreakerState.OPEN
