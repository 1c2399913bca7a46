"""Kubernetes quantities (``500m``, ``1.5Gi``, ``2e3``) and the int-or-percent of rollouts, exactly.

Grammar: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any, Final

_FORM: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(m|[kMGTPE]i?|Ki|[nu]|[eE][+-]?\d+)?")
_SCALE: Final = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    **{unit: Fraction(1000 ** (power + 2)) for power, unit in enumerate("MGTPE")},
    **{f"{unit}i": Fraction(1024 ** (power + 1)) for power, unit in enumerate("KMGTPE")},
}


def parse(value: Any) -> Fraction | None:
    """The exact number of a quantity; None for what is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return Fraction(str(value))
    match = _FORM.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    number, unit = match.groups()
    if unit is None:
        return Fraction(number)
    if unit in _SCALE:
        return Fraction(number) * _SCALE[unit]
    return Fraction(number) * Fraction(10) ** int(unit[1:])


def show(key: str, amount: Fraction) -> str:
    """`amount` of the resource `key` for people: ``12.5`` CPUs, ``48 Gi`` of memory, plain numbers else."""
    if key.endswith(("memory", "storage")):
        for unit in ("Ti", "Gi", "Mi"):
            if abs(amount) >= _SCALE[unit]:
                return f"{float(amount / _SCALE[unit]):.4g}{unit}"
    return f"{float(amount):.6g}"


def int_or_percent(value: Any, total: int, *, up: bool) -> int | None:
    """A rollout's number: an integer as it is, a percentage of `total` rounded as the controllers do."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\d+%", value.strip()):
        share = Fraction(int(value.strip()[:-1]) * total, 100)
        return math.ceil(share) if up else math.floor(share)
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return None
