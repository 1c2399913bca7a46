"""Transactions on a real server, through the transaction proxy of the local wire server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError, ExecutionTimeout, NetworkTimeout, OperationFailure

from app.connections import Database, open_mongodb
from app.database.transactions import Transactions, repeated
from app.resilience.deadline import deadline_at
from app.settings import MongoAuth, MongoSettings
from tests.support.backends import Platform

pytestmark = pytest.mark.anyio


def transient() -> OperationFailure:
    details = {"code": 112, "errmsg": "write conflict", "errorLabels": ["TransientTransactionError"]}
    return OperationFailure("write conflict", 112, details)


@pytest.fixture
async def database(platform: Platform) -> AsyncIterator[Database]:
    url = f"mongodb://127.0.0.1:{platform.gate.port}/"
    async with open_mongodb(
        MongoSettings(url, "transfers", MongoAuth.CERTIFICATE, None), app_name="test"
    ) as database:
        await database["purses"].insert_many([{"_id": name, "cents": 100} for name in "ab"])
        yield database
        await database.drop_collection("purses")


async def move(database: Database, session: AsyncClientSession, cents: int) -> None:
    purses = database["purses"]
    await purses.update_one({"_id": "a"}, {"$inc": {"cents": -cents}}, session=session)
    await purses.update_one({"_id": "b"}, {"$inc": {"cents": cents}}, session=session)


async def purses(database: Database) -> dict[str, int]:
    return {each["_id"]: each["cents"] for each in await database["purses"].find().to_list()}


async def test_failed_transaction_changes_nothing(database: Database) -> None:
    async def broken(session: AsyncClientSession) -> None:
        await move(database, session, 30)
        await database["purses"].insert_one({"_id": "a"}, session=session)

    with pytest.raises(DuplicateKeyError):
        await Transactions(database).run(broken)
    assert await purses(database) == {"a": 100, "b": 100}


async def test_transient_error_is_retried(database: Database) -> None:
    runs = 0

    async def work(session: AsyncClientSession) -> str:
        nonlocal runs
        runs += 1
        await move(database, session, 10)
        if runs < 4:
            raise transient()
        return "moved"

    before = repeated._value.get()
    assert await Transactions(database).run(work) == "moved"
    assert runs == 4
    assert repeated._value.get() == before + 3
    assert await purses(database) == {"a": 90, "b": 110}


@pytest.mark.parametrize("whose", ["its own", "the request's"])
async def test_transaction_ends_at_the_earlier_deadline(database: Database, whose: str) -> None:
    async def work(session: AsyncClientSession) -> None:
        await move(database, session, 10)
        raise transient()

    began = time.monotonic()
    own, request = (0.4, 60.0) if whose == "its own" else (60.0, 0.4)
    # Which of them depends on where the deadline strikes: before a command, or while it waits for a response.
    ends = (ExecutionTimeout, NetworkTimeout, OperationFailure)
    with deadline_at(began + request), pytest.raises(ends):
        await Transactions(database).run(work, seconds=own)
    assert 0.1 < time.monotonic() - began < 3
    assert await purses(database) == {"a": 100, "b": 100}


async def test_concurrent_transactions_lose_no_update(database: Database) -> None:
    transactions = Transactions(database)

    async def work(session: AsyncClientSession) -> None:
        await move(database, session, 1)

    await asyncio.gather(*(transactions.run(work, seconds=30) for _ in range(25)))
    assert await purses(database) == {"a": 75, "b": 125}


async def test_cancelled_transaction_changes_nothing(database: Database) -> None:
    inside = asyncio.Event()

    async def work(session: AsyncClientSession) -> None:
        await move(database, session, 10)
        inside.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(Transactions(database).run(work))
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await purses(database) == {"a": 100, "b": 100}
