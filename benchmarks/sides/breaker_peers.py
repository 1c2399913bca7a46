"""`python -m benchmarks.sides.breaker_peers`: overhead of the closed breakers of purgatory and hyx."""

import json

import uvloop
from hyx.circuitbreaker import consecutive_breaker
from purgatory import AsyncCircuitBreakerFactory

from benchmarks.sides.timing import per_call


async def main() -> dict[str, float]:
    factory = AsyncCircuitBreakerFactory()
    await factory.initialize()

    @factory("bench")
    async def purgatory() -> None:
        pass

    @consecutive_breaker()
    async def hyx() -> None:
        pass

    return {
        "purgatory": await per_call(purgatory, calls=1_000),
        "hyx": await per_call(hyx, calls=1_000),
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main())))
