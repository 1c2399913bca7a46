"""Ending tasks that run for ever.

Until Python 3.12 `asyncio.wait_for`, through which redis-py sends, returns its result when that and a
cancellation arrive together, and the cancellation is lost. A loop that goes on after it would go on for ever;
the task still knows that it was asked to end.
"""

from __future__ import annotations

import asyncio


def heed() -> None:
    """Raise the ``CancelledError`` that something on the way has swallowed."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def pause(seconds: float) -> None:
    """The rest between two rounds of a loop that runs until it is cancelled, and heeds that."""
    heed()
    await asyncio.sleep(seconds)
