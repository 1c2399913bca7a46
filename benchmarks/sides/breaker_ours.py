"""`python -m benchmarks.sides.breaker_ours`: overhead of a closed breaker on a call that does nothing."""

import json

import uvloop

from app.resilience import Breaker
from benchmarks.sides.timing import per_call


async def nothing() -> None:
    """The guarded call."""


async def main() -> dict[str, float]:
    breaker = Breaker("bench")
    bare = await per_call(nothing, calls=5_000)
    closed = await per_call(lambda: breaker.call(nothing), calls=5_000)
    return {"bare": bare, "closed": closed}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main())))
