"""Objects of the bucket as streams that hold no connection to the storage while their reader waits.

A pod has a few connections to the storage. A client that does not read its response would hold one of them,
and a few dozen such clients all of them. So a connection is closed when the reader stalls, and the rest of
the object is opened when the reader continues: objects never change.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Final

from app.http.responses import Stream
from app.storage import Bucket, Found

STALL_SECONDS: Final = 1.0
_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(?:\d+|\*)", re.ASCII)


class ObjectStream:
    """The object ``name``, of which ``found`` was opened."""

    def __init__(self, bucket: Bucket, name: str, found: Found) -> None:
        self._bucket = bucket
        self._name = name
        self._found = found
        opened = _RANGE.fullmatch(found.range or "")
        self._position = int(opened[1]) if opened else 0  # of the next byte in the object
        # Without a known end, the rest of an object cannot be requested.
        self._last = int(opened[2]) if opened else None if found.length is None else found.length - 1
        self._releasing: asyncio.Future[None] | None = None

    def stream(self) -> Stream:
        """Return the body of a response."""
        return Stream(self._chunks(), length=self._found.length, release=self._release)

    async def _chunks(self) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        while True:
            async for chunk in self._found.chunks:
                self._position += len(chunk)
                stalled = None if self._last is None else loop.call_later(STALL_SECONDS, self._begin_release)
                try:
                    yield chunk
                finally:
                    if stalled is not None:
                        stalled.cancel()
                if self._releasing is not None:
                    break
            else:
                return
            await self._release()
            self._releasing = None
            if self._last is None or self._position > self._last:
                return
            self._found = await self._bucket.open(self._name, f"bytes={self._position}-{self._last}")

    def _begin_release(self) -> None:
        self._releasing = asyncio.ensure_future(self._found.release())

    async def _release(self) -> None:
        if self._releasing is not None:
            await self._releasing
        await self._found.chunks.aclose()
        await self._found.release()
