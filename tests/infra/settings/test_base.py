"""The base of every section: names, unknown keys, immutability, and bounds of counts and durations."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from infra.settings.base import Count, Days, Percent, Seconds, Section


class Example(Section):
    """A section with one setting."""

    max_replicas: int


def test_settings_are_camel_case_in_the_stack_file() -> None:
    assert Example.model_validate({"maxReplicas": 3}).max_replicas == 3
    with pytest.raises(ValidationError, match="maxReplicas"):
        Example.model_validate({"max_replicas": 3})


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="maxReplica\n"):
        Example.model_validate({"maxReplicas": 3, "maxReplica": 4})


def test_a_setting_cannot_be_changed_after_it_was_validated() -> None:
    section: Any = Example.model_validate({"maxReplicas": 3})
    with pytest.raises(ValidationError, match="frozen"):
        section.max_replicas = 4


@pytest.mark.parametrize(
    ("kind", "minimum", "maximum"),
    [(Count, 1, 1000), (Percent, 1, 100), (Seconds, 0, 86_400), (Days, 1, 3650)],
    ids=["count", "percent", "seconds", "days"],
)
def test_bounds_are_inclusive(kind: Any, minimum: int, maximum: int) -> None:
    adapter: TypeAdapter[int] = TypeAdapter(kind)
    assert [adapter.validate_python(value) for value in (minimum, maximum)] == [minimum, maximum]
    for value in (minimum - 1, maximum + 1):
        with pytest.raises(ValidationError):
            adapter.validate_python(value)
