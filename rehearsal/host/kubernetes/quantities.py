"""Parse and format Kubernetes quantities such as `500m`, `1.5`, `128Mi` and `2e3`, exactly."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Final

from policies.api import parse_quantity

_UNITS: Final = {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGT", 1)}


@lru_cache(maxsize=1024)  # autoscalers parse the same few quantities on every sync
def quantity(value: str | float) -> Decimal:
    """Parse a quantity into cores, bytes or a count. Raises ValueError if it is malformed."""
    amount = parse_quantity(value)
    if amount is None:
        raise ValueError(f"{value!r} is not a quantity: write a number with a suffix such as 500m or 128Mi")
    return Decimal(amount.numerator) / Decimal(amount.denominator)


def written(amount: Decimal) -> str:
    """Format `amount` as kubectl does: milli for fractions, a binary suffix for exact multiples."""
    if amount != amount.to_integral_value():
        return f"{(amount * 1000).normalize():f}m"
    for suffix in ("Ti", "Gi", "Mi", "Ki"):
        unit = _UNITS[suffix]
        if amount and amount % unit == 0:
            return f"{int(amount / unit)}{suffix}"
    return f"{int(amount)}"
