"""Who goes first."""

from __future__ import annotations

from enum import IntEnum


class Urgency(IntEnum):
    """What is refused last, first. Who cannot sign in or read has no service at all; making can wait."""

    VITAL = 0  # signing in, renewing a session
    READ = 1
    WRITE = 2
    BULK = 3  # generation, uploads, events

    @property
    def share(self) -> float:
        """The share of the pod's room that this and everything less urgent may fill together."""
        return (1.0, 0.9, 0.75, 0.5)[self]
