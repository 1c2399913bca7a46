"""Label selectors against labels, alone and in an index."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.model.label_selectors import LabelIndex, Selector
from policies.model.property_tree import UNKNOWN, Node, Unevaluated


def selects(selector: Any, labels: Any) -> bool:
    wanted = Selector.of(Node(selector))
    return wanted is not None and bool(LabelIndex(["it"], [Node(labels)]).select(wanted))


LABELS = {"app": "api"}


@pytest.mark.parametrize(
    ("selector", "matched"),
    [
        ({}, True),
        (None, False),
        (UNKNOWN, False),
        ({"matchLabels": {"app": "api"}}, True),
        ({"matchLabels": {"app": UNKNOWN}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["api", "x"]}]}, True),
        ({"matchExpressions": [{"key": "other", "operator": "In", "values": [None]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["api"]}]}, False),
        ({"matchExpressions": [{"key": "other", "operator": "NotIn", "values": ["api"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["x", UNKNOWN]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": [UNKNOWN]}]}, False),
        ({"matchExpressions": [{"key": UNKNOWN, "operator": "NotIn", "values": ["x"]}]}, False),
        ({"matchExpressions": [{"key": UNKNOWN, "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Near"}]}, False),
    ],
)
def test_label_selector_matches_as_in_kubernetes(selector: Any, matched: bool) -> None:
    assert selects(selector, LABELS) == matched


def test_unknown_labels_match_nothing() -> None:
    assert not selects({}, {"app": UNKNOWN})
    assert not selects({}, UNKNOWN)


def test_null_is_an_empty_value() -> None:
    assert selects({"matchLabels": {"app": None}}, {"app": ""})
    assert not selects({"matchLabels": {"app": None}}, {})


KEYS, VALUES = st.sampled_from("abc"), st.sampled_from("xyz")
LABEL_SETS = st.lists(st.dictionaries(KEYS, VALUES), max_size=8)
EXPRESSIONS = st.tuples(
    KEYS, st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]), st.lists(VALUES, min_size=1, max_size=3)
)


def complies(labels: dict[str, str], key: str, operator: str, values: list[str]) -> bool:
    """Evaluate one expression as ``Requirement.Matches`` of k8s.io/apimachinery/pkg/labels does."""
    if operator in ("Exists", "DoesNotExist"):
        return (key in labels) == (operator == "Exists")
    if operator == "NotIn":
        return key not in labels or labels[key] not in values
    return key in labels and labels[key] in values


@given(LABEL_SETS, st.dictionaries(KEYS, VALUES, max_size=2), st.lists(EXPRESSIONS, max_size=3))
def test_index_selects_what_complies_with_every_requirement(
    sets: list[dict[str, str]], wanted: dict[str, str], expressions: list[tuple[str, str, list[str]]]
) -> None:
    spec = {
        "matchLabels": wanted,
        "matchExpressions": [
            {"key": key, "operator": operator, "values": values} for key, operator, values in expressions
        ],
    }
    every = [*((key, "In", [value]) for key, value in wanted.items()), *expressions]
    expected = [at for at, labels in enumerate(sets) if all(complies(labels, *item) for item in every)]
    selector = Selector.of(Node(spec))
    assert selector is not None
    assert list(LabelIndex(range(len(sets)), map(Node, sets)).select(selector)) == expected


def test_equal_selectors_share_one_result() -> None:
    index = LabelIndex(["one", "two"], [Node({"app": "a"}), Node({"app": "b"})])
    first, second = (
        Selector.of(Node({"matchExpressions": [{"key": "app", "operator": "In", "values": values}]}))
        for values in (["a", "b"], ["b", "a"])
    )
    assert first is not None
    assert second is not None
    assert index.select(first) == ("one", "two")
    assert index.select(first) is index.select(second)


@pytest.mark.parametrize(
    ("selector", "noted"),
    [
        (UNKNOWN, True),
        ({"matchLabels": UNKNOWN}, True),
        ({"matchLabels": {"app": "a", "tier": UNKNOWN}}, True),
        # The known label excludes every object.
        ({"matchLabels": {"app": "other", "tier": UNKNOWN}}, False),
        ({"matchLabels": {"app": "a"}}, False),
    ],
)
def test_unknown_parts_of_a_selector_are_noted_if_they_may_change_the_result(
    selector: Any, noted: bool
) -> None:
    unevaluated = Unevaluated()
    wanted = Selector.of(Node(selector, unevaluated=unevaluated))
    index = LabelIndex(["one"], [Node({"app": "a"})])
    assert (bool(index.select(wanted)) if wanted is not None else False) == (
        selector == {"matchLabels": {"app": "a"}}
    )
    assert bool(unevaluated) == noted
