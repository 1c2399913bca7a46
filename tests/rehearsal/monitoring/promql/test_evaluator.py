"""Expressions over recorded samples."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest

from rehearsal.monitoring.promql.evaluator import NAME, Labels, Recorded, queries, query, query_range
from rehearsal.monitoring.promql.parser import QueryError, Selector


def labels(name: str, **pairs: str) -> Labels:
    return tuple(sorted({NAME: name, **pairs}.items()))


class Given:
    """Samples every 10 seconds from 0 to 100."""

    def __init__(self, **series: dict[tuple[tuple[str, str], ...], list[float]]) -> None:
        self._series = [
            Recorded(labels(name, **dict(pairs)), [float(10 * at) for at in range(len(values))], values)
            for name, group in series.items()
            for pairs, values in group.items()
        ]

    def select(self, selector: Selector, start: float, end: float) -> Iterable[Recorded]:
        for series in self._series:
            known = dict(series.labels)
            if known[NAME] == selector.metric and all(
                each.matches(known.get(each.label, "")) for each in selector.matchers
            ):
                yield series


A, B = (("x", "a"),), (("x", "b"),)
SAMPLES = Given(
    up={A: [1.0] * 11, B: [3.0] * 11},
    total={A: [float(at) for at in range(11)], B: [float(2 * at) for at in range(11)]},
    ended={A: [1.0] * 5 + [math.nan]},
    zero={A: [0.0] * 11},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(up)", {(): 4.0}),
        ("avg by (x) (up)", {A: 1.0, B: 3.0}),
        ("max without (x) (up)", {(): 3.0}),
        ("count(up > 1)", {(): 1.0}),
        ('up{x!="a"} * 2', {B: 6.0}),
        ("sum(rate(total[1m]))", {(): pytest.approx(0.3)}),
        ("increase(total[1m])", {A: pytest.approx(6.0), B: pytest.approx(12.0)}),
        ("100 * up / on (x) total", {A: pytest.approx(10.0), B: pytest.approx(15.0)}),
        ("up / ignoring (x) group_left sum(up)", {A: 0.25, B: 0.75}),
        ("up unless up > 2", {labels("up", x="a"): 1.0}),
        ("up and total > 15", {labels("up", x="b"): 3.0}),
        ('up{x="a"} or total{x="b"}', {labels("up", x="a"): 1.0, labels("total", x="b"): 20.0}),
        ("topk(1, up)", {labels("up", x="b"): 3.0}),
        ("ended", {}),
        ("up / zero", {}),
        ("time()", {(): 100.0}),
        ("max(time() - up)", {(): 99.0}),
        ("absent_metric", {}),
        ("2 + 3 * 4 % 5", {(): 4.0}),
        ("avg_over_time(total[1m])", {A: pytest.approx(7.5), B: pytest.approx(15.0)}),
        ("count_over_time(ended[2m])", {A: 5.0}),
    ],
)
def test_expression_is_evaluated_over_the_samples(text: str, expected: dict[Labels, float]) -> None:
    assert query(SAMPLES, text, 100.0) == expected


def test_a_value_is_carried_for_five_minutes_and_no_longer() -> None:
    assert query(SAMPLES, "sum(up)", 399.0)
    assert not query(SAMPLES, "sum(up)", 401.0)


def test_a_range_leaves_gaps_out() -> None:
    found = query_range(SAMPLES, "ended", 0.0, 100.0, 20.0)
    assert [series.times for series in found] == [[0.0, 20.0, 40.0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("up[5m]", "a range needs a function"),
        ("rate(up)", "one range"),
        ("time(up)", "time takes no argument"),
        ("holt_winters(up[1m])", "not supported"),
        ("up / on () total", "many-to-many"),
        ("sum(1)", "takes a vector"),
    ],
)
def test_unsupported_query_is_reported(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        query(SAMPLES, text, 100.0)


class Counted:
    """`SAMPLES`, and how often a selector was read."""

    def __init__(self) -> None:
        self.read: list[Selector] = []

    def select(self, selector: Selector, start: float, end: float) -> Iterable[Recorded]:
        self.read.append(selector)
        return SAMPLES.select(selector, start, end)


def test_queries_at_one_moment_compute_what_they_have_in_common_once() -> None:
    texts = ["sum(rate(total[50s]))", "sum(rate(total[50s])) / sum(up)", "max(rate(total[50s]))", "up + up"]
    samples = Counted()
    result = queries(samples, 100.0)
    assert [result(text) for text in texts] == [query(SAMPLES, text, 100.0) for text in texts]
    assert len(samples.read) == len(set(samples.read)) == 2
