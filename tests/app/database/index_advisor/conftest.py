"""A database with one collection, ``t``, for the tests of the index advisor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from app.connections import Database, open_mongodb
from app.settings import MongoAuth, MongoSettings
from tests.support.backends import Platform


@pytest.fixture
def settings(platform: Platform) -> MongoSettings:
    url = f"mongodb://127.0.0.1:{platform.mongodb.port}/"
    return MongoSettings(url, f"t{uuid4().hex}", MongoAuth.CERTIFICATE, None, slow=0.000001)


@pytest.fixture
async def database(settings: MongoSettings) -> AsyncIterator[Database]:
    async with open_mongodb(settings, app_name="test") as database:
        yield database
        # Not the database: the local wire server has a single one, which other tests use.
        await database.drop_collection("t")


async def fields(database: Database) -> set[tuple[str, ...]]:
    """Fields of each index of ``t``; the local wire server stores no directions."""
    indexes = await (await database["t"].list_indexes()).to_list()
    return {tuple(index["key"]) for index in indexes} - {("_id",)}
