"""Ingestion: batched writes, independent deadlines, bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

import pymongo
import pytest
from prometheus_client import REGISTRY
from pymongo.errors import PyMongoError
from redis.asyncio import Redis

from app import clock
from app.analytics.active_accounts import ActiveAccounts
from app.analytics.ingestion import Ingestion
from app.analytics.schemas import Event, EventName
from app.connections import Database, open_mongodb
from app.database.monitor import CommandMetrics
from app.http.problems import Problem
from app.settings import MongoAuth, MongoSettings
from tests.support.backends import Platform, free_port

pytestmark = pytest.mark.anyio


def event() -> Event:
    return Event(uuid4().hex, EventName.APP_OPENED, clock.now())


@pytest.fixture
def inserts() -> list[int]:
    """Return the number of documents of each insert."""
    return []


@pytest.fixture
async def database(platform: Platform, inserts: list[int]) -> AsyncIterator[Database]:
    def finished(command: Mapping[str, Any], seconds: float) -> None:
        if "insert" in command:
            inserts.append(len(command["documents"]))

    settings = MongoSettings(
        f"mongodb://127.0.0.1:{platform.mongodb.port}/", "kingdom", MongoAuth.CERTIFICATE, None
    )
    async with open_mongodb(settings, app_name="test", listeners=[CommandMetrics(finished)]) as database:
        yield database


async def test_events_during_a_write_share_the_next_one(
    database: Database, redis: Redis, inserts: list[int]
) -> None:
    ingestion = Ingestion(database, ActiveAccounts(redis))
    account = uuid4().hex
    responses = await asyncio.gather(*(ingestion.ingest(account, [event()]) for _ in range(200)))
    assert sum(response.accepted for response in responses) == 200
    assert sum(inserts) == 200
    assert len(inserts) <= 3
    assert await database["events"].count_documents({"account": account}) == 200


async def test_write_does_not_inherit_the_first_callers_deadline(database: Database, redis: Redis) -> None:
    ingestion = Ingestion(database, ActiveAccounts(redis))
    account = uuid4().hex
    with pymongo.timeout(0.000001):
        responses = await asyncio.gather(*(ingestion.ingest(account, [event()]) for _ in range(50)))
    assert sum(response.accepted for response in responses) == 50


@pytest.mark.slow
async def test_database_outage_is_raised_to_every_caller(redis: Redis) -> None:
    settings = MongoSettings(f"mongodb://127.0.0.1:{free_port()}/", "x", MongoAuth.CERTIFICATE, None)
    async with open_mongodb(settings, app_name="test") as nowhere:
        ingestion = Ingestion(nowhere, ActiveAccounts(redis))
        outcomes = await asyncio.gather(
            *(ingestion.ingest("ada", [event()]) for _ in range(5)), return_exceptions=True
        )
    assert all(isinstance(outcome, PyMongoError) for outcome in outcomes)


@pytest.mark.slow
async def test_events_above_the_pending_limit_are_rejected(database: Database, redis: Redis) -> None:
    ingestion = Ingestion(database, ActiveAccounts(redis))
    events = [event()] * 100
    outcomes = await asyncio.gather(
        *(ingestion.ingest("ada", events) for _ in range(300)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
    assert {problem.kind.status for problem in refused} == {503}
    assert 90 <= len(refused) <= 200
    assert (await ingestion.ingest("ada", events)).known == 100


async def test_durations_that_clients_measured_are_exported_once(database: Database, redis: Redis) -> None:
    def exported(name: EventName) -> tuple[float, float]:
        labels = {"event": name.value}
        count = REGISTRY.get_sample_value("kingdom_client_seconds_count", labels)
        total = REGISTRY.get_sample_value("kingdom_client_seconds_sum", labels)
        return count or 0.0, total or 0.0

    ingestion = Ingestion(database, ActiveAccounts(redis))
    measured = Event(uuid4().hex, EventName.APP_INTERACTIVE, clock.now(), screen="feed", seconds=1.5)
    viewed = Event(uuid4().hex, EventName.SCREEN_VIEWED, clock.now(), screen="feed", seconds=60.0)
    count, total = exported(EventName.APP_INTERACTIVE)
    for _ in range(2):
        await ingestion.ingest("ada", [measured, viewed, event()])
    assert exported(EventName.APP_INTERACTIVE) == (count + 1, total + 1.5)
    assert exported(EventName.SCREEN_VIEWED) == (0.0, 0.0)
