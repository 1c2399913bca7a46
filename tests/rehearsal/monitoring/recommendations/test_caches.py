"""Rules for the caches: lines that cause a recommendation, and lines that must not."""

from __future__ import annotations

import math

import pytest

from rehearsal.monitoring.recommendations.caches import TIMES_TO_LIVE, cache_size, cache_ttl
from tests.rehearsal.monitoring.recommendations.lines import (
    Line,
    between,
    mixed,
    rarely,
    run,
    until,
    with_gaps,
)
from tests.repository._tree import ROOT


def test_a_cache_that_evicts_and_misses_is_reported_without_a_change_of_redis() -> None:
    (found,) = run(cache_size, {"cache-hits": {"feed": 50.0}, "cache-evictions": {"feed": 3.0}})
    assert (found.path, found.old, found.new) == ((), "", "")
    assert "cache feed: 50 % of reads hit" in found.finding
    assert "process memory evicts 3 values per second" in found.finding
    assert "redis.googleapis.com/stats/evicted_keys" in found.instead
    assert "workingSetMi, now 96" in found.instead
    assert found.effect.low == 50.0 < found.effect.high


def test_evictions_and_hits_of_different_caches_are_not_combined() -> None:
    lines = {
        "cache-hits": {"feed": 95.0, "contents": 95.0, "orders": 10.0},
        "cache-evictions": {"feed": 3.0, "contents": 3.0, "orders": 0.0},
    }
    assert run(cache_size, lines) == []


@pytest.mark.parametrize(
    ("hits", "evictions", "hours"),
    [
        (95.0, 3.0, 24.0),
        (50.0, 0.0, 24.0),
        (50.0, 3.0, 2.0),
        (math.nan, 3.0, 24.0),
        (80.0, 1e9, 24.0),
        (50.0, rarely(1e9, 0.0), 24.0),
        (rarely(0.0, 95.0), 3.0, 24.0),
        (50.0, between(0, 90, 3.0, None), 24.0),
        (50.0, math.inf, 24.0),
        (until(900, 95.0, 20.0), 3.0, 24.0),
    ],
    ids=[
        "hits",
        "nothing-evicted",
        "short",
        "no-number",
        "at-the-limit",
        "evicts-rarely",
        "misses-rarely",
        "few-evictions-recorded",
        "infinite",
        "hits-most-of-the-time",
    ],
)
def test_cache_size_is_not_recommended(hits: Line, evictions: Line, hours: float) -> None:
    lines = {"cache-hits": {"feed": hits}, "cache-evictions": {"feed": evictions}}
    assert run(cache_size, lines, hours) == []


def test_a_cache_whose_entries_expire_before_they_are_read_again_is_reported() -> None:
    (found,) = run(cache_ttl, {"cache-hits": {"contents": 40.0}, "cache-evictions": {"contents": 0.0}})
    # h / (1 - h) = 2/3 reads in a time to live; 80 % need four.
    assert found.evidence["factor"] == 6
    assert found.evidence["reread_interval_per_ttl"] == pytest.approx(1.5)
    assert (found.effect.low, found.effect.high) == (pytest.approx(40.0), pytest.approx(80.0))
    assert found.path == ()
    assert "_SETTLED in app/content/service.py" in found.instead
    assert "unless Redis evicts keys" in found.finding
    assert "redis.googleapis.com/stats/evicted_keys" in found.instead


@pytest.mark.parametrize(
    ("hits", "evictions", "name", "hours"),
    [
        (50.0, 0.0, "contents", 24.0),
        (0.0, 0.0, "contents", 24.0),
        (40.0, 0.1, "contents", 24.0),
        (40.0, 0.0, "unknown", 24.0),
        (40.0, 0.0, "contents", 2.0),
        (with_gaps(40.0), 0.0, "contents", 3.0),
        (math.nan, 0.0, "contents", 24.0),
        (40.0, between(0, 1, 0.0, None), "contents", 24.0),
        (40.0, math.nan, "contents", 24.0),
        (40.0, between(700, 701, 0.001, 0.0), "contents", 24.0),
        (-40.0, 0.0, "contents", 24.0),
        (until(900, 90.0, 10.0), 0.0, "contents", 24.0),
    ],
    ids=[
        "reread-in-time",
        "never-reread",
        "evicts",
        "no-time-to-live",
        "short",
        "gaps",
        "no-number",
        "evictions-recorded-once",
        "evictions-unknown",
        "evicted-once",
        "below-zero",
        "reread-most-of-the-time",
    ],
)
def test_cache_ttl_is_not_recommended(hits: Line, evictions: Line, name: str, hours: float) -> None:
    assert run(cache_ttl, {"cache-hits": {name: hits}, "cache-evictions": {name: evictions}}, hours) == []


def test_a_cache_is_reported_from_its_finite_values() -> None:
    (small,) = run(cache_size, {"cache-hits": {"feed": mixed(50.0)}, "cache-evictions": {"feed": mixed(3.0)}})
    assert small.evidence["hit_percent"] == 50.0
    (fast,) = run(
        cache_ttl, {"cache-hits": {"orders": mixed(1.0)}, "cache-evictions": {"orders": mixed(0.0)}}
    )
    assert fast.evidence["factor"] == 10  # 396 would be needed
    assert fast.effect.high < 80.0


@pytest.mark.parametrize(("path", "constant"), TIMES_TO_LIVE.values())
def test_the_code_has_the_time_to_live_that_is_named(path: str, constant: str) -> None:
    assert constant in (ROOT / path).read_text()
