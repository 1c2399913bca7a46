"""The routes of products, orders and payments."""

from __future__ import annotations

from typing import Final

from app.auth.roles import Role
from app.http import idempotency
from app.http.idempotency import REPLAYED, REQUIRED_KEY
from app.http.pagination import PageQuery
from app.http.problems import CONFLICT, KEY_REUSED, PAYMENT_REQUIRED
from app.http.routing import Access, Answer, Call, Routes
from app.ids import Id
from app.orders.schemas import (
    Catalogue,
    NewOrder,
    NewPayment,
    Order,
    OrderPage,
    Payment,
)
from app.orders.service import CATALOGUE

products = Routes("/v1/products", tag="orders")
orders = Routes("/v1/orders", tag="orders")
payments = Routes("/v1/accounts", tag="orders")

_CACHEABLE: Final = (b"cache-control", b"public, max-age=300")


@products.get("", access=Access.ANYONE, answer_headers=["Cache-Control"])
async def catalogue(call: Call) -> Answer[Catalogue]:
    """List the products."""
    return Answer(CATALOGUE, headers=[_CACHEABLE])


@orders.post(
    "",
    status=201,
    kinds=[CONFLICT, KEY_REUSED, PAYMENT_REQUIRED],
    headers=[REQUIRED_KEY],
    answer_headers=["Location", "Idempotency-Replayed"],
)
async def place(call: Call, body: NewOrder) -> Answer[Order]:
    """Buy a plan, paid from the account's balance.

    Buying the current plan extends it; a higher plan starts immediately. Takes effect in each session at its
    next token refresh.
    """
    request = idempotency.required(call, body)
    order, replayed = await call.services.orders.place(call.session.account, body, request)
    location = (b"location", f"/v1/orders/{order.id}".encode())
    return Answer(order, headers=[location, REPLAYED] if replayed else [location])


@orders.get("")
async def list_own(call: Call, query: PageQuery) -> OrderPage:
    """List the account's orders, newest first."""
    return await call.services.orders.list_own(call.session.account, query)


@orders.get("/{order_id}")
async def read(call: Call, order_id: Id) -> Order:
    """Get an order of the account."""
    return await call.services.orders.read(call.session.account, order_id)


@payments.post(
    "/{account_id}/payments",
    status=201,
    role=Role.ADMINISTRATOR,
    kinds=[KEY_REUSED],
    headers=[REQUIRED_KEY],
    answer_headers=["Idempotency-Replayed"],
)
async def pay_in(call: Call, account_id: Id, body: NewPayment) -> Answer[Payment]:
    """Add a received payment to an account's balance."""
    request = idempotency.required(call, body)
    payment, replayed = await call.services.orders.pay_in(account_id, body, request)
    return Answer(payment, headers=[REPLAYED] if replayed else [])
