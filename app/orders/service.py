"""Purchases and payments: money moves in transactions, and a request that is sent twice moves it once."""

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
from app.database.concerns import reported
from app.database.indexes import create_indexes
from app.database.query_cache import Results
from app.database.transactions import Transactions
from app.http import pagination
from app.http.idempotency import Request
from app.http.pagination import PageQuery
from app.http.problems import CONFLICT, NOT_FOUND, PAYMENT_REQUIRED, UNAUTHENTICATED, Problem
from app.ids import new_id
from app.orders.catalogue import CURRENCY, OFFERS, Offer, Product
from app.orders.schemas import (
    Catalogue,
    NewOrder,
    NewPayment,
    OfferedProduct,
    Order,
    OrderPage,
    Payment,
    Revenue,
    Takings,
)
from app.telemetry import business_metrics

_ORDERED: Final = list(Plan)  # the dearest last

CATALOGUE: Final = Catalogue(
    [
        OfferedProduct(product, offer.plan, offer.days, offer.price, CURRENCY)
        for product, offer in OFFERS.items()
    ]
)


class Orders:
    """Orders and payments in MongoDB; the balance and the plan they change are the account's."""

    INDEXES = (
        IndexModel([("owner", ASCENDING), ("order", DESCENDING)], name="own"),
        IndexModel("request", unique=True, name="request"),
        IndexModel("day", name="day"),
    )
    PAYMENT_INDEXES = (IndexModel("request", unique=True, name="request"),)

    def __init__(self, database: Database, redis: Redis, accounts: AccountResults) -> None:
        self._orders = database["orders"]
        self._payments = database["payments"]
        self._accounts = database["accounts"]
        self._reported = reported(database, "orders")
        self._transactions = Transactions(database)
        self._account_results = accounts
        self.results: Results[OrderPage] = Results(redis, "orders", OrderPage)

    async def prepare(self) -> None:
        """Make the indexes that the promises below rest on."""
        await create_indexes(self._orders, self.INDEXES)
        await create_indexes(self._payments, self.PAYMENT_INDEXES)

    async def place(self, account: str, wish: NewOrder, request: Request) -> tuple[Order, bool]:
        """Pay from the balance and get the plan; ``True`` when that had been done before.

        ``payment-required`` when the balance does not cover it, ``conflict`` while a higher plan lasts.
        """
        if made := await self._orders.find_one({"request": request.name}):
            request.check(made)
            return _order(made), True
        offer = OFFERS[wish.product]

        async def purchase(session: AsyncClientSession) -> Document:
            return await self._purchase(session, account, wish.product, offer, request)

        try:
            async with self._account_results.writing(account), self.results.writing(account):
                document = await self._transactions.run(purchase)
        except DuplicateKeyError:
            # The same request came twice at once, and the other was quicker.
            if (made := await self._orders.find_one({"request": request.name})) is None:
                raise
            request.check(made)
            return _order(made), True
        business_metrics.orders_placed.labels(wish.product).inc()
        business_metrics.revenue.labels(wish.product).inc(offer.price)
        return _order(document), False

    async def read(self, account: str, order_id: str) -> Order:
        """An order of the account's; another's is as absent as none."""
        document = await self._orders.find_one({"_id": order_id, "owner": account})
        if document is None:
            raise Problem(NOT_FOUND, "No such order.")
        return _order(document)

    async def list_own(self, account: str, query: PageQuery) -> OrderPage:
        """Part of what the account has bought, newest first."""
        before = query.before

        async def ask() -> OrderPage:
            where: Document = {"owner": account} | ({"order": {"$lt": before}} if before else {})
            found = self._orders.find(where).sort("order", DESCENDING)
            documents = await found.limit(query.limit + 1).to_list()
            shown, following = pagination.cut(documents, query.limit)
            return OrderPage([_order(document) for document in shown], following)

        return await self.results.fetch(account, f"{query.limit} {before or ''}", ask)

    async def pay_in(self, account: str, wish: NewPayment, request: Request) -> tuple[Payment, bool]:
        """Add to a balance; ``True`` when that had been done before, ``not-found`` without the account."""

        async def pay(session: AsyncClientSession) -> Document:
            return await self._pay(session, account, wish.amount, request)

        made = await self._payments.find_one({"request": request.name})
        replayed = made is not None
        if made is None:
            try:
                async with self._account_results.writing(account):
                    made = await self._transactions.run(pay)
                business_metrics.payments.inc(wish.amount)
            except DuplicateKeyError:
                made = await self._payments.find_one({"request": request.name})
                if made is None:
                    raise
                replayed = True
        request.check(made)
        return _payment(made), replayed

    async def revenue(self, first: date, last: date) -> Revenue:
        """What came in between two days, both included."""
        stages: list[Document] = [
            {"$match": {"day": {"$gte": first.isoformat(), "$lte": last.isoformat()}}},
            {"$group": {"_id": "$slot", "orders": {"$sum": 1}, "amount": {"$sum": "$price"}}},
        ]
        found = await (await self._reported.aggregate(stages)).to_list()
        items = sorted((_takings(each) for each in found), key=lambda item: (item.day, item.product))
        return Revenue(
            first=first,
            last=last,
            currency=CURRENCY,
            orders=sum(item.orders for item in items),
            amount=sum(item.amount for item in items),
            items=items,
        )

    async def _purchase(
        self, session: AsyncClientSession, account: str, product: Product, offer: Offer, request: Request
    ) -> Document:
        """In one transaction: the order, the balance, the plan."""
        buyer = await self._accounts.find_one({"_id": account}, session=session)
        if buyer is None:
            raise Problem(UNAUTHENTICATED, "The account is no longer there.")
        now = clock.now()
        held = buyer.get("subscription")
        begins = now
        if held is not None and held["until"] > now:
            if _ORDERED.index(Plan(held["plan"])) > _ORDERED.index(offer.plan):
                raise Problem(CONFLICT, f"The plan {held['plan']} lasts until {held['until']:%Y-%m-%d}.")
            if held["plan"] == offer.plan:
                begins = held["until"]
        until = begins + timedelta(days=offer.days)
        # The condition holds at the moment of the write, whatever was read before.
        changed = await self._accounts.update_one(
            {"_id": account, "balance": {"$gte": offer.price}},
            {
                "$inc": {"balance": -offer.price},
                "$set": {"subscription": {"plan": offer.plan.value, "until": until}},
            },
            session=session,
        )
        if changed.matched_count == 0:
            detail = f"It costs {offer.price} cents; the balance is {buyer['balance']}."
            raise Problem(PAYMENT_REQUIRED, detail)
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
        self, session: AsyncClientSession, account: str, amount: int, request: Request
    ) -> Document:
        changed = await self._accounts.find_one_and_update(
            {"_id": account}, {"$inc": {"balance": amount}}, return_document=True, session=session
        )
        if changed is None:
            raise Problem(NOT_FOUND, "No such account.")
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


def _takings(group: Document) -> Takings:
    day, _, product = group["_id"].partition("/")
    return Takings(date.fromisoformat(day), Product(product), group["orders"], group["amount"])
