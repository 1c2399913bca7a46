"""Changes of monthly costs in USD, at the minimum and the maximum scale."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from policies.api import Costs, Line
from rehearsal.pulumi.urn import name_of

_CENT = 0.005  # smaller differences are not visible after rounding


@dataclass(frozen=True)
class Position:
    """One cost item before and after the change, each as (minimum, maximum); (0, 0) if it is absent."""

    resource: str
    what: str
    before: tuple[float, float]
    after: tuple[float, float]


def positions(before: Costs | None, after: Costs | None) -> tuple[Position, ...]:
    """Return the items whose amounts differ, the largest difference first."""
    was, now = _keyed(before), _keyed(after)
    found = []
    for key in {**now, **was}:
        old, new = was.get(key), now.get(key)
        line = new or old
        assert line is not None
        position = Position(
            name_of(line.urn),
            line.what,
            (old.minimum, old.maximum) if old else (0.0, 0.0),
            (new.minimum, new.maximum) if new else (0.0, 0.0),
        )
        # Leave out items whose amounts are displayed as equal.
        if span(*position.before) != span(*position.after):
            found.append(position)
    found.sort(key=lambda item: (-abs(item.after[1] - item.before[1]), item.resource, item.what))
    return tuple(found)


def span(minimum: float, maximum: float) -> str:
    """Return ``1,234 to 5,678``, or one number if both are equal when rounded."""
    low, high = f"{minimum:,.0f}", f"{maximum:,.0f}"
    return low if low == high else f"{low} to {high}"


def delta(before: Costs, after: Costs) -> str:
    """Return the change at the maximum scale, or at the minimum scale if only that changes.

    The text has a sign, such as ``+340``; it is ``±0`` if nothing changes.
    """
    low, high = after.minimum - before.minimum, after.maximum - before.maximum
    change = high if abs(high) >= _CENT else low
    if abs(change) < _CENT:
        return "±0"
    return f"{change:+,.2f}" if abs(change) < 10 else f"{change:+,.0f}"


def unpriced(costs: Costs) -> list[tuple[str, list[str]]]:
    """Return (reason, names) of the resources without a price, the most frequent reason first."""
    reasons = Counter(item.why for item in costs.unpriced)
    return [
        (why, sorted(name_of(item.urn) for item in costs.unpriced if item.why == why))
        for why, _ in reasons.most_common()
    ]


def stand_ins(costs: Costs) -> list[tuple[str, list[str]]]:
    """Return (region, names) of the resources that are priced as in another region, by that region."""
    regions = sorted({line.stand_in for line in costs.lines if line.stand_in})
    return [
        (region, sorted({name_of(line.urn) for line in costs.lines if line.stand_in == region}))
        for region in regions
    ]


def _keyed(costs: Costs | None) -> dict[tuple[str, int], Line]:
    """Return the lines by resource and position; their texts contain the numbers that change."""
    keyed: dict[tuple[str, int], Line] = {}
    seen: Counter[str] = Counter()
    for line in costs.lines if costs is not None else ():
        keyed[line.urn, seen[line.urn]] = line
        seen[line.urn] += 1
    return keyed
