"""Writes with an unknown outcome: no pod serves the previous value once the write has been applied."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace

import pytest
from pymongo.errors import DuplicateKeyError, ExecutionTimeout, NetworkTimeout, OperationFailure
from redis.asyncio import Redis

from app.cache import uncertain_writes
from app.cache.uncertain_writes import UncertainWrites, is_outcome_unknown
from tests.app.cache.test_cache import Source, receiving
from tests.support.backends import until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (NetworkTimeout("x"), True),
        (ExecutionTimeout("x", 50, {"code": 50}), True),
        (OperationFailure("x", 251, {"code": 251, "errorLabels": ["UnknownTransactionCommitResult"]}), True),
        (TimeoutError("the request's deadline"), True),
        (asyncio.CancelledError(), True),
        (DuplicateKeyError("x", 11000, {"code": 11000}), False),
        (ValueError("x"), False),
    ],
)
def test_errors_with_an_unknown_outcome_are_recognized(error: BaseException, unknown: bool) -> None:
    assert is_outcome_unknown(error) is unknown


async def test_write_applied_after_its_error_is_seen_by_every_pod(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database hangs during the write, and applies it some time after it responds again."""
    monkeypatch.setattr(uncertain_writes, "PERIOD_SECONDS", 0.05)
    monkeypatch.setattr(uncertain_writes, "SETTLED_SECONDS", 0.5)
    source, frozen = Source(b"old"), asyncio.Event()

    async def probe() -> None:
        if not frozen.is_set():
            raise NetworkTimeout("frozen")

    async with receiving(redis) as one, receiving(redis) as two:
        one.probe_with(probe)
        await one.fetch("key", source)
        await two.fetch("key", source)
        with pytest.raises(NetworkTimeout):
            async with one.writing("key"):
                raise NetworkTimeout("frozen")
        await asyncio.sleep(0.2)
        frozen.set()
        # The database executes a read before the write, so that both pods cache the old value.
        assert await one.fetch("key", source) == b"old"
        assert await two.fetch("key", source) == b"old"
        source.value = b"new"  # applied now, and no pod is notified

        async def seen() -> bool:
            return {await each.fetch("key", source) for each in (one, two)} == {b"new"}

        await until(seen, 5.0)
        await until(lambda: not one._background)  # settled: no more invalidations


async def test_definite_failure_invalidates_nothing(redis: Redis) -> None:
    source = Source(b"old")
    async with receiving(redis) as cache:
        await cache.fetch("key", source)
        with pytest.raises(DuplicateKeyError):
            async with cache.writing("key"):
                raise DuplicateKeyError("x", 11000, {"code": 11000})
        assert await cache.fetch("key", source) == b"old"
    assert source.calls == 1


async def test_cancelled_write_invalidates(redis: Redis) -> None:
    source = Source(b"old")
    async with receiving(redis) as one, receiving(redis) as two:
        await one.fetch("key", source)
        await two.fetch("key", source)

        async def write() -> None:
            async with one.writing("key"):
                source.value = b"new"
                await asyncio.sleep(60)

        task = asyncio.create_task(write())
        await until(lambda: source.value == b"new")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: two.memory.get("key") is None)
        assert [await each.fetch("key", source) for each in (one, two)] == [b"new", b"new"]


async def test_only_the_first_uncertain_write_starts_the_settling() -> None:
    async def unused(*_: object) -> None: ...

    writes = UncertainWrites(unused, unused)
    assert writes.add(["a"])
    assert not writes.add(["b"])


@pytest.mark.parametrize(("seconds", "probes"), [(5.0, 1), (4.9, 2)])
async def test_writes_are_settled_when_the_database_was_available_for_the_whole_period(
    monkeypatch: pytest.MonkeyPatch, seconds: float, probes: int
) -> None:
    now, invalidated, probed = 100.0, list[list[str]](), 0

    async def invalidate(names: Iterable[str]) -> None:
        invalidated.append(list(names))

    async def probe() -> None:
        nonlocal now, probed
        probed += 1
        now += seconds

    monkeypatch.setattr(uncertain_writes, "PERIOD_SECONDS", 0.0)
    monkeypatch.setattr(uncertain_writes, "SETTLED_SECONDS", 5.0)
    monkeypatch.setattr(uncertain_writes, "time", SimpleNamespace(monotonic=lambda: now))
    writes = UncertainWrites(invalidate, probe)
    writes.add(["a", "b"])
    await writes.settle()
    assert probed == probes
    assert invalidated == [["a", "b"]] * (probes + 1)
    assert writes.add(["c"])
