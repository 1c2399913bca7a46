"""Quantities, exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rehearsal.host.kubernetes.quantities import quantity, written


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("500m", "0.5"),
        ("1.5", "1.5"),
        (2, "2"),
        ("128Mi", str(128 * 2**20)),
        ("2e3", "2000"),
        ("1k", "1000"),
        ("100n", "1E-7"),
    ],
)
def test_quantity_is_parsed(text: str | float, amount: str) -> None:
    assert quantity(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "1 Gi", "1GB", "x"])
def test_malformed_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        quantity(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0"),
        ("0.5", "500m"),
        ("1.25", "1250m"),
        ("3", "3"),
        ("1000", "1000"),
        ("1024", "1Ki"),
        (str(3 * 2**30), "3Gi"),
        (str(2**40), "1Ti"),
        (str(2**30 + 2**20), "1025Mi"),
    ],
)
def test_amount_is_written_as_kubectl_does(amount: str, text: str) -> None:
    assert written(Decimal(amount)) == text
    assert quantity(text) == Decimal(amount)
