"""Functions without a model: checked arguments, and results from the declared type."""

from __future__ import annotations

import pytest

from rehearsal.providers.function_results import UNKNOWN_TEXT, DeclaredFunction, declared_function
from rehearsal.providers.outputs import Place
from rehearsal.providers.validation import Rules

PLACE = Place("kingdom-test", "europe-west1")


@pytest.fixture(scope="module")
def function() -> DeclaredFunction:
    found = declared_function("gcp:storage/getBucket:getBucket")
    assert found is not None
    return found


@pytest.mark.parametrize(
    "token",
    ["getBucket", "gcp:storage/getBuckts:getBuckts", "gcp:nowhere/getBucket:getBucket", "aws:s3:get"],
)
def test_function_of_no_sdk_is_unknown(token: str) -> None:
    assert declared_function(token) is None


def test_arguments_have_their_names_on_the_wire(function: DeclaredFunction) -> None:
    assert {"name", "project"} <= set(function.arguments)
    assert "opts" not in function.arguments


def test_undeclared_and_wrong_arguments_are_problems(function: DeclaredFunction) -> None:
    rules = Rules(coerces=True)
    assert list(function.problems({"name": "a", "project": None}, rules)) == []
    [unknown] = function.problems({"nam": "a"}, rules)
    assert (unknown.path, "takes: name" in unknown.reason) == ("nam", True)
    [wrong] = function.problems({"name": ["a"]}, rules)
    assert wrong.path == "name"


def test_result_repeats_arguments_and_is_the_same_for_the_same_ones(function: DeclaredFunction) -> None:
    found = function.returns({"name": "media"}, PLACE, preview=False)
    assert found["name"] == "media"
    assert found["location"] == "europe-west1"
    assert function.returns({"name": "media"}, PLACE, preview=False) == found
    assert function.returns({"name": "other"}, PLACE, preview=False)["selfLink"] != found["selfLink"]


def test_lists_of_the_result_are_never_empty(function: DeclaredFunction) -> None:
    found = function.returns({"name": "media"}, PLACE, preview=False)
    lists = {name: value for name, value in found.items() if isinstance(value, list)}
    assert lists
    assert all(lists.values())


def test_text_is_unknown_in_a_preview_and_the_shape_is_known(function: DeclaredFunction) -> None:
    known = function.returns({"name": "media"}, PLACE, preview=False)
    preview = function.returns({"name": "media"}, PLACE, preview=True)
    assert preview["name"] == "media"
    assert preview["selfLink"] == UNKNOWN_TEXT
    assert preview.keys() == known.keys()
    assert all(isinstance(preview[name], type(value)) for name, value in known.items())
