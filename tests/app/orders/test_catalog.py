"""The catalog: every product has an offer; a year costs less than twelve months."""

from __future__ import annotations

import pytest

from app.auth.roles import Plan
from app.orders.catalog import OFFERS, Product


def test_every_product_has_an_offer() -> None:
    assert set(OFFERS) == set(Product)
    assert all(offer.price > 0 and offer.days > 0 for offer in OFFERS.values())
    assert {offer.plan for offer in OFFERS.values()} == {Plan.CREATOR, Plan.STUDIO}


@pytest.mark.parametrize(
    ("month", "year"),
    [
        (Product.CREATOR_MONTH, Product.CREATOR_YEAR),
        (Product.STUDIO_MONTH, Product.STUDIO_YEAR),
    ],
)
def test_year_costs_less_than_twelve_months(month: Product, year: Product) -> None:
    assert OFFERS[month].plan is OFFERS[year].plan
    assert OFFERS[month].price < OFFERS[year].price < 12 * OFFERS[month].price
