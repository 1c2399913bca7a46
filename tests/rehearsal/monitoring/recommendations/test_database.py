"""Rules for MongoDB: lines that cause a recommendation, and lines that must not."""

from __future__ import annotations

import math
from typing import Any

import pytest

from infra.settings import Settings
from infra.settings.sizing import mongodb_pool
from rehearsal.monitoring.recommendations.database import database_tier, index_advice, pool_size
from tests.infra.rehearsal import configuration
from tests.rehearsal.monitoring.recommendations.lines import (
    Line,
    Lines,
    Rule,
    between,
    changed,
    every,
    mixed,
    rarely,
    run,
    until,
    with_gaps,
)

WEEK = 168.0


def test_pools_above_the_warning_get_the_tier_that_is_large_enough() -> None:
    (found,) = run(pool_size, {"database-connections": {"": 90.0}})
    assert (found.path, found.old, found.new) == (("kingdom:database", "minSize"), "M40", "M50")
    assert (found.evidence["pool"], found.evidence["pool_after"]) == (27, 75)
    assert found.effect.low < 90 * 27 / 75 < found.effect.high


@pytest.mark.parametrize("signal", ["connections-waiting", "connections-refused"])
def test_commands_that_lack_connections_count_below_the_warning_too(signal: str) -> None:
    lines: Lines = {"database-connections": {"": 70.0}, signal: {"": lambda index: float(index % 5 == 0)}}
    (found,) = run(pool_size, lines)
    assert found.new == "M50"
    assert found.effect.high == pytest.approx(100 * 27 / 75 * 2)


@pytest.mark.parametrize(
    ("used", "waiting", "hours", "database"),
    [
        (80.0, 0.0, 24.0, {}),
        (60.0, rarely(1.0, 0.0), 24.0, {}),
        (90.0, 3.0, 2.0, {}),
        (with_gaps(90.0), 3.0, 3.0, {}),
        (math.nan, 3.0, 24.0, {}),
        (90.0, 3.0, 24.0, {"maxSize": "M40"}),
        (90.0, 3.0, 24.0, {"minSize": "M60"}),
        (rarely(100.0, 60.0), 0.0, 24.0, {}),
        (60.0, between(0, 1, 3.0, None), 24.0, {}),
        (60.0, math.nan, 24.0, {}),
        (60.0, -1.0, 24.0, {}),
        (between(0, 90, 99.0, None), 3.0, 24.0, {}),
        (90.0, 3.0, 24.0, {"minSize": "M80"}),
        (90.0, 3.0, 24.0, {"minSize": "R40"}),
    ],
    ids=[
        "at-the-threshold",
        "rarely",
        "short",
        "gaps",
        "no-number",
        "largest-tier",
        "largest-pool",
        "peaks",
        "waited-once",
        "waiting-unknown",
        "below-zero",
        "few-values",
        "above-the-maximum",
        "unknown-tier",
    ],
)
def test_pool_size_is_not_recommended(
    used: Line, waiting: Line, hours: float, database: dict[str, Any]
) -> None:
    lines: Lines = {"database-connections": {"": used}, "connections-waiting": {"": waiting}}
    assert run(pool_size, lines, hours, changed("kingdom:database", **database)) == []


FAST: Lines = {"query-time": {"contents": 0.004}, "slow-queries": {"contents": 0.0}}


def test_a_tier_that_is_not_needed_is_lowered() -> None:
    (found,) = run(database_tier, {**FAST, "database-connections": {"": 10.0}}, WEEK)
    assert (found.old, found.new) == ("M40", "M30")
    assert (found.evidence["pool"], found.evidence["pool_after"]) == (27, 12)
    assert found.effect.low < 10 * 27 / 12 < found.effect.high


@pytest.mark.parametrize(
    ("lines", "hours"),
    [
        ({"database-connections": {"": 40.0}}, WEEK),
        ({"database-connections": {"": 10.0}}, 2.0),
        ({"database-connections": {"": math.nan}}, WEEK),
        ({"database-connections": {"": 10.0}, "query-time": {"contents": 0.021}}, WEEK),
        ({"database-connections": {"": 10.0}, "query-time": {}}, WEEK),
        ({"database-connections": {"": 10.0}, "slow-queries": {"contents": 0.001}}, WEEK),
        ({"database-connections": {"": between(0, 1000, 99.0, 10.0)}}, WEEK),
        ({"database-connections": {"": 10.0}, "slow-queries": {"a": between(9, 10, 1.0, 0.0)}}, WEEK),
        (
            {
                "database-connections": {"": 10.0},
                "query-time": {"contents": 0.004, "orders": between(0, 40, 0.5, None)},
            },
            WEEK,
        ),
        ({"database-connections": {"": 10.0}, "query-time": {"contents": math.nan}}, WEEK),
        (
            {"database-connections": {"": 10.0}, "query-time": {"contents": between(0, 1000, 0.5, 0.001)}},
            WEEK,
        ),
        ({"database-connections": {"": 1e9}}, WEEK),
    ],
    ids=[
        "connections",
        "short",
        "no-number",
        "slow",
        "unknown",
        "slow-queries",
        "peaks-of-connections",
        "one-slow-query",
        "rare-and-slow",
        "times-unknown",
        "slow-at-times",
        "extreme",
    ],
)
def test_database_tier_is_not_recommended(lines: Lines, hours: float) -> None:
    assert run(database_tier, {**FAST, **lines}, hours) == []


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        ({"database-connections": {"": mixed(90.0)}}, pool_size),
        ({"database-connections": {"": 1e9}}, pool_size),
        (
            {"database-connections": {"": 60.0}, "connections-refused": {"": between(0, 150, 1.0, 0.0)}},
            pool_size,
        ),
        ({**FAST, "database-connections": {"": mixed(10.0)}}, database_tier),
        ({**FAST, "database-connections": {"": 0.0}}, database_tier),
        ({**FAST, "database-connections": {"": 10.0}, "slow-queries": {}}, database_tier),
        ({"index-advice": {"create": every(2, 1.0, 2.0)}}, index_advice),
        ({"index-advice": {"create": mixed(2.0), "drop": 0.0}}, index_advice),
        (
            {"index-advice": {"create": between(0, 1400, 1.0, None)}, "running-pods": {"api": 2.0}},
            index_advice,
        ),
    ],
    ids=[
        "not-finite", "extreme", "refused-for-a-tenth", "not-finite-tier", "no-connection", "no-slow-query",
        "changing-advice", "not-finite-advice", "advice-until-an-hour-ago",
    ],
)  # fmt: skip
def test_other_histories_that_need_a_change(lines: Lines, rule: Rule) -> None:
    (found,) = run(rule, lines, WEEK if rule is database_tier else 24.0)
    assert found.effect.low <= found.effect.high
    assert all(math.isfinite(value) for value in (found.effect.now, found.effect.low, found.effect.high))


def test_advice_that_is_no_longer_exported_is_not_followed() -> None:
    advice = {"create": between(0, 600, 1.0, None)}
    assert run(index_advice, {"index-advice": advice, "running-pods": {"api": 2.0}}) == []
    # The platform ended at the same time: the advice is the latest one.
    assert run(index_advice, {"index-advice": advice, "running-pods": {"api": between(0, 600, 2.0, None)}})


def test_the_min_tier_is_not_lowered() -> None:
    lines: Lines = {**FAST, "database-connections": {"": 1.0}}
    assert run(database_tier, lines, WEEK, changed("kingdom:database", minSize="M10")) == []


def test_advice_that_remains_is_applied_by_the_workers() -> None:
    (found,) = run(index_advice, {"index-advice": {"create": 3.0, "drop": 1.0}})
    assert (found.path[1], found.old, found.new) == ("indexAdvisor", "advise", "apply")
    assert (found.effect.now, found.effect.low, found.effect.high) == (4.0, 0.0, 2.0)
    assert "create 3 and to drop 1" in found.finding


@pytest.mark.parametrize(
    ("count", "hours", "mode"),
    [
        (0.0, 24.0, "advise"),
        (1.0, 2.0, "advise"),
        (until(1400, 1.0, 0.0), 24.0, "advise"),
        (until(1400, 0.0, 1.0), 24.0, "advise"),
        (1.0, 24.0, "apply"),
        (1.0, 24.0, "off"),
        (math.nan, 24.0, "advise"),
    ],
    ids=["none", "short", "done", "new", "applies-already", "off", "no-number"],
)
def test_index_advice_is_not_recommended(count: Line, hours: float, mode: str) -> None:
    config = changed("kingdom:database", indexAdvisor=mode)
    assert run(index_advice, {"index-advice": {"create": count}}, hours, config) == []


def test_the_pool_is_the_one_that_the_platform_derives() -> None:
    (found,) = run(pool_size, {"database-connections": {"": 90.0}})
    assert found.evidence["pool"] == mongodb_pool(Settings.parse("prod", configuration("prod")))
