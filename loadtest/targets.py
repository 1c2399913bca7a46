"""The targets TGT1, TGT2 and TGT3, and the evaluation of a run against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loadtest.generator.recorder import DROPPED, Window

PERCENTILE_LIMITS: Final = {"P50": 0.2, "P95": 0.5, "P99": 1.0}
"""TGT1: response times in seconds."""
PEAK_RATE: Final = 10_000.0
"""TGT2: requests per second at 100,000 users."""
SERVED_SHARE: Final = 0.99
"""TGT2 on a scaled run: the share of the offered arrivals that must be served."""
ERROR_SHARE: Final = 0.01
"""TGT3: errors among all arrivals, dropped ones included."""
AVAILABLE_SHARE: Final = 0.999
"""TGT3: seconds in which at least half of the arrivals succeeded."""


@dataclass(frozen=True)
class Finding:
    """A target, its limit and the measured value as texts, and whether the target holds."""

    target: str
    measure: str
    limit: str
    measured: str
    holds: bool

    @property
    def state(self) -> str:
        """Return the state in one word."""
        return "holds" if self.holds else "missed"


def evaluate(total: Window, seconds: Sequence[Window], expected: float, scale: float) -> list[Finding]:
    """Evaluate a run. ``expected`` is the number of arrivals in the schedule.

    ``seconds`` are the windows of the run, usually of one second each. ``scale`` is the factor between the
    scenario's users and those of the run.
    """
    measured = {"P50": total.p50, "P95": total.p95, "P99": total.p99}
    found = [
        Finding(
            "TGT1",
            name,
            f"< {limit * 1000:.0f} ms",
            f"{measured[name] * 1000:.0f} ms",
            measured[name] < limit,
        )
        for name, limit in PERCENTILE_LIMITS.items()
    ]
    served = total.good / total.arrivals if total.arrivals else 0.0
    busiest = round(max((each.arrivals / each.seconds for each in seconds), default=0))
    step = f"windows of {seconds[0].seconds:g} s" if seconds and seconds[0].seconds != 1 else "seconds"
    found.append(
        Finding(
            "TGT2",
            f"arrivals served (most in one second: {busiest}; {busiest / scale:,.0f} at full scale)",
            f"≥ {SERVED_SHARE:.0%}",
            f"{served:.2%} of {total.arrivals} (scheduled {expected:,.0f})",
            total.arrivals > 0 and served >= SERVED_SHARE,
        )
    )
    found.append(
        Finding(
            "TGT3",
            f"errors (dropped: {total.errors.get(DROPPED, 0)})",
            f"< {ERROR_SHARE:.0%}",
            f"{total.error_share:.2%}",
            total.error_share < ERROR_SHARE,
        )
    )
    counted = [each for each in seconds if each.arrivals]
    available = sum(each.good * 2 >= each.arrivals for each in counted) / len(counted) if counted else 0.0
    found.append(
        Finding(
            "TGT3",
            f"{step} in which at least half of the arrivals succeeded",
            f"≥ {AVAILABLE_SHARE:.1%}",
            f"{available:.2%}",
            available >= AVAILABLE_SHARE,
        )
    )
    return found
