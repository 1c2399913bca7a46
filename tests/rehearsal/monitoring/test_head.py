"""Samples in memory: ended series, gaps and retention."""

from __future__ import annotations

from rehearsal.monitoring.head import RETENTION_SECONDS, Head
from rehearsal.monitoring.promql.evaluator import query

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
