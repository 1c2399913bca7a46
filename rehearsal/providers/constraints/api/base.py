"""Building blocks of the checks: access to values that may be unknown, and common rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rehearsal.pulumi.properties import UNKNOWN, Path

Found = Iterator[tuple[Path, str]]
Check = Callable[[Mapping[str, Any]], Found]


def one_of(*names: str) -> Check:
    """Return a check that exactly one of several properties is set."""

    def check(inputs: Mapping[str, Any]) -> Found:
        given = [name for name in names if inputs.get(name) is not None]
        if len(given) > 1:
            for name in given:
                yield (name,), f"only one of {', '.join(names)} may be set; {', '.join(given)} are"
        elif not given:
            yield (names[0],), f"one of {', '.join(names)} must be set"

    return check


def required_where(name: str, needed: Mapping[str, Sequence[str]], *, empty: bool = False) -> Check:
    """Return a check that properties are set where the property `name` has one of the values in `needed`.

    `empty`: an empty or zero value is a value too.
    """

    def check(inputs: Mapping[str, Any]) -> Found:
        value = text(inputs.get(name))
        for required in needed.get(value or "", ()):
            held = inputs.get(required)
            if held is None if empty else missing(held):
                yield (required,), f"required where {name} is {value}"

    return check


def at(value: Any, *path: str) -> Any:
    """Return the value at a path of objects, None where there is none, UNKNOWN below an unknown object."""
    for step in path:
        if value is UNKNOWN:
            return UNKNOWN
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def items(value: Any) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the objects of a list with their positions; none where the list is not known."""
    if not isinstance(value, list):
        return []
    return [(number, item) for number, item in enumerate(value) if isinstance(item, Mapping)]


def texts(value: Any) -> list[tuple[int, str]]:
    """Return the known texts of a list with their positions."""
    if not isinstance(value, list):
        return []
    return [(number, item) for number, item in enumerate(value) if isinstance(item, str) and item != UNKNOWN]


def given(value: Any) -> bool:
    """Return whether a value is known, and not empty."""
    return value is not UNKNOWN and bool(value)


def missing(value: Any) -> bool:
    """Return whether a value is known to be absent or empty."""
    return value is not UNKNOWN and not value


def text(value: Any) -> str | None:
    """Return a known text, else None."""
    return value if isinstance(value, str) and value is not UNKNOWN else None


def number(value: Any) -> float | None:
    """Return a known number, also one that is written as a text, else None."""
    if isinstance(value, bool) or value is UNKNOWN or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None
