"""`python -m benchmarks.sides.cache.hit_aiocache`: a hit in aiocache's memory."""

import json

import uvloop
from aiocache import SimpleMemoryCache

from benchmarks.sides import KEYS, VALUE
from benchmarks.sides.timing import per_call


async def main() -> dict[str, float]:
    cache = SimpleMemoryCache()
    for key in KEYS:
        await cache.set(key, VALUE, ttl=3600)
    assert await cache.get("key500") == VALUE
    return {"get": await per_call(lambda: cache.get("key500"), calls=1_000)}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main())))
