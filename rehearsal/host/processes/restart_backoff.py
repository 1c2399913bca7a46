"""How long to wait before a process that ended is started again."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS = 1.0
MAX_SECONDS = 60.0
# As the kubelet: a container that ran this long has recovered.
RESET_AFTER_SECONDS = 600.0


@dataclass
class Backoff:
    """At once the first time, then 1 s doubling to 60 s; reset after ten minutes of running.

    A kubelet waits 10 s doubling to 5 minutes. Here a user waits, no other tenant shares the machine's
    scheduler, and a replica that was killed has to be back within seconds.
    """

    failures: int = 0

    def next(self, ran_for: float) -> float:
        """Seconds to wait after a run of `ran_for` seconds has ended."""
        if ran_for >= RESET_AFTER_SECONDS:
            self.failures = 0
        self.failures += 1
        if self.failures == 1:
            return 0.0
        return min(FIRST_SECONDS * 2.0 ** (self.failures - 2), MAX_SECONDS)
