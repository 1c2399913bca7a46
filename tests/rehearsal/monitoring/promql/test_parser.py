"""The parser reads every declared signal, follows PromQL's precedence, and names unsupported syntax."""

from __future__ import annotations

import pytest

from rehearsal.monitoring.promql.parser import (
    Aggregation,
    Binary,
    Call,
    Matcher,
    Number,
    QueryError,
    Selector,
    parse,
    seconds,
    selectors,
)
from rehearsal.monitoring.signals import declared
from rehearsal.pulumi.project import Project
from tests.repository._tree import ROOT


def test_every_declared_query_is_read() -> None:
    signals = declared(Project.at(ROOT), "prod")
    queries = [signal.query for signal in signals.signals.values()]
    queries += [signals.bad_share(name, "1h") for name in signals.objectives]
    assert all(list(selectors(parse(query))) for query in queries)


def test_operators_have_the_precedence_of_prometheus() -> None:
    assert parse("1 + 2 * 3") == Binary("+", Number(1), Binary("*", Number(2), Number(3)))
    assert parse("1 - 2 - 3") == Binary("-", Binary("-", Number(1), Number(2)), Number(3))
    assert parse("2 ^ 3 ^ 2") == Binary("^", Number(2), Binary("^", Number(3), Number(2)))
    assert parse("-a ^ 2") == Binary("*", Number(-1), Binary("^", Selector("a"), Number(2)))


def test_selectors_with_matchers_and_ranges() -> None:
    assert parse('a:b_c{x="1", y=~"4.."}[1h30m]') == Selector(
        "a:b_c", (Matcher("x", "=", "1"), Matcher("y", "=~", "4..")), 5400.0
    )
    assert parse('{job="api"}') == Selector("", (Matcher("job", "=", "api"),))


def test_labels_of_an_aggregation_may_follow_it() -> None:
    expected = Aggregation("sum", Call("rate", (Selector("a", (), 300.0),)), ("x",))
    assert parse("sum by (x) (rate(a[5m]))") == expected
    assert parse("sum(rate(a[5m])) by (x)") == expected
    assert parse("topk(3, a)") == Aggregation("topk", Selector("a"), parameter=Number(3))


def test_group_left_takes_its_labels_and_leaves_a_parenthesis() -> None:
    assert parse("a / on (x) group_left (y) b") == Binary(
        "/", Selector("a"), Selector("b"), ("x",), (), "left", ("y",)
    )
    assert parse("a / on (x) group_left (b + c)") == Binary(
        "/", Selector("a"), Binary("+", Selector("b"), Selector("c")), ("x",), (), "left"
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "a number, a metric or a function"),
        ("sum(a", "')'"),
        ("a{x}", "one of"),
        ("a[5]", "a duration"),
        ("a b", "an operator or the end"),
        ("a > bool 1", "`bool` is not supported"),
        ("topk(a)", "topk takes 2 arguments"),
        ("a ; b", "unexpected"),
    ],
)
def test_errors_state_what_was_expected(query: str, expected: str) -> None:
    with pytest.raises(QueryError, match=expected.replace("(", r"\(").replace(")", r"\)")):
        parse(query)


def test_a_matcher_is_anchored() -> None:
    assert not Matcher("x", "=~", "5..").matches("1500")
    assert Matcher("x", "!~", "5..").matches("")


def test_durations_are_parsed_to_seconds() -> None:
    assert seconds("1d2h3m4s5ms") == 86_400 + 7_200 + 180 + 4 + 0.005
