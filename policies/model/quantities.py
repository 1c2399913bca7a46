"""Parse Kubernetes quantities (``500m``, ``1.5Gi``, ``2e3``) and int-or-percent values exactly.

Grammar and rounding: ``resource.ParseQuantity`` of k8s.io/apimachinery. A quantity is rounded up to a
multiple of 1n. Numbers beyond
:data:`MAX_AMOUNT` are capped, so that parsing takes the same time for every exponent.
"""

from __future__ import annotations

import decimal
import functools
import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

# Above the API server's maximum (2**63 - 1), and small enough for fast arithmetic.
MAX_AMOUNT: Final = Fraction(10**40)
_MAX_DIGITS: Final = 1_000
_NANO: Final = Fraction(1, 10**9)
_FORM: Final = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_PERCENT: Final = re.compile(r"[0-9]{1,9}%")
_SCALE: Final = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    **{unit: Fraction(1000 ** (power + 2)) for power, unit in enumerate("MGTPE")},
    **{f"{unit}i": Fraction(1024 ** (power + 1)) for power, unit in enumerate("KMGTPE")},
}
_CONTEXT: Final = decimal.Context(prec=_MAX_DIGITS + 64, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)


def parse(value: Any) -> Fraction | None:
    """Return the exact number of a quantity, or None when `value` is not a quantity.

    Numbers are accepted as the API server accepts them in JSON; booleans, NaN and infinities are not.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return max(-MAX_AMOUNT, min(Fraction(value), MAX_AMOUNT))
    if isinstance(value, float):
        return parse(repr(value)) if math.isfinite(value) else None
    if not isinstance(value, str) or len(value) > _MAX_DIGITS:
        return None
    return _parsed(value)


# Manifests repeat few quantities.
@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> Fraction | None:
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    number, unit = match.groups()
    exponent = ""
    if unit is not None and unit not in _SCALE:
        exponent = f"e{unit[1:]}"
    return _bounded(number + exponent, _SCALE.get(unit or "", Fraction(1)))


def _bounded(text: str, scale: Fraction) -> Fraction | None:
    """Return `text` times `scale`: rounded up to 1n away from zero, and capped."""
    try:
        number = _CONTEXT.create_decimal(text)
    except decimal.DecimalException:
        return None
    if not number.is_finite():
        return None
    if not number:
        return Fraction(0)
    sign = -1 if number < 0 else 1
    if number.adjusted() > 45:
        return sign * MAX_AMOUNT
    if number.adjusted() < -45:
        return sign * _NANO
    exact = abs(Fraction(Decimal(number))) * scale
    return sign * min(math.ceil(exact / _NANO) * _NANO, MAX_AMOUNT)


def show(key: str, amount: Fraction) -> str:
    """Format `amount` of the resource `key`: bytes with the largest binary suffix that loses nothing.

    >>> show("requests.memory", Fraction(10241 * 2**20))
    '10241Mi'
    """
    if key.endswith(("memory", "storage")) or "hugepages-" in key:
        for unit in ("Ti", "Gi", "Mi", "Ki"):
            count = amount / _SCALE[unit]
            if abs(count) >= 1 and (count * 100).denominator == 1:
                return f"{_decimal(count)}{unit}"
    return _decimal(amount)


def _decimal(amount: Fraction) -> str:
    """Format with up to nine decimals, without trailing zeros and without an exponent."""
    whole = round(amount * 10**9)
    sign = "-" if whole < 0 else ""
    integer, part = divmod(abs(whole), 10**9)
    return f"{sign}{integer}" + (f".{part:09}".rstrip("0") if part else "")


def int_or_percent(value: Any, total: int, *, up: bool) -> int | None:
    """Resolve an integer or a percentage of `total`, rounded up or down as the controllers do.

    Return None for anything else, also for a number written as text, which the API server rejects
    (``intstr.GetScaledValueFromIntOrPercent`` of k8s.io/apimachinery).
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value) if math.isfinite(value) else None
    if isinstance(value, str) and _PERCENT.fullmatch(value):
        share = Fraction(int(value[:-1]) * total, 100)
        return math.ceil(share) if up else math.floor(share)
    return None
