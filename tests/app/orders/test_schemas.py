"""Bodies of the order routes: bounds of a payment, known products only."""

from __future__ import annotations

import msgspec
import pytest

from app.orders.schemas import NewOrder, NewPayment


@pytest.mark.parametrize("amount", [1, 1_000_000])
def test_payment_within_its_bounds_is_accepted(amount: int) -> None:
    assert msgspec.convert({"amount": amount}, NewPayment).amount == amount


@pytest.mark.parametrize("amount", [0, -1, 1_000_001, 1.5, "1"])
def test_payment_outside_of_its_bounds_is_rejected(amount: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"amount": amount}, NewPayment)


def test_unknown_product_is_rejected() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"product": "gold-month"}, NewOrder)
