"""Microseconds of one awaited call, in the fastest of several rounds."""

import time
from collections.abc import Awaitable, Callable


async def per_call(call: Callable[[], Awaitable[object]], *, calls: int, rounds: int = 50) -> float:
    """Return the microseconds per call of the fastest round."""
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(calls):
            await call()
        best = min(best, time.perf_counter() - began)
    return best / calls * 1e6
