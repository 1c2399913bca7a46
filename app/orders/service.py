"""Purchases and payments: money moves in transactions, and requests are idempotent."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError
from redis.asyncio import Redis

from app import clock
from app.accounts.service import AccountResults
from app.auth.roles import Plan
from app.connections import Database, Document
from app.database.concerns import from_secondary
from app.database.indexes import create_indexes
from app.database.query_cache import QueryCache
from app.database.transactions import Transactions
from app.http import pagination
from app.http.idempotency import IdempotentRequest
from app.http.pagination import PageQuery
from app.http.problems import CONFLICT, INSUFFICIENT_BALANCE, NOT_FOUND, UNAUTHENTICATED, Problem
from app.ids import new_id
from app.orders.catalog import CURRENCY, OFFERS, Offer, Product
from app.orders.schemas import (
    Catalog,
    NewOrder,
    NewPayment,
    OfferedProduct,
    Order,
    OrderPage,
    Payment,
    ProductRevenue,
    Revenue,
)
from app.telemetry import business_metrics

_PLANS_BY_RANK: Final = list(Plan)  # in ascending order of price

CATALOG: Final = Catalog(
    [
        OfferedProduct(product, offer.plan, offer.days, offer.price, CURRENCY)
        for product, offer in OFFERS.items()
    ]
)


class Orders:
    """Orders and payments in MongoDB. They change the balance and the plan of an account."""

    INDEXES = (
        IndexModel([("owner", ASCENDING), ("order", DESCENDING)], name="own"),
        IndexModel("request", unique=True, name="request"),
        IndexModel("day", name="day"),
    )
    PAYMENT_INDEXES = (
        IndexModel("request", unique=True, name="request"),
        IndexModel("account", name="own"),  # of the export of an account
    )

    def __init__(self, database: Database, redis: Redis, accounts: AccountResults) -> None:
        self._orders = database["orders"]
        self._payments = database["payments"]
        self._accounts = database["accounts"]
        self._reported = from_secondary(database, "orders")
        self._transactions = Transactions(database)
        self._account_results = accounts
        self.results: QueryCache[OrderPage] = QueryCache(redis, "orders", OrderPage)

    async def prepare(self) -> None:
        """Create the indexes; the unique ones make requests idempotent."""
        await create_indexes(self._orders, self.INDEXES)
        await create_indexes(self._payments, self.PAYMENT_INDEXES)

    async def place(self, account: str, body: NewOrder, request: IdempotentRequest) -> tuple[Order, bool]:
        """Buy a product from the balance. Return the order and whether it already existed.

        Raises :class:`Problem`: ``insufficient-balance`` if the balance is too low, ``conflict`` while a
        higher plan is active.
        """
        if existing := await self._orders.find_one({"request": request.name}):
            request.check(existing)
            return _order(existing), True
        offer = OFFERS[body.product]

        async def purchase(session: AsyncClientSession) -> Document:
            return await self._purchase(session, account, body.product, offer, request)

        try:
            async with self._account_results.writing(account), self.results.writing(account):
                document = await self._transactions.run(purchase)
        except DuplicateKeyError:
            # A concurrent retry of the same request was faster.
            if (existing := await self._orders.find_one({"request": request.name})) is None:
                raise
            request.check(existing)
            return _order(existing), True
        business_metrics.orders_placed.labels(body.product).inc()
        business_metrics.revenue.labels(body.product).inc(offer.price)
        return _order(document), False

    async def read(self, account: str, order_id: str) -> Order:
        """Return an order. Orders of another account are reported as 404."""
        document = await self._orders.find_one({"_id": order_id, "owner": account})
        if document is None:
            raise Problem(NOT_FOUND, "Order not found.")
        return _order(document)

    async def list_own(self, account: str, query: PageQuery) -> OrderPage:
        """Return a page of the account's orders, newest first."""
        before = query.before

        async def query_page() -> OrderPage:
            where: Document = {"owner": account} | ({"order": {"$lt": before}} if before else {})
            found = self._orders.find(where).sort("order", DESCENDING)
            documents = await found.limit(query.limit + 1).to_list()
            page, following = pagination.cut(documents, query.limit)
            return OrderPage([_order(document) for document in page], following)

        return await self.results.fetch(account, f"{query.limit} {before or ''}", query_page)

    async def pay_in(
        self, account: str, body: NewPayment, request: IdempotentRequest
    ) -> tuple[Payment, bool]:
        """Add to a balance. Return the payment and whether it already existed. Raises :class:`Problem`
        (404).
        """

        async def pay(session: AsyncClientSession) -> Document:
            return await self._pay(session, account, body.amount, request)

        existing = await self._payments.find_one({"request": request.name})
        replayed = existing is not None
        if existing is None:
            try:
                async with self._account_results.writing(account):
                    existing = await self._transactions.run(pay)
                business_metrics.payments.inc(body.amount)
            except DuplicateKeyError:
                existing = await self._payments.find_one({"request": request.name})
                if existing is None:
                    raise
                replayed = True
        request.check(existing)
        return _payment(existing), replayed

    async def revenue(self, first: date, last: date) -> Revenue:
        """Return the revenue of the days from ``first`` to ``last``, inclusive."""
        stages: list[Document] = [
            {"$match": {"day": {"$gte": first.isoformat(), "$lte": last.isoformat()}}},
            {"$group": {"_id": "$slot", "orders": {"$sum": 1}, "amount": {"$sum": "$price"}}},
        ]
        found = await (await self._reported.aggregate(stages)).to_list()
        items = sorted((_product_revenue(each) for each in found), key=lambda item: (item.day, item.product))
        return Revenue(
            first=first,
            last=last,
            currency=CURRENCY,
            orders=sum(item.orders for item in items),
            amount=sum(item.amount for item in items),
            items=items,
        )

    async def _purchase(
        self,
        session: AsyncClientSession,
        account: str,
        product: Product,
        offer: Offer,
        request: IdempotentRequest,
    ) -> Document:
        """Insert the order and update balance and plan in one transaction."""
        buyer = await self._accounts.find_one({"_id": account}, session=session)
        if buyer is None or "deleted_at" in buyer:
            raise Problem(UNAUTHENTICATED, "The account no longer exists.")
        now = clock.now()
        current = buyer.get("subscription")
        starts_at = now
        if current is not None and current["until"] > now:
            if _PLANS_BY_RANK.index(Plan(current["plan"])) > _PLANS_BY_RANK.index(offer.plan):
                raise Problem(
                    CONFLICT, f"The plan {current['plan']} is active until {current['until']:%Y-%m-%d}."
                )
            if current["plan"] == offer.plan:
                starts_at = current["until"]
        until = starts_at + timedelta(days=offer.days)
        # The condition is checked atomically with the update, independent of the earlier read.
        changed = await self._accounts.update_one(
            {"_id": account, "balance": {"$gte": offer.price}},
            {
                "$inc": {"balance": -offer.price},
                "$set": {"subscription": {"plan": offer.plan.value, "until": until}},
            },
            session=session,
        )
        if changed.matched_count == 0:
            detail = f"The price is {offer.price} cents; the balance is {buyer['balance']} cents."
            raise Problem(INSUFFICIENT_BALANCE, detail)
        order_id = new_id()
        day = f"{now:%Y-%m-%d}"
        document: Document = {
            "_id": order_id,
            "order": order_id,
            "owner": account,
            "product": product.value,
            "plan": offer.plan.value,
            "price": offer.price,
            "day": day,
            "slot": f"{day}/{product.value}",
            "placed": {"at": now, "until": until},
            **request.fields(),
        }
        await self._orders.insert_one(document, session=session)
        return document

    async def _pay(
        self, session: AsyncClientSession, account: str, amount: int, request: IdempotentRequest
    ) -> Document:
        changed = await self._accounts.find_one_and_update(
            {"_id": account, "deleted_at": {"$exists": False}},
            {"$inc": {"balance": amount}},
            return_document=True,
            session=session,
        )
        if changed is None:
            raise Problem(NOT_FOUND, "Account not found.")
        document: Document = {
            "_id": new_id(),
            "account": account,
            "amount": amount,
            "balance": changed["balance"],
            "paid": {"at": clock.now()},
            **request.fields(),
        }
        await self._payments.insert_one(document, session=session)
        return document


def _order(document: Document) -> Order:
    return Order(
        id=document["_id"],
        product=Product(document["product"]),
        plan=Plan(document["plan"]),
        price=document["price"],
        currency=CURRENCY,
        placed_at=document["placed"]["at"],
        plan_until=document["placed"]["until"],
    )


def _payment(document: Document) -> Payment:
    return Payment(
        id=document["_id"],
        account=document["account"],
        amount=document["amount"],
        currency=CURRENCY,
        paid_at=document["paid"]["at"],
        balance=document["balance"],
    )


def _product_revenue(group: Document) -> ProductRevenue:
    day, _, product = group["_id"].partition("/")
    return ProductRevenue(date.fromisoformat(day), Product(product), group["orders"], group["amount"])
