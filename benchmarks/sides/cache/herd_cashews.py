"""`python -m benchmarks.sides.cache.herd_cashews URL READERS`: half of a herd, with the lock of cashews."""

import asyncio
import json
import sys
import time

import uvloop
from cashews import Cache


async def main(url: str, readers: int) -> dict[str, float]:
    cache = Cache()
    cache.setup(url)
    counts = Cache()
    counts.setup(url)

    @cache(ttl=60, key="herd", lock=True)
    async def read() -> bytes:
        await counts.incr("herd:loads")
        await asyncio.sleep(0.2)
        return b"value"

    await counts.incr("herd:here")
    while int(await counts.incr("herd:here", 0)) < 2:  # noqa: ASYNC110 (the other is another process)
        await asyncio.sleep(0.002)
    began = time.perf_counter()
    values = await asyncio.gather(*(read() for _ in range(readers)))
    assert set(values) == {b"value"}
    took = time.perf_counter() - began
    loads = float(await counts.incr("herd:loads", 0))
    await cache.close()
    await counts.close()
    return {"loads": loads, "seconds": took}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(sys.argv[1], int(sys.argv[2])))))
