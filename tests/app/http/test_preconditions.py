"""Conditions of changes."""

from __future__ import annotations

import msgspec
import pytest

from app.http.preconditions import check
from app.http.problems import PRECONDITION_FAILED, Problem
from app.http.responses import encode, entity_tag


class Thing(msgspec.Struct):
    name: str


THING = Thing("a")
TAG = entity_tag(encode(THING))


@pytest.mark.parametrize("condition", [None, "*", " * ", TAG, f'"other", {TAG}'])
def test_condition_holds(condition: str | None) -> None:
    check(condition, THING)


@pytest.mark.parametrize(
    "condition", ["", '"other"', f"W/{TAG}", TAG.strip('"'), f"*, {TAG[:-2]}", entity_tag(b"")]
)
def test_condition_fails(condition: str) -> None:
    with pytest.raises(Problem) as raised:
        check(condition, THING)
    assert raised.value.kind is PRECONDITION_FAILED
