"""Recorded runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from loadtest.history.entry import ALL, FORMAT, Entry, Measured

MACHINE = "Intel(R) Xeon(R) Processor, 2 cores, 24 GiB"
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def requests(p95: float, count: int = 1000, error_share: float = 0.0) -> Measured:
    """The requests of an endpoint."""
    return Measured(count, p95 / 4, p95, p95 * 1.5, error_share)


def entry(number: int = 0, **changes: Any) -> Entry:
    """The run of day `number`, of a commit of its own."""
    fields: dict[str, Any] = {
        "format": FORMAT, "kind": "run", "date": BEGAN + timedelta(days=number),
        "commit": f"{number + 1:040x}",
        "machine": MACHINE, "scenario": "low", "mix": "mixed", "scale": 0.2, "seconds": 60.0, "seed": number,
        "accounts": 24, "endpoints": {ALL: requests(0.05)},
    }  # fmt: skip
    return Entry(**(fields | changes))


def runs(p95s: Sequence[float]) -> list[Entry]:
    """One run a day."""
    return [entry(number, endpoints={ALL: requests(value)}) for number, value in enumerate(p95s)]


def searches(rates: Sequence[float]) -> list[Entry]:
    """One search of the capacity a day."""
    return [
        entry(number, kind="capacity", scenario="", scale=1.0, seconds=20.0, endpoints={}, rate=rate)
        for number, rate in enumerate(rates)
    ]


def level(count: int, value: float) -> list[float]:
    """Values within 1 % of a level, none of them equal."""
    return [value * (0.995 + 0.01 * (number * 7 % count) / count) for number in range(count)]
