"""Creation of indexes, with its own timeout."""

from __future__ import annotations

import asyncio
import gc
import warnings

import pytest
from pymongo.errors import ServerSelectionTimeoutError
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from app.connections import open_mongodb
from app.content.service import Contents
from app.database.indexes import BUILD_SECONDS, create_indexes
from app.settings import MongoAuth, MongoSettings
from tests.support.backends import Platform, free_port

pytestmark = pytest.mark.anyio


class Builds(CommandListener):
    """Records the timeout in milliseconds of each index build."""

    def __init__(self) -> None:
        self.allowed: list[int] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name == "createIndexes":
            self.allowed.append(event.command["maxTimeMS"])

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


async def test_index_build_has_its_own_timeout(platform: Platform) -> None:
    builds = Builds()
    url = f"mongodb://127.0.0.1:{platform.mongodb.port}/"
    settings = MongoSettings(url, "indexes", MongoAuth.CERTIFICATE, None)
    async with open_mongodb(settings, app_name="test", listeners=[builds]) as database:
        await create_indexes(database["contents"], Contents.INDEXES)
    assert builds.allowed
    assert all(allowed > 0.9 * BUILD_SECONDS * 1000 for allowed in builds.allowed)


async def create_without_mongodb() -> None:
    settings = MongoSettings(f"mongodb://127.0.0.1:{free_port()}/", "indexes", MongoAuth.CERTIFICATE, None)
    async with open_mongodb(settings, app_name="test") as database:
        selection = database.client.options.server_selection_timeout
        assert selection == 2.0
        async with asyncio.timeout(2 * selection):
            with pytest.raises(ServerSelectionTimeoutError):
                await create_indexes(database["contents"], Contents.INDEXES)


def test_unavailable_database_fails_within_the_timeout_of_server_selection() -> None:
    # PyMongo (4.20) does not close the socket of a refused connection: collected here, after its event loop
    # has ended, so that no other test reports it.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        asyncio.run(create_without_mongodb())
        gc.collect()
