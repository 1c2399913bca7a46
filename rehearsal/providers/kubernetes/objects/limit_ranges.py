"""Checks of a LimitRange: its bounds and defaults are in order (`ValidateLimitRange`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.api import parse_quantity
from rehearsal.providers.kubernetes.values import (
    given,
    items,
    mapping,
    opened,
    scalar,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

# In ascending order: each amount must not exceed the next.
_ORDER: Final = ("min", "defaultRequest", "default", "max")


def limit_range_problems(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of the limits of each type."""
    seen: set[Any] = set()
    for number, limit in enumerate(items(mapping(inputs.get("spec")).get("limits"))):
        if not isinstance(limit, Mapping):
            continue
        at, kind = ("spec", "limits", number), scalar(limit.get("type"))
        if kind in seen:
            yield problem((*at, "type"), f"{kind!r} has limits already")
        seen |= {kind} - {None, UNKNOWN}
        yield from _limit(limit, at)
        bounds = [opened(limit.get(name)) for name in ("max", "min")]
        if (
            kind == "PersistentVolumeClaim"
            and UNKNOWN not in bounds
            and not any("storage" in mapping(bound) for bound in bounds)
        ):
            yield problem(at, "max or min of storage is required for a PersistentVolumeClaim")
        for resource, ratio in mapping(limit.get("maxLimitRequestRatio")).items():
            amount = _amount(ratio)
            if amount is not None and amount < 1:
                yield problem((*at, "maxLimitRequestRatio", resource), f"{opened(ratio)} is less than 1")


def _limit(limit: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if scalar(limit.get("type")) == "Pod":
        for name in ("default", "defaultRequest"):
            if given(limit.get(name)):
                yield problem((*path, name), "may not be set where type is Pod")
        return
    for at, low in enumerate(_ORDER):
        for high in _ORDER[at + 1 :]:
            for resource, value in mapping(limit.get(low)).items():
                first, last = _amount(value), _amount(mapping(limit.get(high)).get(resource))
                if first is not None and last is not None and first > last:
                    reason = f"{opened(value)} is more than {high} ({opened(limit[high])[resource]})"
                    yield problem((*path, low, resource), reason)


def _amount(value: Any) -> Any:
    value = opened(value)
    known = isinstance(value, (str, int, float)) and value is not UNKNOWN
    return parse_quantity(value) if known else None
