"""Orders: the balance is checked, plans extend and upgrade, requests are idempotent."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app import clock
from app.accounts.service import account_results
from app.auth.roles import Plan
from app.connections import Database
from app.http.idempotency import IdempotentRequest
from app.http.pagination import PageQuery
from app.http.problems import Problem
from app.orders.catalog import OFFERS, Product
from app.orders.schemas import NewOrder, NewPayment, Order
from app.orders.service import Orders

pytestmark = pytest.mark.anyio

PRICE = OFFERS[Product.CREATOR_MONTH].price


class Shop:
    def __init__(self, database: Database, redis: Redis) -> None:
        self.database = database
        self.orders = Orders(database, redis, account_results(redis))

    async def buy(self, product: Product = Product.CREATOR_MONTH, key: str = "") -> tuple[Order, bool]:
        request = IdempotentRequest(key or uuid4().hex, "fingerprint")
        return await self.orders.place("ada", NewOrder(product), request)

    async def balance(self) -> int:
        account = await self.database["accounts"].find_one({"_id": "ada"})
        assert account is not None
        return account["balance"]


@pytest.fixture
async def shop(own_database: Database, redis: Redis) -> Shop:
    shop = Shop(own_database, redis)
    await shop.orders.prepare()
    await own_database["accounts"].insert_one({"_id": "ada", "balance": PRICE})
    return shop


async def test_exact_balance_is_enough_and_one_cent_less_is_not(shop: Shop) -> None:
    await shop.database["accounts"].update_one({"_id": "ada"}, {"$set": {"balance": PRICE - 1}})
    with pytest.raises(Problem) as caught:
        await shop.buy()
    assert (caught.value.kind.status, await shop.balance()) == (402, PRICE - 1)
    await shop.orders.pay_in("ada", NewPayment(1), IdempotentRequest("pay", "fingerprint"))
    order, replayed = await shop.buy()
    assert (order.plan, order.price, replayed, await shop.balance()) == (Plan.CREATOR, PRICE, False, 0)


async def test_repeated_order_is_paid_once(shop: Shop) -> None:
    first, _ = await shop.buy(key="key")
    again, replayed = await shop.buy(key="key")
    assert (again.id, replayed, await shop.balance()) == (first.id, True, 0)


async def test_same_plan_is_extended_and_a_lower_one_conflicts(shop: Shop) -> None:
    await shop.database["accounts"].update_one({"_id": "ada"}, {"$set": {"balance": 100_000}})
    first, _ = await shop.buy()
    second, _ = await shop.buy()
    assert second.plan_until - first.plan_until == timedelta(days=30)
    higher, _ = await shop.buy(Product.STUDIO_MONTH)
    assert abs(higher.plan_until - clock.now() - timedelta(days=30)) < timedelta(minutes=1)
    with pytest.raises(Problem) as caught:
        await shop.buy()
    assert caught.value.kind.status == 409


async def test_repeated_payment_is_added_once(shop: Shop) -> None:
    request = IdempotentRequest("pay", "fingerprint")
    first, replayed = await shop.orders.pay_in("ada", NewPayment(50), request)
    again, replayed_again = await shop.orders.pay_in("ada", NewPayment(50), request)
    assert (first.balance, again.id) == (PRICE + 50, first.id)
    assert (replayed, replayed_again, await shop.balance()) == (False, True, PRICE + 50)
    with pytest.raises(Problem) as caught:
        await shop.orders.pay_in("missing", NewPayment(50), IdempotentRequest("other", "fingerprint"))
    assert caught.value.kind.status == 404


async def test_orders_of_other_accounts_are_not_found(shop: Shop) -> None:
    order, _ = await shop.buy()
    assert (await shop.orders.read("ada", order.id)).id == order.id
    assert [item.id for item in (await shop.orders.list_own("ada", PageQuery())).items] == [order.id]
    with pytest.raises(Problem) as caught:
        await shop.orders.read("eve", order.id)
    assert caught.value.kind.status == 404
    assert (await shop.orders.list_own("eve", PageQuery())).items == []


async def test_revenue_includes_both_ends_of_the_range(shop: Shop) -> None:
    await shop.buy()
    today = clock.now().date()
    day = timedelta(days=1)
    for first, last, orders in (
        (today, today, 1),
        (today - day, today, 1),
        (today, today + day, 1),
        (today + day, today + day, 0),
        (today - day, today - day, 0),
    ):
        revenue = await shop.orders.revenue(first, last)
        assert (revenue.orders, revenue.amount) == (orders, orders * PRICE)


async def test_deleted_account_neither_buys_nor_is_paid(shop: Shop) -> None:
    await shop.database["accounts"].update_one({"_id": "ada"}, {"$set": {"deleted_at": clock.now()}})
    for call, status in (
        (shop.buy(), 401),
        (shop.orders.pay_in("ada", NewPayment(50), IdempotentRequest("pay", "fingerprint")), 404),
    ):
        with pytest.raises(Problem) as caught:
            await call
        assert caught.value.kind.status == status
    assert await shop.balance() == PRICE
