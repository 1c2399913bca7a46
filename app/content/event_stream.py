"""The events of a piece of content, as a stream of server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Final

from app.content.progress import FIRST, Event, position
from app.content.schemas import ContentState
from app.http.responses import encode
from app.http.routing import Answer, Call, RequestHeader, Stream

LAST_EVENT_ID: Final = RequestHeader("Last-Event-ID", "The id of the last event that arrived.")
_LIFETIME_SECONDS: Final = 25.0  # the load balancer in front cuts a request after 30
_LOOK_SECONDS: Final = 3.0
_HEADERS: Final = ((b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))
_LAST: Final = frozenset({ContentState.READY.value, ContentState.FAILED.value})


async def follow(call: Call, content_id: str) -> Answer[Stream | None]:
    """The stream of a piece of the caller's, from where the caller was."""
    services = call.services
    content = await services.contents.read(call.session.account, content_id)
    said = call.header(b"last-event-id")
    after = position(said)
    if content.state is not ContentState.QUEUED and after != FIRST:
        missed = await services.progress.read(content_id, after)
        if not missed:
            return Answer(None, status=204)  # tells a browser's EventSource not to come back
    place = AsyncExitStack()
    bell = place.enter_context(services.progress.watching(call.session.account, content_id))
    stream = Stream(_events(call, content_id, after, bell), release=place.aclose)
    return Answer(stream, headers=_HEADERS)


async def _events(call: Call, content_id: str, after: str, bell: asyncio.Event) -> AsyncGenerator[bytes]:
    services = call.services
    end = time.monotonic() + _LIFETIME_SECONDS
    yield b"retry: 1000\n\n"
    while not services.progress.closing and time.monotonic() < end:
        bell.clear()
        for event in await services.progress.read(content_id, after):
            after = event.at
            yield _render(event)
            if event.name in _LAST:
                return
        content = await services.contents.read(call.session.account, content_id)
        if content.state is not ContentState.QUEUED:
            # The last event was lost, or is about to come: either way this is what it says.
            yield _render(Event("", content.state.value, encode(content)))
            return
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await bell.wait()
        except TimeoutError:
            yield b":\n\n"  # a comment: keeps what stands between from closing, and finds a dead client


def _render(event: Event) -> bytes:
    # The data is JSON, which has no line breaks of its own; the names are ours.
    place = b"id: %s\n" % event.at.encode() if event.at else b""
    return b"%sevent: %s\ndata: %s\n\n" % (place, event.name.encode(), event.data)
