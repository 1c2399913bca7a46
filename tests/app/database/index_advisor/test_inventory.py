"""Index advisor on a real server: from recorded queries to existing indexes."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from redis.asyncio import Redis

from app.connections import Database, open_members, open_mongodb
from app.database.index_advisor.advisor import Action, Advice, Index, advise, name_of
from app.database.index_advisor.inventory import Busy, Reads, apply, merged, obstacle, read_indexes
from app.redis.lease import LeaseLost, lease
from app.settings import MongoAuth, MongoSettings
from tests.app.database.index_advisor.conftest import fields
from tests.support.backends import Platform, until
from tests.support.replica_set import Member, replica_set

pytestmark = pytest.mark.anyio


def advice_for(action: Action, *keys: tuple[str, int], name: str | None = None) -> Advice:
    return Advice(action, "t", name or name_of(keys), keys, "because")


@pytest.mark.parametrize(
    ("advice", "reason"),
    [
        (advice_for(Action.DROP, ("a", 1)), None),
        (
            advice_for(Action.DROP, ("b", 1), name="by_hand"),
            "the index was not created by the advisor; drop it manually",
        ),
        (advice_for(Action.DROP, ("x", 1)), "the index does not exist"),
        (
            msgspec.structs.replace(advice_for(Action.DROP, ("a", 1)), declared=True),
            "the service creates the index at startup; remove it from the code",
        ),
        (advice_for(Action.CREATE, ("b", 1)), "the index exists already"),
        (advice_for(Action.CREATE, ("c", 1)), None),
    ],
)
def test_only_own_indexes_are_dropped_and_none_is_created_twice(advice: Advice, reason: str | None) -> None:
    existing = [Index("t", "advised_a_1", (("a", 1),)), Index("t", "by_hand", (("b", 1),))]
    assert obstacle(advice, existing) == reason


def test_number_of_indexes_of_a_collection_is_limited() -> None:
    existing = [Index("t", str(number), ((f"f{number}", 1),)) for number in range(16)]
    assert obstacle(advice_for(Action.CREATE, ("z", 1)), existing) == "the collection has 16 indexes"


async def test_number_of_changes_per_run_is_limited(database: Database, redis: Redis) -> None:
    created = [advice_for(Action.CREATE, (field, 1)) for field in "abcd"]
    results = await apply(database, [database], redis, created, {}, max_changes=2)
    assert await fields(database) == {("a",), ("b",)}
    assert sum(line.startswith("skipped") for line in results) == 2


async def test_concurrent_changes_of_indexes_are_rejected(database: Database, redis: Redis) -> None:
    async with lease(redis, "index-advisor") as held:
        assert held
        with pytest.raises(Busy):
            await apply(database, [database], redis, [advice_for(Action.CREATE, ("a", 1))], {})
    assert await fields(database) == set()
    assert await apply(database, [database], redis, [advice_for(Action.CREATE, ("a", 1))], {}) == [
        "applied: create advised_a_1 on t"
    ]


async def test_loss_of_the_lease_cancels_the_work(redis: Redis) -> None:
    async def work() -> None:
        async with lease(redis, "x", seconds=0.2) as held:
            assert held
            await redis.set("lease:x", "another")
            await asyncio.Event().wait()

    with pytest.raises(LeaseLost):
        await work()
    assert await redis.get("lease:x") == b"another", "the lease of another holder is not released"


async def test_lease_is_extended_while_the_work_runs(redis: Redis) -> None:
    async with lease(redis, "x", seconds=0.3) as held:
        assert held
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            async with lease(redis, "x", seconds=0.3) as second:
                assert not second
    async with lease(redis, "x") as again:
        assert again


def test_reads_of_all_members_are_summed_since_all_have_counted() -> None:
    """An index that only a secondary reads is not reported as unused."""
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    primary: Reads = {"own": (5, early), "reports": (0, early), "new": (0, late)}
    secondary: Reads = {"own": (1, late), "reports": (7, late)}
    assert merged([primary, secondary]) == {"own": (6, late), "reports": (7, late)}
    assert merged([primary]) == primary
    assert merged([]) == {}


async def test_members_are_connected_directly(platform: Platform) -> None:
    kingdom = MongoSettings(
        f"mongodb://127.0.0.1:{platform.mongodb.port}/", "kingdom", MongoAuth.CERTIFICATE, None
    )
    async with (
        open_mongodb(kingdom, app_name="test") as database,
        open_members(kingdom, database, app_name="test") as members,
    ):
        assert [member.name for member in members] == ["kingdom"]
        assert (await members[0].command("ping"))["ok"] == 1


LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


async def test_index_that_only_a_secondary_reads_is_retained() -> None:
    primary = Member({"_id_": 9, "reports": 0, "forgotten": 0}, LONG_AGO)
    secondary = Member({"_id_": 0, "reports": 7, "forgotten": 0}, LONG_AGO)
    async with replica_set(primary, secondary) as url:
        settings = MongoSettings(url, "kingdom", MongoAuth.CERTIFICATE, None)
        async with open_mongodb(settings, app_name="test") as database:
            await until(lambda: are_connected(database, primary, secondary))
            async with open_members(settings, database, app_name="test") as members:
                found = await read_indexes(database, members, {})
    assert {index.name: index.reads for index in found.indexes} == {"_id_": 9, "reports": 7, "forgotten": 0}
    advice = advise({}, found.indexes, now=LONG_AGO + timedelta(days=60))
    assert [(each.action, each.name) for each in advice] == [(Action.DROP, "forgotten")]
    assert "aggregate" in secondary.commands


@pytest.mark.slow
async def test_no_index_appears_unused_while_a_member_is_unavailable() -> None:
    primary, secondary = Member({"_id_": 9, "reports": 0}, LONG_AGO), Member({}, LONG_AGO)
    async with replica_set(primary, secondary) as url:
        settings = MongoSettings(url, "kingdom", MongoAuth.CERTIFICATE, None)
        async with open_mongodb(settings, app_name="test") as database:
            await until(lambda: are_connected(database, primary, secondary))
            async with open_members(settings, database, app_name="test") as members:
                secondary.stop()
                found = await read_indexes(database, members, {})
    assert {index.reads for index in found.indexes} == {None}
    assert found.notes
    assert advise({}, found.indexes, now=LONG_AGO + timedelta(days=60)) == []


async def are_connected(database: Database, *members: Member) -> bool:
    """Whether the client has found these members of the replica set."""
    await database.command("ping")
    return bool(database.client.nodes == {("127.0.0.1", member.port) for member in members})
