"""Request and response bodies of the order routes. Amounts are integer cents."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from app.auth.roles import Plan
from app.orders.catalog import Product

Cents = Annotated[int, Meta(description="Amount in cents.")]


class OfferedProduct(msgspec.Struct, frozen=True):
    """A product: a plan for a number of days."""

    product: Product
    plan: Plan
    days: int
    price: Cents
    currency: str


class Catalog(msgspec.Struct, frozen=True):
    """All products."""

    items: list[OfferedProduct]


class NewOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Request to buy a product."""

    product: Product


class Order(msgspec.Struct):
    """A purchase. ``plan_until`` is the end of the plan after it."""

    id: str
    product: Product
    plan: Plan
    price: Cents
    currency: str
    placed_at: datetime
    plan_until: datetime


class OrderPage(msgspec.Struct):
    """A page of orders, newest first. ``next`` is the cursor of the next page, absent on the last page."""

    items: list[Order]
    next: str | None = None


class NewPayment(msgspec.Struct, forbid_unknown_fields=True):
    """A payment to record."""

    amount: Annotated[int, Meta(ge=1, le=1_000_000, description="Amount in cents.")]


class Payment(msgspec.Struct):
    """A recorded payment and the resulting balance."""

    id: str
    account: str
    amount: Cents
    currency: str
    paid_at: datetime
    balance: Cents


class ProductRevenue(msgspec.Struct):
    """Orders and revenue of a product on a day (UTC)."""

    day: date
    product: Product
    orders: int
    amount: Cents


class Revenue(msgspec.Struct):
    """Revenue of the days from ``first`` to ``last``, inclusive."""

    first: date
    last: date
    currency: str
    orders: int
    amount: Cents
    items: list[ProductRevenue]
