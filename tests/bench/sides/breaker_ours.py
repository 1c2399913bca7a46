"""`python -m tests.bench.sides.breaker_ours`: what a closed breaker adds to a call that does nothing."""

import contextlib
import json

import uvloop

from app.resilience import Breaker
from tests.bench.sides.timing import per_call


async def nothing() -> None:
    """The guarded call."""


async def main() -> dict[str, float]:
    breaker = Breaker("bench")
    # A window that holds failures too: the dearest state that is still closed.
    worn = Breaker("worn")

    async def fails() -> None:
        raise OSError

    bare = await per_call(nothing, calls=100_000)
    closed = await per_call(lambda: breaker.call(nothing), calls=100_000)
    for _ in range(5):
        with contextlib.suppress(OSError):
            await worn.call(fails)
    after_failures = await per_call(lambda: worn.call(nothing), calls=50, rounds=1)
    return {"bare": bare, "closed": closed, "after failures": after_failures}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main())))
