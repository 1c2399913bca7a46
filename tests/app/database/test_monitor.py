"""Metrics of connections and commands from the driver's events."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.registry import Collector

from app.database import monitor
from app.database.monitor import CommandMetrics, PoolMetrics


def samples(collector: Collector) -> dict[str, float]:
    """Samples by name and labels; those of histograms with their bound."""
    return {
        f"{sample.name}{''.join(f'|{value}' for value in sample.labels.values())}": sample.value
        for metric in collector.collect()
        for sample in metric.samples
    }


def event(**fields: Any) -> Any:
    return SimpleNamespace(**fields)


def test_connections_are_counted() -> None:
    pools, none = PoolMetrics(50), event()
    assert pools.limit == 50
    for port in (1, 2):
        pools.pool_created(event(address=("host", port)))
    for _ in range(3):
        pools.connection_created(none)
        pools.connection_check_out_started(none)
    pools.connection_checked_out(none)
    pools.connection_check_out_failed(none)
    pools.connection_closed(none)
    pools.pool_cleared(none)
    assert samples(pools) == {
        "kingdom_mongodb_connections": 2,
        "kingdom_mongodb_connections_busy": 1,
        "kingdom_mongodb_connections_limit": 100,
        "kingdom_mongodb_connections_waited_for": 1,
        "kingdom_mongodb_connections_refused_total": 1,
        "kingdom_mongodb_pools_cleared_total": 1,
    }
    pools.connection_checked_in(none)
    pools.pool_closed(event(address=("host", 2)))
    assert (pools.busy, pools.limit, pools.used) == (0, 50, 4)


class Recorded:
    def __init__(self) -> None:
        self.finished: list[tuple[Mapping[str, Any], float]] = []
        self.metrics = CommandMetrics(lambda command, seconds: self.finished.append((command, seconds)))

    def start(self, request: int, name: str, **command: Any) -> None:
        self.metrics.started(event(command_name=name, request_id=request, command=command))

    def succeed(self, request: int, name: str, seconds: float) -> None:
        micros = round(seconds * 1e6)
        self.metrics.succeeded(event(command_name=name, request_id=request, duration_micros=micros))

    def fail(self, request: int, name: str) -> None:
        self.metrics.failed(event(command_name=name, request_id=request))


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def test_durations_are_counted_by_command_and_collection(recorded: Recorded) -> None:
    for request, seconds in enumerate((0.001, 0.0011, 20)):
        recorded.start(request, "find", find="accounts")
        recorded.succeed(request, "find", seconds)
    found = samples(recorded.metrics)
    name = "kingdom_mongodb_command_seconds_bucket|find|accounts"
    assert [found[f"{name}|{bound}"] for bound in ("0.0005", "0.001", "0.0025", "10.0", "+Inf")] == [
        0,
        1,
        2,
        2,
        3,
    ]
    assert found["kingdom_mongodb_command_seconds_sum|find|accounts"] == pytest.approx(20.0021)
    assert recorded.finished[0] == ({"find": "accounts"}, 0.001)


def test_command_without_a_collection_has_an_empty_label(recorded: Recorded) -> None:
    recorded.start(1, "commitTransaction", commitTransaction=1)
    recorded.succeed(1, "commitTransaction", 0.1)
    assert samples(recorded.metrics)["kingdom_mongodb_command_seconds_count|commitTransaction|"] == 1


def test_failures_are_counted_by_command(recorded: Recorded) -> None:
    recorded.start(1, "find", find="accounts")
    recorded.fail(1, "find")
    recorded.succeed(1, "find", 0.1)
    assert samples(recorded.metrics) == {"kingdom_mongodb_commands_failed_total|find": 1}
    assert recorded.finished == []


@pytest.mark.parametrize("name", ["hello", "ping", "getMore"])
def test_overhead_is_not_measured(recorded: Recorded, name: str) -> None:
    recorded.start(1, name)
    recorded.succeed(1, name, 0.1)
    recorded.fail(2, name)
    assert samples(recorded.metrics) == {}


def test_commands_whose_end_is_never_reported_are_dropped(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "_MAX_PENDING", 2)
    for request in range(3):
        recorded.start(request, "find", find="accounts")
        recorded.succeed(request - 3, "find", 0.1)
    recorded.succeed(0, "find", 0.1)
    recorded.succeed(2, "find", 0.1)
    assert len(recorded.finished) == 1
