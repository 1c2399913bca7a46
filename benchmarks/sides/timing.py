"""Microseconds of one awaited call, of the quickest of several rounds."""

import time
from collections.abc import Awaitable, Callable


async def per_call(call: Callable[[], Awaitable[object]], *, calls: int, rounds: int = 50) -> float:
    """Of the quickest round."""
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(calls):
            await call()
        best = min(best, time.perf_counter() - began)
    return best / calls * 1e6
