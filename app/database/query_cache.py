"""Query results cached in Redis until their data changes (DBO4).

A result belongs to a *scope*, such as an account. A write to the scope must invalidate it, which removes the
results of this scope, and no others, for all pods. As with :class:`app.cache.Cache`, a result that was loaded
while a write happened is not cached.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar

import msgspec
from redis.asyncio import Redis

from app.cache import Cache, Loaded

T = TypeVar("T")


class QueryCache(Generic[T]):
    """Cache of query results of the type ``kind``. A result expires after ``seconds`` without a write."""

    def __init__(self, redis: Redis, name: str, kind: Any, *, seconds: float = 60.0) -> None:
        decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)
        encoder = msgspec.msgpack.Encoder()
        self.cache: Cache[T] = Cache(
            redis, name, encode=encoder.encode, decode=decoder.decode, in_memory=False
        )
        self._seconds = seconds

    async def fetch(self, scope: str, query: str, run: Callable[[], Awaitable[T]]) -> T:
        """Return the result of ``query``, which identifies it within the scope.

        If it is not cached, ``run`` is called, once for concurrent callers; its errors are raised.
        """

        async def load() -> Loaded[T]:
            return Loaded(await run(), self._seconds)

        return await self.cache.fetch(f"{scope} {query}", load, (scope,))

    async def written(self, *scopes: str) -> None:
        """Invalidate the scopes after a write. Call this before the write is acknowledged to the client."""
        await self.cache.invalidate(*scopes)

    def writing(self, *scopes: str) -> AbstractAsyncContextManager[None]:
        """Invalidate the scopes when the context ends, also after an error, when the outcome is unknown."""
        return self.cache.writing(*scopes)
