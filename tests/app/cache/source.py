"""Run as a process: many readers of one key at once, against a source that counts its calls in Redis."""

from __future__ import annotations

import asyncio
import sys

from redis.asyncio import Redis

from app.cache import Cache, Loaded
from app.connections import open_redis
from app.settings import RedisSettings
from tests.support.backends import until


async def main(url: str, readers: int) -> None:
    async with open_redis(RedisSettings(url, None, None)) as redis:
        cache: Cache[bytes] = Cache(redis, "herd", encode=bytes, decode=bytes)
        listening = asyncio.create_task(cache.run())
        await redis.incr("herd:here")
        await until(lambda: everybody_is_here(redis))
        values = await asyncio.gather(*(cache.fetch("key", lambda: load(redis)) for _ in range(readers)))
        assert set(values) == {b"value"}
        listening.cancel()


async def everybody_is_here(redis: Redis) -> bool:
    return int(await redis.get("herd:here") or 0) == 2


async def load(redis: Redis) -> Loaded[bytes]:
    await redis.incr("herd:loads")
    await asyncio.sleep(0.2)  # a slow source, so that the other process reads during the load
    return Loaded(b"value", fresh=60)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
