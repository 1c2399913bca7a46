"""Restart backoff of processes."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS = 1.0
MAX_SECONDS = 60.0
# As in the kubelet: after this run time a container counts as recovered.
RESET_AFTER_SECONDS = 600.0


@dataclass
class Backoff:
    """No delay at first, then 1 s doubling up to 60 s; reset after ten minutes of running.

    The kubelet waits 10 s, doubling up to 5 minutes. Locally a user waits, and drills expect a killed replica
    to return within seconds.
    """

    failures: int = 0

    def next(self, ran_for: float) -> float:
        """Return the delay in seconds after a run of `ran_for` seconds."""
        if ran_for >= RESET_AFTER_SECONDS:
            self.failures = 0
        self.failures += 1
        if self.failures == 1:
            return 0.0
        return min(FIRST_SECONDS * 2.0 ** (self.failures - 2), MAX_SECONDS)
