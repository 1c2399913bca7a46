"""Check resources against the plan of a Cloudflare zone: types, settings, values and numbers of rules.

``cloudflare_plans.jsonl`` has a header line with its source and one line per entitlement:

| key | meaning |
| --- | --- |
| `type` | type token of the resource |
| `where` | condition: top-level properties and the values that they must have |
| `path` | restricted property, with `*` for the items of a list; absent: the resource itself |
| `plan` | the lowest plan that includes it |
| `values`, `matches` | the plan is needed only for these values, or for texts that match this expression |
| `max`, `min` | bounds by plan, of a number or of the number of items in a list |
| `except` | values that the bounds do not apply to |
| `counts` | `characters`: the bounds apply to the length of a text |
| `error` | code of the error that Cloudflare returns, if known |
| `source` | page of Cloudflare's documentation |
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from rehearsal.providers.constraints.api.base import number
from rehearsal.pulumi.properties import UNKNOWN

PLANS: Final = ("free", "pro", "business", "enterprise")
_DATA: Final = Path(__file__).with_suffix(".jsonl")

Entitlement = Mapping[str, Any]


@cache
def entitlements() -> Mapping[str, tuple[Entitlement, ...]]:
    """Return all entitlements by type token."""
    found: dict[str, list[Entitlement]] = defaultdict(list)
    for line in _DATA.read_text(encoding="utf-8").splitlines()[1:]:
        item = json.loads(line)
        found[item["type"]].append(item)
    return {type_: tuple(items) for type_, items in found.items()}


def refused(plan: str, type_: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (failure, remedy) for each part of a resource that `plan` does not include.

    Unknown values are valid.
    """
    for item in entitlements().get(type_, ()):
        if any(inputs.get(name) not in values for name, values in item.get("where", {}).items()):
            continue
        if "plan" in item:
            yield from _not_included(item, plan, inputs)
        else:
            yield from _out_of_bounds(item, plan, inputs)


def _not_included(item: Entitlement, plan: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    needed = item["plan"]
    if PLANS.index(plan) >= PLANS.index(needed):
        return
    remedy = f"Declare it on the plan {needed}" + ("" if needed == PLANS[-1] else " or a higher one")
    if "error" in item:
        yield f"the plan {plan} may neither set nor read it, not even as off (error {item['error']})", remedy
    elif "path" not in item:
        what = " ".join(str(inputs[name]) for name in item.get("where", {}))
        yield f"the plan {plan} does not include {what or 'it'} ({item['source']})", remedy
    else:
        for path, value in _values(inputs, item["path"].split("."), ""):
            if _is_restricted(item, value):
                yield f"{path} needs the plan {needed}, and the zone has {plan} ({item['source']})", remedy


def _is_restricted(item: Entitlement, value: Any) -> bool:
    if "values" in item:
        return value in item["values"]
    if "matches" in item:
        return isinstance(value, str) and re.search(item["matches"], value) is not None
    return value not in (None, [], {})


def _out_of_bounds(item: Entitlement, plan: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    max_value, min_value = item.get("max", {}).get(plan), item.get("min", {}).get(plan)
    for path, value in _values(inputs, item["path"].split("."), ""):
        counted = isinstance(value, list) or "counts" in item
        size = float(len(value)) if counted else number(value)
        if size is None or (not counted and value in item.get("except", ())):
            continue
        words = f"{path} has {size:g} {item.get('counts', 'items')}" if counted else f"{path} is {size:g}"
        if max_value is not None and size > max_value:
            reason = f"{words}; the plan {plan} allows at most {max_value} ({item['source']})"
            yield reason, "Change it, or choose a higher plan"
        if min_value is not None and size < min_value:
            reason = f"{words}; the plan {plan} allows no less than {min_value} ({item['source']})"
            yield reason, "Change it, or choose a higher plan"


def _values(value: Any, steps: list[str], path: str) -> Iterator[tuple[str, Any]]:
    """Yield (path, value) for each known value that the steps, with `*` for any index, lead to."""
    if value is None or value is UNKNOWN:
        return
    if not steps:
        yield path, value
        return
    step, *rest = steps
    if step == "*":
        for position, item in enumerate(value if isinstance(value, list) else ()):
            yield from _values(item, rest, f"{path}[{position}]")
    elif isinstance(value, Mapping):
        yield from _values(value.get(step), rest, f"{path}.{step}" if path else step)
