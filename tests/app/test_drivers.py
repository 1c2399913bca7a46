"""Cancelled operations leave no lock of a database driver behind; TLS handshakes of MongoDB have a limit."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from pathlib import Path

import pytest
from pymongo.errors import PyMongoError
from pymongo.lock import _async_cond_wait, _async_create_condition, _async_create_lock

import app.connections  # replaces asyncio.wait_for
from app.settings import MongoAuth, MongoSettings
from tests.support.backends import mongodb, until

pytestmark = pytest.mark.anyio


async def _turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_lock_is_free_after_a_cancellation_while_a_timed_out_wait_acquires_it() -> None:
    lock = _async_create_lock()
    condition = _async_create_condition(lock)

    async def wait() -> None:
        async with condition:
            await _async_cond_wait(condition, 0.01)

    waiting = asyncio.create_task(wait())
    await _turns()
    async with lock:
        await asyncio.sleep(0.05)  # longer than the wait, which needs the lock again to end
        waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await _turns()
    assert not lock.locked()


async def test_cancellation_together_with_the_result_is_raised() -> None:
    result: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(asyncio.wait_for(result, 10))
    await _turns()
    result.set_result(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_wait_ends_after_its_timeout() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.sleep(10), 0.001)
    assert await asyncio.wait_for(asyncio.sleep(0, "result"), None) == "result"


async def test_wait_without_time_does_not_start_a_coroutine() -> None:
    started: list[int] = []

    async def start() -> None:
        started.append(1)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(start(), 0)
    assert not started
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    done.set_result(1)
    assert await asyncio.wait_for(done, 0) == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_mongodb_client_recovers_after_cancelled_operations_in_an_outage(
    tmp_path: Path, seed: int
) -> None:
    """PyMongo checks for a server every 0.5 s; operations that are cancelled at that time need its lock."""
    random_numbers = random.Random(seed)
    server = mongodb(tmp_path)
    settings = MongoSettings(f"mongodb://127.0.0.1:{server.port}/", "kingdom", MongoAuth.CERTIFICATE, None)
    async with app.connections.open_mongodb(settings, app_name="test") as database:
        end = time.monotonic() + 6

        async def read() -> None:
            while time.monotonic() < end:
                seconds = 0.5 * random_numbers.randint(1, 3) + random_numbers.uniform(0, 0.004)
                with contextlib.suppress(PyMongoError, TimeoutError):
                    async with asyncio.timeout(seconds):
                        await database["things"].find_one()

        async def occupy() -> None:
            """Occupy the event loop, as on a busy node, so that timers are late and due together."""
            while time.monotonic() < end:
                await asyncio.sleep(0.05)
                time.sleep(random_numbers.uniform(0, 0.05))  # noqa: ASYNC251 (on purpose)

        tasks = [asyncio.create_task(read()) for _ in range(60)] + [asyncio.create_task(occupy())]
        async with asyncio.timeout(30):
            await asyncio.gather(*tasks)
        try:
            await asyncio.to_thread(server.start)
            async with asyncio.timeout(10):
                assert await database["things"].find_one() is None
        finally:
            server.kill()


@pytest.mark.slow
async def test_tls_handshake_without_a_response_ends_after_the_connect_timeout() -> None:
    attempts = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        await reader.read()  # until the client closes the connection
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        url = f"mongodb://127.0.0.1:{port}/?tls=true"
        settings = MongoSettings(url, "kingdom", MongoAuth.CERTIFICATE, None)
        async with app.connections.open_mongodb(settings, app_name="test") as database:
            with pytest.raises(PyMongoError):
                await database["things"].find_one()
            await until(lambda: attempts >= 2, 20)
