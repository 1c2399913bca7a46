"""`python -m benchmarks.sides.cache.hit_cashews`: a hit in cashews' memory, by `get` and by its decorator."""

import json

import uvloop
from cashews import Cache

from benchmarks.sides import KEYS, VALUE
from benchmarks.sides.timing import per_call


async def main() -> dict[str, float]:
    cache = Cache()
    cache.setup("mem://", size=10_000)
    for key in KEYS:
        await cache.set(key, VALUE, expire=3600)

    @cache(ttl=3600, key="read:{key}")
    async def read(key: str) -> bytes:
        return VALUE

    await read("key500")
    assert await cache.get("key500") == VALUE
    get = await per_call(lambda: cache.get("key500"), calls=1_000)
    decorated = await per_call(lambda: read("key500"), calls=500)
    await cache.close()
    return {"get": get, "decorated": decorated}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main())))
