"""Texts from a model behind an OpenAI-compatible API (``POST /chat/completions``, streamed).

The protocol is OpenAI's chat completions with ``stream: true``: server-sent events whose ``data`` is a JSON
chunk with ``choices[0].delta.content``, ended by ``[DONE]``. Many servers implement it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
import msgspec

from app.content.generator import GeneratorUnavailable, PromptRejected, TextCallback
from app.content.schemas import Form
from app.resilience import Breaker, BreakerOpen
from app.resilience.http_transport import PooledTransport
from app.settings import GeneratorSettings
from app.telemetry.tracing import add_headers

_MAX_TEXT_LENGTH: Final = 16_000
_MAX_LINE_LENGTH: Final = 64_000
_MAX_RETRY_AFTER: Final = 60.0
_SILENCE_SECONDS: Final = 10.0
_TASKS: Final = {
    Form.STORY: "Write a story of three to six sentences on the subject named by the user.",
    Form.CAPTION: "Write a caption of one sentence for an image of the subject named by the user.",
    Form.VERSE: "Write four short lines of verse on the subject named by the user.",
}
# Other 4xx statuses (unknown model, invalid key) are configuration errors, so the job waits for an operator.
_REFUSALS: Final = frozenset({400, 413, 422})


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = msgspec.field(default_factory=list)


class OpenAI:
    """A generator over HTTP. ``seconds`` limits each text; while the breaker is open, no request is sent.

    A generator that sends nothing for 10 seconds counts as hung: waiting for ``seconds`` would block the
    slots of the worker for its other jobs.
    """

    def __init__(self, client: httpx.AsyncClient, breaker: Breaker, *, model: str, seconds: float) -> None:
        self._client = client
        self._breaker = breaker
        self._model = model
        self._seconds = seconds
        self._decoder = msgspec.json.Decoder(_Chunk)

    async def write(self, prompt: str, form: Form, on_text: TextCallback) -> str:
        """See :meth:`app.content.generator.Generator.write`."""
        try:
            return await self._breaker.call(self._request, prompt, form, on_text)
        except BreakerOpen as rejection:
            raise GeneratorUnavailable(str(rejection), rejection.retry_after) from rejection

    async def _request(self, prompt: str, form: Form, on_text: TextCallback) -> str:
        payload = {
            "model": self._model,
            "stream": True,
            "max_tokens": 600,
            "messages": [{"role": "system", "content": _TASKS[form]}, {"role": "user", "content": prompt}],
        }
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._client.stream("POST", "chat/completions", json=payload) as response,
            ):
                _check(response)
                return await self._read(response, on_text)
        except (httpx.HTTPError, TimeoutError, msgspec.DecodeError) as error:
            raise GeneratorUnavailable(f"{type(error).__name__}: {error}") from error

    async def _read(self, response: httpx.Response, on_text: TextCallback) -> str:
        fragments: list[str] = []
        length = 0
        async for line in _lines(response):
            if not line.startswith("data:"):
                continue
            data = line[5:].strip()
            if data == "[DONE]":
                break
            for choice in self._decoder.decode(data).choices[:1]:
                if choice.finish_reason == "content_filter":
                    raise PromptRejected("The generator rejected this prompt.")
                if choice.delta.content:
                    fragments.append(choice.delta.content[: _MAX_TEXT_LENGTH - length])
                    length += len(fragments[-1])
                    await on_text(fragments[-1])
            if length >= _MAX_TEXT_LENGTH:
                break
        if not length:
            raise GeneratorUnavailable("the response contained no text")
        return "".join(fragments)


def _check(response: httpx.Response) -> None:
    if response.status_code in _REFUSALS:
        raise PromptRejected("The generator rejected this prompt.")
    if response.status_code != httpx.codes.OK:
        retry_after = response.headers.get("retry-after", "")
        seconds = min(_MAX_RETRY_AFTER, float(retry_after)) if retry_after.isdigit() else None
        raise GeneratorUnavailable(f"the generator responded with status {response.status_code}", seconds)


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    """Yield the lines of a response. Raises :class:`GeneratorUnavailable` for a line over the length
    limit.
    """
    rest = ""
    async for text in response.aiter_text():
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield line
        if len(rest) > _MAX_LINE_LENGTH:
            raise GeneratorUnavailable("a line of the response exceeds the length limit")
    if rest:
        yield rest


@asynccontextmanager
async def open_openai(settings: GeneratorSettings, breaker: Breaker) -> AsyncIterator[OpenAI]:
    """Open the generator of the settings, over verified TLS."""
    headers = {"accept": "text/event-stream"}
    if settings.key is not None:
        headers["authorization"] = f"Bearer {settings.key}"
    async with httpx.AsyncClient(
        base_url=settings.url,
        headers=headers,
        timeout=httpx.Timeout(min(settings.seconds, _SILENCE_SECONDS), connect=3.0, pool=3.0),
        event_hooks={"request": [add_headers]},
        transport=PooledTransport(httpx.Limits(max_connections=16, max_keepalive_connections=8)),
    ) as client:
        yield OpenAI(client, breaker, model=settings.model, seconds=settings.seconds)
