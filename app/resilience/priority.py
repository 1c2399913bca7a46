"""Priority classes of requests."""

from __future__ import annotations

from enum import IntEnum


class RequestPriority(IntEnum):
    """Priority of a request under overload: lower classes are rejected first (criticality, Google SRE
    book).
    """

    CRITICAL = 0  # sign-in, token refresh
    READ = 1
    WRITE = 2
    BULK = 3  # generation, uploads, events, exports

    @property
    def share(self) -> float:
        """Share of the concurrency limit that this and all lower classes may use together."""
        return (1.0, 0.9, 0.75, 0.5)[self]
