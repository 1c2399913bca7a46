"""The arithmetic of a graceful stop, from two settings.

A replica that is told to stop turns unready at once and keeps serving for `drain_seconds`, because the load
balancer goes on sending until its health check notices. Then it finishes what it has, for `request_seconds`
at most. Only after that may the kubelet kill it.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.service_settings import WorkloadSettings

MARGIN_SECONDS = 5  # closing connections and flushing logs
PROBE_SECONDS = 5  # how often readiness is asked
PROBE_FAILURES = 2  # answers of "not ready" before a replica leaves the balance


@dataclass(frozen=True, slots=True)
class Termination:
    """Seconds of each step: `drain` then `finish`, within `grace`."""

    drain: int
    finish: int
    grace: int

    @classmethod
    def of(cls, settings: WorkloadSettings) -> Termination:
        """Derive the steps."""
        drain, finish = settings.drain_seconds, settings.request_seconds
        return cls(drain, finish, drain + finish + MARGIN_SECONDS)
