"""Products and their prices. Orders store the price paid, so prices may change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.auth.roles import Plan

CURRENCY: Final = "EUR"


class Product(StrEnum):
    """A product of the catalog."""

    CREATOR_MONTH = "creator-month"
    CREATOR_YEAR = "creator-year"
    STUDIO_MONTH = "studio-month"
    STUDIO_YEAR = "studio-year"


@dataclass(frozen=True)
class Offer:
    """A plan for a number of days, at a price in cents."""

    plan: Plan
    days: int
    price: int


OFFERS: Final = {
    Product.CREATOR_MONTH: Offer(Plan.CREATOR, 30, 900),
    Product.CREATOR_YEAR: Offer(Plan.CREATOR, 365, 9_000),
    Product.STUDIO_MONTH: Offer(Plan.STUDIO, 30, 4_900),
    Product.STUDIO_YEAR: Offer(Plan.STUDIO, 365, 49_000),
}
