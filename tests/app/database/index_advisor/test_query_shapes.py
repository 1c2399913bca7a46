from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.database.index_advisor.query_shapes import Shape, query_shapes

FIELDS = st.sampled_from(["owner", "state", "order", "a.b", "email"])
COMPARISONS = st.sampled_from(["$gt", "$lt", "$in", "$exists", "$ne"])
LITERALS = st.one_of(st.integers(), st.text(max_size=5), st.none(), st.booleans(), st.just({"x": 1}))


def fill(skeleton: dict[str, Any], literals: list[Any]) -> dict[str, Any]:
    """A filter of that structure with values from the list, over and over."""
    at = 0

    def value() -> Any:
        nonlocal at
        at += 1
        return literals[at % len(literals)]

    def put(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: [value(), value()] if name == "$in" else put(inner) for name, inner in part.items()}
        return [put(inner) for inner in part] if isinstance(part, list) else value()

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
def test_other_values_are_the_same_shape(skeleton: dict[str, Any], one: list[Any], other: list[Any]) -> None:
    assert shape(fill(skeleton, one)) == shape(fill(skeleton, other))


@given(SKELETONS, VALUES)
def test_the_order_of_conditions_does_not_matter(skeleton: dict[str, Any], values: list[Any]) -> None:
    turned = dict(reversed(skeleton.items()))
    assert shape(fill(skeleton, values)) == shape(fill(turned, values))


@given(SKELETONS, SKELETONS, VALUES)
def test_another_structure_is_another_shape(
    one: dict[str, Any], other: dict[str, Any], values: list[Any]
) -> None:
    same = shape(fill(one, values)) == shape(fill(other, values))
    assert same == (one == other or canonical(one) == canonical(other))


def canonical(skeleton: Any) -> Any:
    """Structures that mean the same are equal after this: an independent, simple model."""
    if isinstance(skeleton, dict):
        return frozenset((name, canonical(inner)) for name, inner in skeleton.items())
    if isinstance(skeleton, list):  # of an $or: in no order, each once
        return frozenset(canonical(inner) for inner in skeleton)
    return None


def test_no_value_is_in_a_shape() -> None:
    text = str(shape({"email": "ada@example.com", "age": {"$gt": 41}, "$or": [{"name": "Ada"}]}))
    assert "ada" not in text.lower()
    assert "41" not in text


def test_the_order_of_a_sort_matters() -> None:
    assert shape({}, sort={"a": 1, "b": -1}) != shape({}, sort={"b": -1, "a": 1})


def test_an_update_names_what_it_changes() -> None:
    command = {"update": "t", "updates": [{"q": {"_id": 1}, "u": {"$set": {"b": 1}, "$inc": {"a": 1}}}]}
    assert query_shapes(command)[0].changes == ("a", "b")
    assert query_shapes({"update": "t", "updates": [{"q": {}, "u": {"a": 1}}]})[0].changes == ("*",)


def test_a_pipeline_is_known_by_how_it_begins() -> None:
    pipeline = [{"$match": {"a": 1}}, {"$sort": {"b": -1}}, {"$group": {"_id": "$c"}}, {"$match": {"d": 2}}]
    (found,) = query_shapes({"aggregate": "t", "pipeline": pipeline})
    assert (found.where, found.sort) == ('{"a":"?"}', (("b", -1),))


def test_what_is_no_query_has_no_shape() -> None:
    assert query_shapes({"ping": 1}) == []
    assert query_shapes({"explain": {"find": "t"}}) == []
