"""Visibility of images, checked on every request of a signed URL.

A valid signature only proves that a URL was issued, not that the content is still published or the upload
still exists. The result is cached by ID; withdrawing or deleting invalidates it, so a signed URL stops
working in every pod at once, and edge copies expire within :data:`MAX_CACHED_SECONDS`.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final

from redis.asyncio import Redis

from app.cache import Cache, Loaded
from app.connections import Database

# Seconds for which an edge cache or a device may show an image after it was withdrawn or deleted.
MAX_CACHED_SECONDS: Final = 300
_FRESH_SECONDS: Final = 300.0
# While MongoDB is unavailable, images that were public recently are still delivered.
_STALE_SECONDS: Final = 3600.0
_ABSENT_SECONDS: Final = 60.0


class Visibility:
    """Whether images are public, by the ID of their content or upload."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self._contents = database["contents"]
        self._media = database["media"]
        self.cache: Cache[bool] = Cache(redis, "visibility", encode=_encode, decode=_decode)

    async def is_public(self, image_id: str) -> bool:
        """Return whether the content with this ID is published, or an upload with this ID exists."""

        async def load() -> Loaded[bool]:
            if await self._is_public(image_id):
                return Loaded(True, _FRESH_SECONDS, _STALE_SECONDS)
            return Loaded(False, _ABSENT_SECONDS)

        return await self.cache.fetch(image_id, load)

    def writing(self, *image_ids: str) -> AbstractAsyncContextManager[None]:
        """Context manager around a write that publishes, withdraws or deletes: invalidates the cached
        results.
        """
        return self.cache.writing(*image_ids)

    async def _is_public(self, image_id: str) -> bool:
        content = await self._contents.find_one({"_id": image_id}, {"published": 1})
        if content is not None:
            return bool(content.get("published"))
        return await self._media.find_one({"_id": image_id}, {"_id": 1}) is not None


def _encode(public: bool) -> bytes:
    return b"1" if public else b"0"


def _decode(data: bytes) -> bool:
    return data == b"1"
