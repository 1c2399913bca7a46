"""Timing of a graceful stop, derived from two settings.

A replica that receives SIGTERM becomes unready at once and continues to serve for `drain_seconds`, because
the load balancer sends requests until its health check fails; the probe interval is short enough for that.
Then the replica finishes requests in progress, for at most `request_seconds`. Only after that may the kubelet
kill it.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.settings.service import WorkloadSettings

MARGIN_SECONDS = 5  # for closing connections and flushing logs
PROBE_FAILURES = 2  # consecutive failed probes that take a replica out of rotation


@dataclass(frozen=True, slots=True)
class Termination:
    """Durations in seconds: `drain` and `finish`, within `grace`.

    `probe` is the interval of readiness probes.
    """

    drain: int
    finish: int
    grace: int
    probe: int

    @property
    def probe_timeout(self) -> int:
        """Seconds that the kubelet and the load balancer wait for the readiness response."""
        return min(2, self.probe)

    @property
    def dependency_check(self) -> float:
        """Seconds after which the service counts a dependency as unavailable.

        Less than `probe_timeout`, so that the readiness response is in time even if it waits for the check.
        """
        return 0.8 * self.probe_timeout

    @classmethod
    def of(cls, settings: WorkloadSettings) -> Termination:
        """Derive the durations from the two settings."""
        drain, finish = settings.drain_seconds, settings.request_seconds
        # One interval more than the failures: the first probe may have been sent just before the stop.
        return cls(drain, finish, drain + finish + MARGIN_SECONDS, max(drain // (PROBE_FAILURES + 1), 1))
