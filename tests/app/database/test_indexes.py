"""Creation of indexes, with its own timeout."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings

import pytest
from pymongo.errors import ServerSelectionTimeoutError
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from app.connections import OPERATION_SECONDS, open_mongodb
from app.content.service import Contents
from app.database.indexes import BUILD_SECONDS, create_indexes
from app.settings import MongoAuth, MongoSettings
from tests.drills.service import serving
from tests.support.backends import Platform, free_port, pod, status, wait_for

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


class SlowBuild:
    """TCP proxy to MongoDB that delays the first index build by ``seconds``, and counts the builds."""

    def __init__(self, target: int, seconds: float) -> None:
        self.port = free_port()
        self.builds = 0
        self._target = target
        self._seconds = seconds

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_target, to_target = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            await asyncio.gather(
                self._forward(reader, to_target, requests=True),
                self._forward(from_target, writer, requests=False),
            )
        finally:
            for end in (to_target, writer):
                end.close()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, requests: bool
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                if requests and b"createIndexes" in data:
                    self.builds += 1
                    if self.builds == 1:
                        await asyncio.sleep(self._seconds)
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.mark.slow
def test_pod_starts_after_a_build_longer_than_the_timeout_of_an_operation(platform: Platform) -> None:
    slow = SlowBuild(platform.gate.port, OPERATION_SECONDS + 2.0)
    url = f"mongodb://127.0.0.1:{slow.port}/"
    process = pod("api", platform.folder, platform.settings | {"KINGDOM_MONGODB_URL": url})
    with serving(slow.handle, slow.port):
        process.start()
        try:
            wait_for("the build", lambda: slow.builds > 0)
            assert status(process, "/startupz") == 503
            assert status(process, "/livez") == 200, "the kubelet does not restart a pod that builds indexes"
            wait_for("the pod has started", lambda: status(process, "/startupz") == 200)
            assert "waiting for MongoDB" not in process.log.read_text(), "the build was not given up"
        finally:
            process.kill()


async def create_without_mongodb() -> None:
    settings = MongoSettings(f"mongodb://127.0.0.1:{free_port()}/", "indexes", MongoAuth.CERTIFICATE, None)
    async with open_mongodb(settings, app_name="test") as database:
        selection = database.client.options.server_selection_timeout
        assert selection == 2.0
        async with asyncio.timeout(2 * selection):
            with pytest.raises(ServerSelectionTimeoutError):
                await create_indexes(database["contents"], Contents.INDEXES)


@pytest.mark.slow
def test_unavailable_database_fails_within_the_timeout_of_server_selection() -> None:
    # PyMongo (4.20) does not close the socket of a refused connection: collected here, after its event loop
    # has ended, so that no other test reports it.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        asyncio.run(create_without_mongodb())
        gc.collect()
