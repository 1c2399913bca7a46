"""Invalidation for writes whose outcome is unknown.

A write that ends with a timeout, a lost connection or a cancellation may have been applied, or may be applied
later: a frozen database processes its socket buffers when it resumes. One invalidation at the time of the
failure does not cover that. The names of such a write are therefore invalidated repeatedly until the database
has responded for :data:`SETTLED_SECONDS` without interruption.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

log = structlog.get_logger()

PERIOD_SECONDS: Final = 1.0
SETTLED_SECONDS: Final = 5.0
_PROBE_SECONDS: Final = 1.0
_LABELS: Final = ("UnknownTransactionCommitResult", "RetryableWriteError")

Probe = Callable[[], Awaitable[object]]


def is_outcome_unknown(error: BaseException) -> bool:
    """Return whether a write that raised ``error`` may have been applied or may be applied later."""
    if isinstance(error, PyMongoError):
        return (
            isinstance(error, ConnectionFailure)
            or error.timeout
            or any(error.has_error_label(label) for label in _LABELS)
            or (
                isinstance(error, OperationFailure) and error.code in {64, 100}
            )  # write concern not satisfied
        )
    return isinstance(error, asyncio.CancelledError | TimeoutError)


class UncertainWrites:
    """Names of writes with an unknown outcome, invalidated every :data:`PERIOD_SECONDS` until settled.

    ``invalidate`` is called with the names; ``probe`` succeeds if the database responds.
    """

    def __init__(self, invalidate: Callable[[Iterable[str]], Awaitable[None]], probe: Probe) -> None:
        self._invalidate = invalidate
        self._probe = probe
        self._failed_at: dict[str, float] = {}

    def add(self, names: Iterable[str]) -> bool:
        """Add names. Return whether :meth:`settle` must be started."""
        idle = not self._failed_at
        self._failed_at.update(dict.fromkeys(names, time.monotonic()))
        return idle

    async def settle(self) -> None:
        """Invalidate repeatedly until no name is left."""
        available_since: float | None = None
        while self._failed_at:
            await self._invalidate(list(self._failed_at))
            await asyncio.sleep(PERIOD_SECONDS)
            began = time.monotonic()
            try:
                async with asyncio.timeout(_PROBE_SECONDS):
                    await self._probe()
            except Exception as error:
                if available_since is not None:
                    log.info("uncertain writes not settled: database unavailable", error=type(error).__name__)
                available_since = None
                continue
            if available_since is None:
                available_since = began
            settled = time.monotonic() - SETTLED_SECONDS
            if available_since <= settled:
                # A last invalidation covers writes that were applied at the end of the period.
                await self._invalidate(list(self._failed_at))
                self._failed_at = {name: at for name, at in self._failed_at.items() if at > settled}
