"""Progress events: published across pods, bounded subscriptions, positions from clients."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest
from redis.asyncio import Redis

from app.connections import open_redis
from app.content import progress as module
from app.content.progress import FIRST, Progress, position
from app.http.problems import Problem
from app.settings import RedisSettings
from tests.support.backends import free_port, until


@pytest.mark.parametrize("value", [None, "", "x", "1", "-1-0", "+", "$", "1-0 ", "9" * 30 + "-0", "0-0\n"])
def test_malformed_position_is_the_beginning(value: str | None) -> None:
    assert position(value) == FIRST


@pytest.mark.parametrize("value", ["0-0", "1700000000000-12"])
def test_position_of_an_event_is_used(value: str) -> None:
    assert position(value) == value


@pytest.mark.anyio
async def test_subscribers_on_every_pod_are_notified(redis: Redis) -> None:
    publisher, subscriber = Progress(redis), Progress(redis)
    running = [asyncio.create_task(each.run()) for each in (publisher, subscriber)]
    try:
        with subscriber.subscribe("ada", "content") as changed:

            async def notified() -> bool:
                await publisher.publish("content", "text", b"{}")
                return changed.is_set()

            await until(notified)
            first, *_ = await subscriber.read("content", FIRST)
            assert (first.name, first.data) == ("text", b"{}")
            assert first.id not in {event.id for event in await subscriber.read("content", first.id)}
        assert subscriber.subscribers == 0
        subscriber.close()
        with pytest.raises(Problem), subscriber.subscribe("ada", "content"):
            raise AssertionError("a draining pod accepts no subscriber")
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@pytest.mark.anyio
async def test_only_pods_whose_clients_follow_an_item_are_notified(redis: Redis) -> None:
    pods = [Progress(redis) for _ in range(3)]
    running = [asyncio.create_task(each.run()) for each in pods]

    async def receivers() -> int:
        return dict(await redis.pubsub_numsub("progress:content"))[b"progress:content"]

    async def receiving(count: int) -> None:
        async def reached() -> bool:
            return await receivers() == count

        await until(reached)

    try:
        with ExitStack() as followers:
            followers.enter_context(pods[0].subscribe("ada", "content"))
            followers.enter_context(pods[0].subscribe("eve", "content"))
            followers.enter_context(pods[1].subscribe("ada", "other"))
            await receiving(1)
            with pods[2].subscribe("bob", "content"):
                await receiving(2)
            await receiving(1)
        await receiving(0)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@pytest.mark.anyio
async def test_subscriptions_are_limited_per_account_and_per_pod(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_PER_ACCOUNT", 2)
    monkeypatch.setattr(module, "_MAX_SUBSCRIBERS", 3)
    progress = Progress(redis)
    with ExitStack() as stack:
        for account in ("ada", "ada", "eve"):
            stack.enter_context(progress.subscribe(account, "content"))
        for account, status in (("ada", 429), ("bob", 503)):
            with pytest.raises(Problem) as caught, progress.subscribe(account, "content"):
                pass
            assert caught.value.kind.status == status
        assert progress.subscribers == 3
    with progress.subscribe("ada", "content"):
        assert progress.subscribers == 1


@pytest.mark.anyio
async def test_deleted_content_has_no_events(redis: Redis) -> None:
    progress = Progress(redis)
    await progress.publish("content", "text", b"{}")
    await progress.discard("content")
    assert await progress.read("content", FIRST) == []


@pytest.mark.anyio
async def test_redis_outage_is_not_an_error() -> None:
    settings = RedisSettings(f"redis://127.0.0.1:{free_port()}/0", None, None)
    async with open_redis(settings) as unavailable:
        progress = Progress(unavailable)
        await progress.publish("content", "text", b"{}")
        await progress.discard("content")
        assert await progress.read("content", FIRST) == []
