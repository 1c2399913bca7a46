"""Kubernetes quantities: `500m`, `1.5`, `128Mi`, `2e3`, as exact numbers."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_SUFFIXES: Final[dict[str, Decimal]] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}
_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?")


def quantity(value: str | float) -> Decimal:
    """The number that a quantity stands for: cores, bytes or a count. Raises ValueError for another form."""
    if not isinstance(value, str):
        return Decimal(str(value))
    match = _FORM.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"{value!r} is not a quantity: write a number with a suffix such as 500m or 128Mi")
    number, exponent, suffix = match.groups()
    if exponent:
        return Decimal(number).scaleb(int(exponent))
    return Decimal(number) * _SUFFIXES[suffix or ""]


def written(amount: Decimal) -> str:
    """`amount` the way kubectl shows it: milli for fractions, a binary suffix where it divides evenly."""
    if amount != amount.to_integral_value():
        return f"{(amount * 1000).normalize():f}m"
    for suffix in ("Ti", "Gi", "Mi", "Ki"):
        unit = _SUFFIXES[suffix]
        if amount and amount % unit == 0:
            return f"{int(amount / unit)}{suffix}"
    return f"{int(amount)}"
