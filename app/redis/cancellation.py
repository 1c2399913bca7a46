"""Cancellation of long-running loops.

Before Python 3.12, ``asyncio.wait_for``, which redis-py uses to send commands, drops a cancellation that
arrives together with its result. A loop that continues afterwards would never end, but ``Task.cancelling``
still counts the request.
"""

from __future__ import annotations

import asyncio


def raise_if_cancelled() -> None:
    """Raise ``CancelledError`` if a cancellation of the current task was swallowed."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def pause(seconds: float) -> None:
    """Sleep between the rounds of a loop that runs until cancelled; raises a swallowed cancellation."""
    raise_if_cancelled()
    await asyncio.sleep(seconds)
