"""`python -m benchmarks.sides.limits_ours URL DECISIONS`: decisions per second of `app.rate_limits`.

Exact: each decision calls Redis. Leased: decisions use leased tokens, as most requests of the service do.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator

import uvloop

from app.connections import open_redis
from app.rate_limits import DecisionMode, Limiter, Rule
from app.settings import RedisSettings
from benchmarks.sides import ACCOUNTS, CALLERS, LIMIT


async def main(url: str, count: int) -> dict[str, float]:
    async with open_redis(RedisSettings(url, None, None)) as redis:
        figures: dict[str, float] = {}
        for mode, lease in (("exact", 1), ("leased", LIMIT // 20)):
            rules = [
                Rule(f"{mode}-{name}", limit=LIMIT, window=3600.0, local_limit=1, lease=lease)
                for name in ("account", "class", "address")
            ]
            limiter = Limiter(redis)
            numbers = iter(range(count if lease == 1 else 10 * count))

            async def caller(
                rules: list[Rule] = rules, limiter: Limiter = limiter, numbers: Iterator[int] = numbers
            ) -> None:
                account, kind, address = rules
                for number in numbers:
                    name = str(number % ACCOUNTS)
                    demand = ((account, name), (kind, name), (address, name))
                    assert (await limiter.decide(demand)).allowed, limiter.counts

            began = time.perf_counter()
            await asyncio.gather(*(caller() for _ in range(CALLERS)))
            figures[mode] = sum(limiter.counts.values()) / (time.perf_counter() - began)
            if lease == 1:
                assert limiter.counts[DecisionMode.REMOTE] == count
            else:
                figures["called"] = limiter.counts[DecisionMode.REMOTE] / sum(limiter.counts.values())
        return figures


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(sys.argv[1], int(sys.argv[2])))))
