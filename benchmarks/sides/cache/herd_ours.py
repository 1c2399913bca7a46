"""`python -m benchmarks.sides.cache.herd_ours URL READERS`: half of a herd that reads one missing key."""

import asyncio
import json
import sys
import time

import uvloop

from app.cache import Cache, Loaded
from app.connections import open_redis
from app.settings import RedisSettings
from tests.support.backends import until


async def main(url: str, readers: int) -> dict[str, float]:
    async with open_redis(RedisSettings(url, None, None)) as redis:
        cache: Cache[bytes] = Cache(redis, "herd", encode=bytes, decode=bytes)
        listening = asyncio.create_task(cache.run())
        await until(lambda: cache.receives_invalidations)

        async def load() -> Loaded[bytes]:
            await redis.incr("herd:loads")
            await asyncio.sleep(0.2)
            return Loaded(b"value", fresh=60)

        async def both() -> bool:
            return int(await redis.get("herd:here") or 0) == 2

        await redis.incr("herd:here")
        await until(both)
        began = time.perf_counter()
        values = await asyncio.gather(*(cache.fetch("key", load) for _ in range(readers)))
        took = time.perf_counter() - began
        assert set(values) == {b"value"}
        listening.cancel()
        return {"loads": float(await redis.get("herd:loads") or 0), "seconds": took}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(sys.argv[1], int(sys.argv[2])))))
