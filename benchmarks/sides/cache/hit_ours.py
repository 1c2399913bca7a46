"""`python -m benchmarks.sides.cache.hit_ours URL`: a hit in the memory layer of `app.cache`."""

import asyncio
import json
import sys

import uvloop

from app.cache import Cache, Loaded
from app.connections import open_redis
from app.settings import RedisSettings
from benchmarks.sides import KEYS, VALUE
from benchmarks.sides.timing import per_call
from tests.support.backends import until


async def load() -> Loaded[bytes]:
    """Load a value from the source."""
    return Loaded(VALUE, fresh=3600.0, stale=3600.0)


async def main(url: str) -> dict[str, float]:
    async with open_redis(RedisSettings(url, None, None)) as redis:
        cache: Cache[bytes] = Cache(redis, "bench", encode=bytes, decode=bytes)
        listening = asyncio.create_task(cache.run())
        await until(lambda: cache.receives_invalidations)
        for key in KEYS:
            await cache.fetch(key, load)
        loads = cache.counts.loads
        hit = await per_call(lambda: cache.fetch("key500", load), calls=5_000)
        assert cache.counts.loads == loads
        listening.cancel()
        return {"hit": hit}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(sys.argv[1]))))
