"""Bounds in any object: a minimum is at most the maximum of the same name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from rehearsal.providers.constraints.api.base import Found, number
from rehearsal.pulumi.properties import UNKNOWN, Path

# Words for a lower and an upper bound at the start of or within property names.
_PAIRS: Final = (("minimum", "maximum"), ("min", "max"), ("totalMin", "totalMax"))
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)s")


def ordered_bounds(inputs: Mapping[str, Any]) -> Found:
    """Yield lower bounds that are above their upper bound; an upper bound of 0 often means none."""
    yield from _object(inputs, ())


def _object(value: Any, path: Path) -> Found:
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, (Mapping, list)):
                yield from _object(item, (*path, index))
        return
    if not isinstance(value, Mapping):
        return
    for name, item in value.items():
        if isinstance(item, (Mapping, list)):
            yield from _object(item, (*path, name))
            continue
        for low, high in _PAIRS:
            rest = name.removeprefix(low)
            if rest == name or not rest[:1].isupper():
                continue
            first, last = _amount(item), _amount(value.get(f"{high}{rest}"))
            if first is not None and last and first > last:
                yield (*path, name), f"{item} is more than {high}{rest} ({value[f'{high}{rest}']})"


def _amount(value: Any) -> float | None:
    """Return a known number, also of seconds in a duration of Google's APIs."""
    if isinstance(value, str) and value is not UNKNOWN and (found := _DURATION.fullmatch(value)):
        return float(found[1])
    return number(value)
