"""Nodes of YAML documents: depth, size with aliases replaced, and order."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.yaml_nodes import (
    expanded_size,
    nodes_below,
    repeats_anchor,
    too_deep,
    with_distinct_anchors,
)

values: st.SearchStrategy[Any] = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=30,
)


def composed(text: str) -> yaml.Node:
    tree = yaml.compose(text, Loader=yaml.SafeLoader)
    assert tree is not None
    return tree


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(values, st.sampled_from([True, False, None]), st.integers(4, 12))
def test_depth_is_that_of_the_nested_collections(value: Any, flow: bool | None, levels: int) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, indent=2)
    assert (too_deep(text, levels) is not None) == (depth(value) > levels)


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 200_000, "a: {b: {" + "c: {" * 200_000])
def test_deep_text_is_found_without_recursion_and_with_its_position(text: str) -> None:
    mark = too_deep(text, 8)
    assert mark is not None
    assert mark.line == 0
    assert 0 <= mark.column < 100


def test_size_counts_what_aliases_repeat() -> None:
    assert expanded_size(composed("{a: &x [1, 2], b: *x, c: [*x, *x]}"), cyclic=0) == 1 + 3 + 4 * 3 + 1
    assert expanded_size(composed("a: &x [1, *x]"), cyclic=50) == 1 + 1 + 1 + 1 + 50
    levels = "".join(f"l{at + 1}: &l{at + 1} [{', '.join([f'*l{at}'] * 9)}]\n" for at in range(40))
    assert expanded_size(composed(f"l0: &l0 [x]\n{levels}"), cyclic=0) > 9**40


def test_nodes_are_listed_once_in_the_order_of_the_text() -> None:
    found = nodes_below(composed("{a: &x [1, 2], b: *x, c: d}"))
    assert [node.value for node in found if isinstance(node, yaml.ScalarNode)] == list("a12bcd")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_repeated_anchor_gets_a_name_of_its_own(mark: str) -> None:
    text = f"{mark}é: &x 1\nb: &x [y]\nc: {{d: *x, e: '&x *x'}}\n"
    with pytest.raises(yaml.composer.ComposerError) as refused:
        composed(text)
    assert repeats_anchor(refused.value)
    tree = composed(with_distinct_anchors(text))
    value = yaml.constructor.SafeConstructor().construct_document(tree)
    assert value == {"é": 1, "b": ["y"], "c": {"d": ["y"], "e": "&x *x"}}


@pytest.mark.parametrize("number", range(16))
def test_alias_without_an_anchor_stays_undefined(number: int) -> None:
    with pytest.raises(yaml.composer.ComposerError, match=f"undefined alias '?n{number}"):
        composed(with_distinct_anchors(f"a: &x 1\nb: &x 2\nc: *n{number}\n"))


def test_text_behind_a_syntax_error_is_unchanged() -> None:
    assert with_distinct_anchors("a: &x 1\nb: @\nc: &x 2\n").endswith(" 1\nb: @\nc: &x 2\n")
    with pytest.raises(yaml.YAMLError) as refused:
        composed("a: [1\n")
    assert not repeats_anchor(refused.value)
