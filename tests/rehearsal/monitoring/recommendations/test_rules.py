"""Every rule fires where it must and stays silent where it must."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from app.monitoring.source import TimeSeries
from rehearsal.monitoring.recommendations.rules import (
    RULES,
    RecordedHistory,
    Rule,
    StackRecommendation,
    cache_size,
    database_tier,
    max_replicas,
    memory,
    recommendations,
)
from rehearsal.monitoring.signals import declared
from rehearsal.pulumi.project import Project
from tests.repository._tree import ROOT

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "stacks/Pulumi.prod.yaml").read_text())["config"]
SIGNALS = declared(Project.at(ROOT), "prod")
MIB = 1024 * 1024
Lines = Mapping[str, Mapping[str, float]]


class Constant:
    """Lines by signal and label, each with one value all the time."""

    def __init__(self, lines: Lines, hours: float) -> None:
        self._lines = {SIGNALS.signals[name].query: group for name, group in lines.items()}
        self._hours = hours

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        count = int(self._hours * 3600 / step)
        times = [end - step * index for index in range(count)][::-1]
        return [
            TimeSeries({"x": label} if label else {}, times, [value] * count)
            for label, value in self._lines.get(query, {}).items()
        ]


def run(rule: Rule, lines: Lines, hours: float = 24.0) -> list[StackRecommendation]:
    return rule(RecordedHistory(Constant(lines, hours), SIGNALS, CONFIG, 1_000_000.0, 7 * 86_400.0))


API_MEMORY = CONFIG["kingdom:workload"]["api"]["resources"]["memoryMi"]
API_MAXIMUM = CONFIG["kingdom:workload"]["api"]["maxReplicas"]


def test_memory_that_is_nearly_used_up_is_raised() -> None:
    (found,) = run(memory, {"memory-by-role": {"api": 0.95 * API_MEMORY * MIB}})
    assert found.path == ("kingdom:workload", "api", "resources", "memoryMi")
    assert int(found.new) >= 0.95 * API_MEMORY * 1.15
    assert found.effect.high > 0


def test_memory_that_is_hardly_used_is_lowered_the_more_the_longer_the_history() -> None:
    lines = {"memory-by-role": {"api": 0.2 * API_MEMORY * MIB}}
    (day,) = run(memory, lines)
    (week,) = run(memory, lines, hours=168.0)
    assert int(week.new) < int(day.new) < API_MEMORY


@pytest.mark.parametrize(
    ("share", "hours"),
    [(0.7, 24.0), (0.2, 2.0), (0.99, 2.0), (0.2, 3.0)],
    ids=["fits", "short", "short-and-full", "wide-interval"],
)
def test_memory_is_silent(share: float, hours: float) -> None:
    assert run(memory, {"memory-by-role": {"api": share * API_MEMORY * MIB}}, hours) == []


def test_a_role_that_is_not_declared_is_left_out() -> None:
    assert run(memory, {"memory-by-role": {"other": 1.0}}) == []


def test_a_slow_role_at_its_maximum_gets_more_replicas() -> None:
    (found,) = run(max_replicas, {"replicas": {"api": API_MAXIMUM}, "response-time": {"": 2.0}})
    assert (found.path[1:], found.old, found.new) == (("api", "maxReplicas"), "100", "150")
    assert (found.effect.low, found.effect.high) == (100.0, 150.0)


@pytest.mark.parametrize(
    ("replicas", "seconds", "hours"),
    [(API_MAXIMUM, 0.2, 24.0), (API_MAXIMUM - 1, 2.0, 24.0), (API_MAXIMUM, 2.0, 2.0)],
    ids=["fast", "below-maximum", "short"],
)
def test_max_replicas_is_silent(replicas: float, seconds: float, hours: float) -> None:
    lines = {"replicas": {"api": replicas}, "response-time": {"": seconds}}
    assert run(max_replicas, lines, hours) == []


def test_a_worker_with_an_old_queue_gets_more_replicas() -> None:
    maximum = CONFIG["kingdom:workload"]["worker"]["maxReplicas"]
    (found,) = run(max_replicas, {"replicas": {"worker": maximum}, "queue-age": {"": 300.0}})
    assert found.path[1] == "worker"


def test_a_cache_that_evicts_and_misses_is_enlarged() -> None:
    (found,) = run(cache_size, {"cache-hits": {"feed": 50.0}, "cache-evictions": {"feed": 3.0}})
    assert (found.old, found.new) == ("96", "144")
    assert found.effect.low == 50.0 < found.effect.high


@pytest.mark.parametrize(("hits", "evictions"), [(95.0, 3.0), (50.0, 0.0)], ids=["hits", "nothing-evicted"])
def test_cache_size_is_silent(hits: float, evictions: float) -> None:
    assert run(cache_size, {"cache-hits": {"feed": hits}, "cache-evictions": {"feed": evictions}}) == []


def test_a_database_short_of_connections_gets_the_next_tier() -> None:
    (found,) = run(database_tier, {"database-connections": {"": 90.0}})
    assert (found.path, found.old, found.new) == (("kingdom:database", "minSize"), "M40", "M50")


@pytest.mark.parametrize(("used", "hours"), [(60.0, 24.0), (90.0, 1.0)], ids=["enough", "short"])
def test_database_tier_is_silent(used: float, hours: float) -> None:
    assert run(database_tier, {"database-connections": {"": used}}, hours) == []


def test_without_a_recording_nothing_is_recommended() -> None:
    history = RecordedHistory(Constant({}, 0.0), SIGNALS, CONFIG, 1_000_000.0, 86_400.0)
    assert recommendations(history) == []
    assert len(RULES) == 4
