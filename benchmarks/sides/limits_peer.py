"""`python -m benchmarks.sides.limits_peer URL DECISIONS`: decisions per second of `limits`, three hits each.

Measured with its fixed window, the cheapest of its strategies, and with its moving window, the exact one.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator

import uvloop
from limits import RateLimitItemPerHour
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, RateLimiter

from benchmarks.sides import ACCOUNTS, CALLERS, LIMIT


async def main(url: str, count: int) -> dict[str, float]:
    storage = RedisStorage(f"async+{url}", implementation="redispy")
    rule = RateLimitItemPerHour(LIMIT)
    figures: dict[str, float] = {}
    strategies: dict[str, RateLimiter] = {
        "fixed": FixedWindowRateLimiter(storage),
        "moving": MovingWindowRateLimiter(storage),
    }
    for name, limiter in strategies.items():
        numbers = iter(range(count))

        async def caller(
            limiter: RateLimiter = limiter, numbers: Iterator[int] = numbers, name: str = name
        ) -> None:
            for number in numbers:
                who = str(number % ACCOUNTS)
                assert await limiter.hit(rule, name, "account", who)
                assert await limiter.hit(rule, name, "class", who)
                assert await limiter.hit(rule, name, "address", who)

        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        figures[name] = count / (time.perf_counter() - began)
    return figures


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(sys.argv[1], int(sys.argv[2])))))
