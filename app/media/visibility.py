"""Which images are public, decided for every request of a signed URL.

A signature says that a URL was issued; it does not say that the content is still published or that the
upload still exists. The decision is cached under the id, and withdrawing or deleting invalidates it, so that
a signed URL stops working in every pod at once, and copies at the edge expire within
:data:`MAX_CACHED_SECONDS`.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final

from redis.asyncio import Redis

from app.cache import Cache, Loaded
from app.connections import Database

# How long an edge or a device may show an image after it was withdrawn or deleted.
MAX_CACHED_SECONDS: Final = 300
_FRESH_SECONDS: Final = 300.0
# Without MongoDB, images that were public lately are still delivered.
_STALE_SECONDS: Final = 3600.0
_ABSENT_SECONDS: Final = 60.0


class Visibility:
    """Public state of images by the id of their content or upload."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self._contents = database["contents"]
        self._media = database["media"]
        self.cache: Cache[bool] = Cache(redis, "visibility", encode=_encode, decode=_decode)

    async def is_public(self, image_id: str) -> bool:
        """Whether the content of that id is published, or an upload of that id exists."""

        async def load() -> Loaded[bool]:
            if await self._is_public(image_id):
                return Loaded(True, _FRESH_SECONDS, _STALE_SECONDS)
            return Loaded(False, _ABSENT_SECONDS)

        return await self.cache.fetch(image_id, load)

    def writing(self, image_id: str) -> AbstractAsyncContextManager[None]:
        """Around a write that publishes, withdraws or deletes."""
        return self.cache.writing(image_id)

    async def _is_public(self, image_id: str) -> bool:
        content = await self._contents.find_one({"_id": image_id}, {"published": 1})
        if content is not None:
            return bool(content.get("published"))
        return await self._media.find_one({"_id": image_id}, {"_id": 1}) is not None


def _encode(public: bool) -> bytes:
    return b"1" if public else b"0"


def _decode(data: bytes) -> bool:
    return data == b"1"
