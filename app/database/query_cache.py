"""Results of queries, kept in the process and in Redis until something they rest on is written (DBO4).

Invalidation is exact: a result belongs to a *scope* (an account, say), whoever writes to the scope says so,
and every result of that scope, and none of another, is gone in every pod. What
:class:`app.cache.Cache` promises holds here: a query that a write overtook is asked again and never kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar

import msgspec
from redis.asyncio import Redis

from app.cache import Cache, Loaded

T = TypeVar("T")


class Results(Generic[T]):
    """Results of one kind. ``seconds`` bounds how long one is kept when nothing is written."""

    def __init__(self, redis: Redis, name: str, kind: Any, *, seconds: float = 60.0) -> None:
        decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)
        self.cache: Cache[T] = Cache(
            redis, name, encode=msgspec.msgpack.Encoder().encode, decode=decoder.decode
        )
        self._seconds = seconds

    async def fetch(self, scope: str, question: str, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer to a question about a scope; asked of the database by one caller for all."""

        async def load() -> Loaded[T]:
            return Loaded(await ask(), self._seconds)

        return await self.cache.fetch(f"{scope} {question}", load, (scope,))

    async def written(self, *scopes: str) -> None:
        """Something in these scopes has been written: call it after the write, before it is acknowledged."""
        await self.cache.invalidate(*scopes)

    def writing(self, *scopes: str) -> AbstractAsyncContextManager[None]:
        """Around a write to these scopes: as :meth:`written`, and also when its outcome is unknown."""
        return self.cache.writing(*scopes)
