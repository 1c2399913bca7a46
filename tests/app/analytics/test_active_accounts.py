"""Active accounts: recorded in the pod, merged in Redis, bounded during outages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis import RedisError
from redis.asyncio import Redis

from app import clock
from app.analytics import active_accounts as module
from app.analytics.active_accounts import ActiveAccounts
from app.connections import open_redis
from app.settings import RedisSettings
from tests.support.backends import free_port

pytestmark = pytest.mark.anyio


async def test_accounts_of_all_pods_are_counted_once(redis: Redis) -> None:
    first, second = ActiveAccounts(redis), ActiveAccounts(redis)
    first.seen |= {"ada", "eve"}
    second.seen |= {"ada", "bob"}
    for pod in (first, second):
        await pod.flush()
    today = f"{clock.now():%Y-%m-%d}"
    assert await first.count(today) == 3
    assert await first.counts([today, "2000-01-01"]) == [3, 0]
    assert first.seen == set()


async def test_audience_unites_days_into_weeks_and_months(redis: Redis) -> None:
    pod, today = ActiveAccounts(redis), clock.now().date()
    for account, age in (("today", 0), ("week", 6), ("month", 7), ("edge", 29), ("older", 30)):
        pod.mark((today - timedelta(days=age)).isoformat(), [account])
    await pod.flush()
    audience = await pod.audience(today)
    assert (audience.day, audience.week, audience.month, audience.stickiness) == (1, 2, 4, 0.25)


async def test_audience_without_activity_has_no_stickiness(redis: Redis) -> None:
    assert (await ActiveAccounts(redis).audience(clock.now().date())).stickiness == 0.0


async def test_marks_survive_an_outage_up_to_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_PENDING", 2)
    settings = RedisSettings(f"redis://127.0.0.1:{free_port()}/0", None, None)
    async with open_redis(settings) as unavailable:
        pod = ActiveAccounts(unavailable)
        pod.mark("2026-01-01", ["ada", "eve"])
        with pytest.raises((RedisError, OSError)):
            await pod.flush()
        await pod._flush_or_log()
        assert pod._pending == {"2026-01-01": {"ada", "eve"}}
        pod.mark("2026-01-02", ["bob"])
        await pod._flush_or_log()
        assert pod._pending == {}


async def test_large_sets_are_sent_in_batches(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_BATCH", 2)
    pod = ActiveAccounts(redis)
    pod.mark("2026-01-01", [str(number) for number in range(5)])
    await pod.flush()
    assert await pod.count("2026-01-01") == 5
