"""Samples in memory: ended series, gaps and retention."""

from __future__ import annotations

from rehearsal.monitoring.head import RETENTION_SECONDS, Head
from rehearsal.monitoring.promql.evaluator import Recorded, query
from rehearsal.monitoring.promql.parser import Selector

ONE = (("__name__", "a"), ("pod", "1"))
TWO = (("__name__", "a"), ("pod", "2"))


def test_a_series_that_leaves_its_target_ends_at_once() -> None:
    head = Head()
    head.add("pod", 100.0, {ONE: 1.0, TWO: 2.0})
    assert head.add("pod", 115.0, {ONE: 1.0}) == [TWO]
    assert query(head, "count(a)", 115.0) == {(): 1.0}


def test_a_failed_scrape_ends_all_series_of_its_target() -> None:
    head = Head()
    head.add("pod", 100.0, {ONE: 1.0})
    head.add("other", 100.0, {TWO: 1.0})
    head.add("pod", 115.0, {})
    assert query(head, "count(a)", 115.0) == {(): 1.0}
    assert head.targets() == {"other"}


def test_nothing_is_carried_over_a_gap() -> None:
    head = Head()
    head.add("pod", 100.0, {ONE: 1.0})
    head.end(115.0)
    assert query(head, "a", 120.0) == {}
    assert head.metrics() == set()


def test_a_sample_that_is_not_later_is_left_out() -> None:
    head = Head()
    head.add("pod", 100.0, {ONE: 1.0})
    head.add("pod", 90.0, {ONE: 5.0})
    assert query(head, "a", 100.0) == {ONE: 1.0}


def test_old_samples_are_dropped() -> None:
    head = Head()
    head.add("pod", 100.0, {ONE: 1.0, TWO: 1.0})
    head.add("pod", 100.0 + RETENTION_SECONDS, {ONE: 1.0})
    head.trim(2000.0 + RETENTION_SECONDS)
    assert query(head, "count_over_time(a[2h])", 100.0 + RETENTION_SECONDS) == {(("pod", "1"),): 1.0}


def test_each_metric_is_retained_as_long_as_a_signal_reads_it() -> None:
    head = Head()
    head.retain({"a": 300.0, "b": 3600.0})
    other = (("__name__", "b"), ("pod", "1"))
    for index in range(400):
        head.add("pod", 15.0 * index, {ONE: float(index), other: float(index)})
        head.trim(15.0 * index)
    (a,) = head.select(Selector("a"), 0.0, 6000.0)
    (b,) = head.select(Selector("b"), 0.0, 6000.0)
    assert (a.times[0], a.values[0], a.values[-1]) == (5640.0, 376.0, 399.0)
    assert (b.times[0], b.values[0], b.times[-1]) == (2340.0, 156.0, 5985.0)


def test_a_series_that_returns_has_no_value_between() -> None:
    head = Head()
    head.add("pod", 0.0, {ONE: 1.0, TWO: 1.0})
    for at in (15.0, 30.0):
        head.add("pod", at, {ONE: 1.0})
    head.add("pod", 45.0, {ONE: 1.0, TWO: 5.0})
    assert query(head, "count_over_time(a[1h])", 45.0) == {(("pod", "1"),): 4.0, (("pod", "2"),): 2.0}
    assert query(head, "a", 30.0) == {ONE: 1.0}


def test_recorded_samples_are_loaded_at_their_times() -> None:
    head = Head()
    head.load([Recorded(ONE, [15.0, 30.0], [1.0, 2.0]), Recorded(TWO, [0.0, 30.0], [5.0, 6.0])])
    assert query(head, "a", 15.0) == {ONE: 1.0}
    assert query(head, "sum_over_time(a[1h])", 30.0) == {(("pod", "1"),): 3.0, (("pod", "2"),): 11.0}
