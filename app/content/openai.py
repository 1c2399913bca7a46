"""Texts from a model behind an OpenAI-compatible address (``POST /chat/completions``, streamed).

The protocol is OpenAI's chat completions with ``stream: true``: server-sent events whose ``data`` is a JSON
chunk with ``choices[0].delta.content``, ended by ``[DONE]``. Many servers speak it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
import msgspec

from app.content.generator import GeneratorDown, GeneratorRefused, Tell
from app.content.schemas import Form
from app.resilience import Breaker, BreakerOpen
from app.settings import GeneratorSettings
from app.telemetry.tracing import announce

_LONGEST_TEXT: Final = 16_000
_LONGEST_LINE: Final = 64_000
_LONGEST_WAIT: Final = 60.0
_TASKS: Final = {
    Form.STORY: "Write a story of three to six sentences on what the user names.",
    Form.CAPTION: "Write a caption of one sentence for a picture of what the user names.",
    Form.VERSE: "Write four short lines of verse on what the user names.",
}
# Anything else of 4xx (an unknown model, a key that is not accepted) is for the operator to put right.
_REFUSALS: Final = frozenset({400, 413, 422})


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = msgspec.field(default_factory=list)


class OpenAI:
    """A generator over HTTP: each text within ``seconds``, and none while the breaker is open."""

    def __init__(self, client: httpx.AsyncClient, breaker: Breaker, *, model: str, seconds: float) -> None:
        self._client = client
        self._breaker = breaker
        self._model = model
        self._seconds = seconds
        self._decoder = msgspec.json.Decoder(_Chunk)

    async def write(self, prompt: str, form: Form, tell: Tell) -> str:
        """As :class:`app.content.generator.Generator` has it."""
        try:
            return await self._breaker.call(self._ask, prompt, form, tell)
        except BreakerOpen as pause:
            raise GeneratorDown(str(pause), pause.retry_after) from pause

    async def _ask(self, prompt: str, form: Form, tell: Tell) -> str:
        wish = {
            "model": self._model,
            "stream": True,
            "max_tokens": 600,
            "messages": [{"role": "system", "content": _TASKS[form]}, {"role": "user", "content": prompt}],
        }
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._client.stream("POST", "chat/completions", json=wish) as response,
            ):
                _check(response)
                return await self._read(response, tell)
        except (httpx.HTTPError, TimeoutError, msgspec.DecodeError) as error:
            raise GeneratorDown(f"{type(error).__name__}: {error}") from error

    async def _read(self, response: httpx.Response, tell: Tell) -> str:
        pieces: list[str] = []
        length = 0
        async for line in _lines(response):
            if not line.startswith("data:"):
                continue
            data = line[5:].strip()
            if data == "[DONE]":
                break
            for choice in self._decoder.decode(data).choices[:1]:
                if choice.finish_reason == "content_filter":
                    raise GeneratorRefused("The generator declines this prompt.")
                if choice.delta.content:
                    pieces.append(choice.delta.content[: _LONGEST_TEXT - length])
                    length += len(pieces[-1])
                    await tell(pieces[-1])
            if length >= _LONGEST_TEXT:
                break
        if not length:
            raise GeneratorDown("the answer had no text")
        return "".join(pieces)


def _check(response: httpx.Response) -> None:
    if response.status_code in _REFUSALS:
        raise GeneratorRefused("The generator declines this prompt.")
    if response.status_code != httpx.codes.OK:
        after = response.headers.get("retry-after", "")
        wait = min(_LONGEST_WAIT, float(after)) if after.isdigit() else None
        raise GeneratorDown(f"the generator answered {response.status_code}", wait)


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    """The lines of an answer, none of them kept beyond a length that no honest chunk has."""
    rest = ""
    async for text in response.aiter_text():
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield line
        if len(rest) > _LONGEST_LINE:
            raise GeneratorDown("a line of the answer never ends")
    if rest:
        yield rest


@asynccontextmanager
async def open_openai(settings: GeneratorSettings, breaker: Breaker) -> AsyncIterator[OpenAI]:
    """The generator of the settings, over verified TLS."""
    headers = {"accept": "text/event-stream"}
    if settings.key is not None:
        headers["authorization"] = f"Bearer {settings.key}"
    async with httpx.AsyncClient(
        base_url=settings.url,
        headers=headers,
        timeout=httpx.Timeout(settings.seconds, connect=3.0, pool=3.0),
        event_hooks={"request": [announce]},
        limits=httpx.Limits(max_connections=16, max_keepalive_connections=8),
    ) as client:
        yield OpenAI(client, breaker, model=settings.model, seconds=settings.seconds)
