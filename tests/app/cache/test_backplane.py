"""Backplane: messages reach every pod, pings confirm them, gaps are reported."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from redis.asyncio import Redis

from app.cache.backplane import Backplane, InvalidationMessage, LoadedMessage
from tests.support.backends import until

pytestmark = pytest.mark.anyio

CHANNEL = "test-backplane"


class Pod:
    """A backplane and the callbacks that were made."""

    def __init__(self, redis: Redis) -> None:
        self.invalidated: list[str] = []
        self.loaded: list[str] = []
        self.servers: list[str] = []
        self.gaps = 0
        self.backplane = Backplane(
            redis,
            CHANNEL,
            on_invalidated=lambda message: self.invalidated.extend(message.names),
            on_loaded=self.loaded.append,
            on_gap=self._gap,
            on_server=self._server,
            ping_seconds=0.2,
        )

    def _gap(self) -> None:
        self.gaps += 1

    async def _server(self, run_id: str) -> None:
        self.servers.append(run_id)


@asynccontextmanager
async def listening(redis: Redis) -> AsyncIterator[Pod]:
    pod = Pod(redis)
    task = asyncio.create_task(pod.backplane.run())
    try:
        await until(lambda: _synced(pod))
        yield pod
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _synced(pod: Pod) -> bool:
    return pod.backplane.synced_at > float("-inf")


async def test_messages_are_dispatched_by_their_type(redis: Redis) -> None:
    async with listening(redis) as pod:
        assert (len(pod.servers), pod.gaps) == (1, 1), "one connection: one server, one possible gap"
        await redis.publish(CHANNEL, msgspec.msgpack.encode(InvalidationMessage(["a", "b"])))
        await redis.publish(CHANNEL, msgspec.msgpack.encode(LoadedMessage("key")))
        await until(lambda: _is(pod, ["a", "b"], ["key"]))
        assert pod.gaps == 1


async def _is(pod: Pod, invalidated: list[str], loaded: list[str]) -> bool:
    return (pod.invalidated, pod.loaded) == (invalidated, loaded)


async def test_unknown_message_is_a_gap(redis: Redis) -> None:
    async with listening(redis) as pod:
        await redis.publish(CHANNEL, b"of another version")

        async def reported() -> bool:
            return pod.gaps == 2

        await until(reported)


async def test_pongs_advance_the_confirmed_time(redis: Redis) -> None:
    async with listening(redis) as pod:
        before = pod.backplane.synced_at

        async def advanced() -> bool:
            return pod.backplane.synced_at > before

        await until(advanced)


class SilentSubscription:
    """A subscription whose server does not respond."""

    def __init__(self) -> None:
        self.pings = 0

    async def ping(self) -> None:
        self.pings += 1

    async def get_message(self, **options: float) -> None:
        await asyncio.sleep(options["timeout"])


async def test_connection_without_a_pong_to_four_pings_is_given_up(redis: Redis) -> None:
    subscription, backplane = SilentSubscription(), Pod(redis).backplane
    backplane._ping_seconds = 0.001
    with pytest.raises(TimeoutError):
        await backplane._listen(subscription)
    assert subscription.pings == 4


async def test_reconnect_reports_the_server_and_a_gap(redis: Redis) -> None:
    async with listening(redis) as pod:
        await redis.client_kill_filter(_type="pubsub")

        async def reconnected() -> bool:
            return (len(pod.servers), pod.gaps) == (2, 2)

        await until(reconnected)
        assert len(set(pod.servers)) == 1
