"""`python -m benchmarks.sides.limits_grants URL LIMIT LEASE WINDOW SECONDS FILE`: one of several pods.

The pods take tokens of one subject at maximum speed. Each writes to FILE, for every grant, when it was
requested and received, in seconds of the machine's monotonic clock.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import uvloop

from app.connections import open_redis
from app.rate_limits import Limiter, Rule
from app.settings import RedisSettings


async def main(url: str, rule: Rule, seconds: float) -> list[tuple[float, float]]:
    spans: list[tuple[float, float]] = []
    async with open_redis(RedisSettings(url, None, None)) as redis:
        limiter = Limiter(redis)
        demand = ((rule, "ada"),)
        end = time.monotonic() + seconds
        while (requested := time.monotonic()) < end:
            if (await limiter.decide(demand)).allowed:
                spans.append((requested, time.monotonic()))
            await asyncio.sleep(0)
    return spans


if __name__ == "__main__":
    limit, lease, window, seconds = (float(word) for word in sys.argv[2:6])
    rule = Rule("grants", limit=int(limit), window=window, local_limit=1, lease=int(lease))
    Path(sys.argv[6]).write_text(json.dumps(uvloop.run(main(sys.argv[1], rule, seconds))))
