"""Generation progress of a content item as a stream of server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Final

from app.content.progress import FIRST, ProgressEvent, position
from app.content.schemas import ContentState
from app.http.responses import encode
from app.http.routing import RequestContext, RequestHeader, Response, Stream

LAST_EVENT_ID: Final = RequestHeader("Last-Event-ID", "ID of the last received event.")
_LIFETIME_SECONDS: Final = 25.0  # the load balancer closes requests after 30 s
_POLL_SECONDS: Final = 3.0
_HEADERS: Final = ((b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))
_FINAL_EVENTS: Final = frozenset({ContentState.READY.value, ContentState.FAILED.value})


async def follow(context: RequestContext, content_id: str) -> Response[Stream | None]:
    """Return the event stream of a content item, resumed after the client's ``Last-Event-ID``. Raises
    :class:`Problem` (404, 429, 503).
    """
    services = context.services
    content = await services.contents.read(context.session.account, content_id)
    last_event_id = context.header(b"last-event-id")
    after = position(last_event_id)
    if content.state is not ContentState.QUEUED and after != FIRST:
        missed = await services.progress.read(content_id, after)
        if not missed:
            return Response(None, status=204)  # stops the reconnection of a browser's EventSource
    cleanup = AsyncExitStack()
    changed = cleanup.enter_context(services.progress.subscribe(context.session.account, content_id))
    stream = Stream(_events(context, content_id, after, changed), release=cleanup.aclose)
    return Response(stream, headers=_HEADERS)


async def _events(
    context: RequestContext, content_id: str, after: str, changed: asyncio.Event
) -> AsyncGenerator[bytes]:
    services = context.services
    deadline = time.monotonic() + _LIFETIME_SECONDS
    yield b"retry: 1000\n\n"
    due = True
    while not services.progress.closing and time.monotonic() < deadline:
        changed.clear()
        for event in await services.progress.read(content_id, after):
            after = event.id
            yield _render(event)
            if event.name in _FINAL_EVENTS:
                return
        if due:
            content = await services.contents.read(context.session.account, content_id)
            if content.state is not ContentState.QUEUED:
                # The final event was lost or not published yet; the document contains its data.
                yield _render(ProgressEvent("", content.state.value, encode(content)))
                return
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await changed.wait()
            due = False  # a notification announces an event, and the document is polled
        except TimeoutError:
            # An SSE comment keeps proxies from closing the stream, and reveals disconnected clients.
            yield b":\n\n"
            due = True


def _render(event: ProgressEvent) -> bytes:
    # JSON data contains no line breaks, and event names are constants of this service.
    id_line = b"id: %s\n" % event.id.encode() if event.id else b""
    return b"%sevent: %s\ndata: %s\n\n" % (id_line, event.name.encode(), event.data)
