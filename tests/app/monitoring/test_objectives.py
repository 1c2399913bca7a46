"""Error budgets count each moment by its requests."""

from __future__ import annotations

import pytest

from app.monitoring.objectives import WINDOW, budgets
from app.monitoring.signals import Signal, Signals
from app.monitoring.source import TimeSeries

SIGNALS = Signals(
    {"requests": Signal("requests", "Requests", "1/s", "requests")},
    {},
    {"availability": "failed[$window]", "latency": "slow[$window]"},
    {"availability": 0.001, "latency": 0.05},
)


class Given:
    """99 requests a second without a failure, then one a second of which a tenth fails."""

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        values = {"requests": [99.0, 1.0], f"failed[{WINDOW}]": [0.0, 0.1]}.get(query)
        return [TimeSeries({}, [0.0, 600.0], values)] if values else []


def test_the_budget_is_weighted_by_requests() -> None:
    found = {item.objective: item for item in budgets(Given(), SIGNALS, 600.0, 900.0, 15.0)}
    assert found["availability"].share == pytest.approx(0.001)
    assert found["availability"].used == pytest.approx(1.0)
    assert found["latency"].share is None
    assert found["latency"].used is None
