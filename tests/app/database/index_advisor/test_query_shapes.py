from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.database.index_advisor.query_shapes import Shape, query_shapes

FIELDS = st.sampled_from(["owner", "state", "order", "a.b", "email"])
COMPARISONS = st.sampled_from(["$gt", "$lt", "$in", "$exists", "$ne"])
LITERALS = st.one_of(st.integers(), st.text(max_size=5), st.none(), st.booleans(), st.just({"x": 1}))


def fill(skeleton: dict[str, Any], literals: list[Any]) -> dict[str, Any]:
    """Return a filter with the structure of ``skeleton`` and values taken from ``literals`` in turn."""
    at = 0

    def value() -> Any:
        nonlocal at
        at += 1
        return literals[at % len(literals)]

    def put(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: [value(), value()] if name == "$in" else put(inner) for name, inner in node.items()}
        return [put(inner) for inner in node] if isinstance(node, list) else value()

    return put(skeleton)


def leaves() -> st.SearchStrategy[dict[str, Any]]:
    comparison = st.dictionaries(COMPARISONS, st.just(0), min_size=1, max_size=2)
    return st.dictionaries(FIELDS, st.one_of(st.just(0), comparison), min_size=1, max_size=3)


def either(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {**one, "$or": [other, {"z": 0}]}


SKELETONS = st.one_of(
    leaves(),
    st.builds(either, leaves(), leaves()),
)
VALUES = st.lists(LITERALS, min_size=1, max_size=4)


def shape(where: dict[str, Any], **more: Any) -> Shape:
    (found,) = query_shapes({"find": "contents", "filter": where, **more})
    return found


@given(SKELETONS, VALUES, VALUES)
def test_queries_that_differ_in_values_have_the_same_shape(
    skeleton: dict[str, Any], one: list[Any], other: list[Any]
) -> None:
    assert shape(fill(skeleton, one)) == shape(fill(skeleton, other))


@given(SKELETONS, VALUES)
def test_the_order_of_conditions_does_not_matter(skeleton: dict[str, Any], values: list[Any]) -> None:
    turned = dict(reversed(skeleton.items()))
    assert shape(fill(skeleton, values)) == shape(fill(turned, values))


@given(SKELETONS, SKELETONS, VALUES)
def test_different_structures_have_different_shapes(
    one: dict[str, Any], other: dict[str, Any], values: list[Any]
) -> None:
    same = shape(fill(one, values)) == shape(fill(other, values))
    assert same == (one == other or canonical(one) == canonical(other))


def canonical(skeleton: Any) -> Any:
    """Canonical form of a structure: an independent, simple model of query shapes."""
    if isinstance(skeleton, dict):
        return frozenset((name, canonical(inner)) for name, inner in skeleton.items())
    if isinstance(skeleton, list):  # the branches of an $or are an unordered set
        return frozenset(canonical(inner) for inner in skeleton)
    return None


def test_shape_contains_no_values() -> None:
    text = str(shape({"email": "ada@example.com", "age": {"$gt": 41}, "$or": [{"name": "Ada"}]}))
    assert "ada" not in text.lower()
    assert "41" not in text


def test_the_order_of_a_sort_matters() -> None:
    assert shape({}, sort={"a": 1, "b": -1}) != shape({}, sort={"b": -1, "a": 1})


def test_shape_of_an_update_lists_the_changed_fields() -> None:
    command = {"update": "t", "updates": [{"q": {"_id": 1}, "u": {"$set": {"b": 1}, "$inc": {"a": 1}}}]}
    assert query_shapes(command)[0].changes == ("a", "b")
    assert query_shapes({"update": "t", "updates": [{"q": {}, "u": {"a": 1}}]})[0].changes == ("*",)


def test_shape_of_a_pipeline_is_that_of_its_leading_stages() -> None:
    pipeline = [{"$match": {"a": 1}}, {"$sort": {"b": -1}}, {"$group": {"_id": "$c"}}, {"$match": {"d": 2}}]
    (found,) = query_shapes({"aggregate": "t", "pipeline": pipeline})
    assert (found.where, found.sort) == ('{"a":"?"}', (("b", -1),))


def test_commands_without_a_query_have_no_shape() -> None:
    assert query_shapes({"ping": 1}) == []
    assert query_shapes({"explain": {"find": "t"}}) == []
