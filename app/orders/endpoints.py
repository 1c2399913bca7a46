"""The routes of products, orders and payments."""

from __future__ import annotations

from typing import Final

from app.auth.roles import Role
from app.http import idempotency
from app.http.idempotency import REPLAYED, REQUIRED_KEY
from app.http.pagination import PageQuery
from app.http.problems import CONFLICT, INSUFFICIENT_BALANCE, KEY_REUSED
from app.http.routing import Access, RequestContext, Response, Routes
from app.ids import Id
from app.orders.schemas import (
    Catalog,
    NewOrder,
    NewPayment,
    Order,
    OrderPage,
    Payment,
)
from app.orders.service import CATALOG

products = Routes("/v1/products", tag="orders")
orders = Routes("/v1/orders", tag="orders")
payments = Routes("/v1/accounts", tag="orders")

_CACHEABLE: Final = (b"cache-control", b"public, max-age=300")


@products.get("", access=Access.ANYONE, response_headers=["Cache-Control"])
async def catalog(context: RequestContext) -> Response[Catalog]:
    """List the products."""
    return Response(CATALOG, headers=[_CACHEABLE])


@orders.post(
    "",
    status=201,
    problem_types=[CONFLICT, KEY_REUSED, INSUFFICIENT_BALANCE],
    headers=[REQUIRED_KEY],
    response_headers=["Location", "Idempotency-Replayed"],
)
async def place(context: RequestContext, body: NewOrder) -> Response[Order]:
    """Buy a plan, paid from the account's balance.

    Buying the current plan extends it; a higher plan starts immediately. Takes effect in each session at its
    next token refresh.
    """
    request = idempotency.required(context, body)
    order, replayed = await context.services.orders.place(context.session.account, body, request)
    location = (b"location", f"/v1/orders/{order.id}".encode())
    return Response(order, headers=[location, REPLAYED] if replayed else [location])


@orders.get("")
async def list_own(context: RequestContext, query: PageQuery) -> OrderPage:
    """List the account's orders, newest first."""
    return await context.services.orders.list_own(context.session.account, query)


@orders.get("/{order_id}")
async def read(context: RequestContext, order_id: Id) -> Order:
    """Get an order of the account."""
    return await context.services.orders.read(context.session.account, order_id)


@payments.post(
    "/{account_id}/payments",
    status=201,
    role=Role.ADMINISTRATOR,
    problem_types=[KEY_REUSED],
    headers=[REQUIRED_KEY],
    response_headers=["Idempotency-Replayed"],
)
async def pay_in(context: RequestContext, account_id: Id, body: NewPayment) -> Response[Payment]:
    """Add a received payment to an account's balance."""
    request = idempotency.required(context, body)
    payment, replayed = await context.services.orders.pay_in(account_id, body, request)
    return Response(payment, headers=[REPLAYED] if replayed else [])
