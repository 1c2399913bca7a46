"""Writes whose outcome is unknown.

A write that ends with a time-out, a lost connection or a cancellation may have been applied, or may be
applied later: a database that was frozen carries out what is in its sockets when it continues. One
invalidation at the time of the failure does not cover that. While a write is in doubt its names are
invalidated again and again, until the database has answered for :data:`SETTLED_SECONDS` without interruption.
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
    """Whether a write that raised ``error`` may have been applied all the same, or may be later."""
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


class Doubt:
    """Names of writes in doubt, invalidated every :data:`PERIOD_SECONDS` until they are settled.

    ``invalidate`` is called with the names; ``probe`` succeeds when the database answers.
    """

    def __init__(self, invalidate: Callable[[Iterable[str]], Awaitable[None]], probe: Probe) -> None:
        self._invalidate = invalidate
        self._probe = probe
        self._since: dict[str, float] = {}

    def add(self, names: Iterable[str]) -> bool:
        """Add names; ``True`` when :meth:`settle` must be started."""
        idle = not self._since
        self._since.update(dict.fromkeys(names, time.monotonic()))
        return idle

    async def settle(self) -> None:
        """Invalidate until no name is in doubt."""
        answers_since: float | None = None
        while self._since:
            await self._invalidate(list(self._since))
            await asyncio.sleep(PERIOD_SECONDS)
            began = time.monotonic()
            try:
                async with asyncio.timeout(_PROBE_SECONDS):
                    await self._probe()
            except Exception as error:
                if answers_since is not None:
                    log.info("writes in doubt: database unavailable", error=type(error).__name__)
                answers_since = None
                continue
            if answers_since is None:
                answers_since = began
            settled = time.monotonic() - SETTLED_SECONDS
            if answers_since <= settled:
                # Once more after the time is over: what was applied at its very end is covered too.
                await self._invalidate(list(self._since))
                self._since = {name: at for name, at in self._since.items() if at > settled}
