"""Search for the highest rate at which a measurement holds."""

from __future__ import annotations

from collections.abc import Callable


def search(measure: Callable[[float], bool], first: float, maximum: float, bisections: int) -> None:
    """Call ``measure`` with rates: doubled while it holds, then bisected between the last two."""
    low, high = 0.0, first
    while measure(high):
        low, high = high, high * 2
        if high > maximum:
            return
    for _ in range(bisections):
        middle = (low + high) / 2
        if measure(middle):
            low = middle
        else:
            high = middle
