"""Bodies of the routes about money. All amounts are whole cents of one currency."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from app.auth.roles import Plan
from app.orders.catalogue import Product

Cents = Annotated[int, Meta(description="In cents.")]


class OfferedProduct(msgspec.Struct, frozen=True):
    """What can be bought: a plan for so many days."""

    product: Product
    plan: Plan
    days: int
    price: Cents
    currency: str


class Catalogue(msgspec.Struct, frozen=True):
    """All that can be bought."""

    items: list[OfferedProduct]


class NewOrder(msgspec.Struct, forbid_unknown_fields=True):
    """What to buy."""

    product: Product


class Order(msgspec.Struct):
    """A purchase. ``plan_until``: how long the plan lasts with it."""

    id: str
    product: Product
    plan: Plan
    price: Cents
    currency: str
    placed_at: datetime
    plan_until: datetime


class OrderPage(msgspec.Struct):
    """Part of a list, newest first. ``next`` is the cursor of the following part, if there is one."""

    items: list[Order]
    next: str | None = None


class NewPayment(msgspec.Struct, forbid_unknown_fields=True):
    """Money that was paid in."""

    amount: Annotated[int, Meta(ge=1, le=1_000_000, description="In cents.")]


class Payment(msgspec.Struct):
    """Money that was paid in, and what the account can spend with it."""

    id: str
    account: str
    amount: Cents
    currency: str
    paid_at: datetime
    balance: Cents


class Takings(msgspec.Struct):
    """What a product brought in on a day (UTC)."""

    day: date
    product: Product
    orders: int
    amount: Cents


class Revenue(msgspec.Struct):
    """What came in between two days, both included."""

    first: date
    last: date
    currency: str
    orders: int
    amount: Cents
    items: list[Takings]
