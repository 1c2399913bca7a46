"""``python -m app advise [--apply] [--json]``: recommend index changes from the queries of the past week.

Changes are made only with ``--apply``. Exit codes: 0 success, 1 if MongoDB or Redis is unavailable or another
process is changing indexes, 2 for invalid settings.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

import msgspec
from pymongo import IndexModel
from pymongo.errors import PyMongoError

from app import clock
from app.accounts.recovery import Recovery
from app.accounts.refresh_sessions import RefreshSessions
from app.accounts.registration import Registration
from app.accounts.service import Accounts
from app.analytics.ingestion import Ingestion
from app.connections import REDIS_ERRORS, open_members, open_mongodb, open_redis
from app.content.feed import Feed
from app.content.service import Contents
from app.database.index_advisor.advisor import Advice, Keys, advise
from app.database.index_advisor.inventory import Busy, apply, read_indexes
from app.database.index_advisor.query_stats import load_stats
from app.media.deletion import ObjectDeletions
from app.media.service import MediaLibrary
from app.orders.service import Orders
from app.redis.lease import LeaseLost
from app.settings import Settings, load

_DECLARED: Final[tuple[tuple[str, tuple[IndexModel, ...]], ...]] = (
    ("accounts", Accounts.INDEXES),
    ("accounts", Recovery.INDEXES),
    ("contents", Contents.INDEXES),
    ("contents", Feed.INDEXES),
    ("events", Ingestion.INDEXES),
    ("media", MediaLibrary.INDEXES),
    ("object_deletions", ObjectDeletions.INDEXES),
    ("orders", Orders.INDEXES),
    ("payments", Orders.PAYMENT_INDEXES),
    ("sessions", RefreshSessions.INDEXES),
    ("sign_ups", Registration.INDEXES),
)


class Report(msgspec.Struct):
    """Numbers of query shapes and indexes, and the advice; ``changes`` lists the results of ``--apply``."""

    shapes: int
    indexes: int
    advice: list[Advice]
    notes: list[str]
    changes: list[str]


def declared() -> dict[str, list[Keys]]:
    """Return the keys of the indexes that the service creates at startup, by collection."""
    found: dict[str, list[Keys]] = {}
    for collection, models in _DECLARED:
        for model in models:
            found.setdefault(collection, []).append(tuple(model.document["key"].items()))
    return found


async def report(settings: Settings, *, change: bool) -> Report:
    """Compute the advice, and apply it if ``change``. Raises errors of the drivers, and :class:`Busy`."""
    async with (
        open_redis(settings.redis) as redis,
        open_mongodb(settings.mongodb, app_name="kingdom-advise") as database,
    ):
        stats = await load_stats(redis)
        async with open_members(settings.mongodb, database, app_name="kingdom-advise") as members:
            inventory = await read_indexes(database, members, declared())
            advice = advise(stats, inventory.indexes, now=clock.now())
            changes = await apply(database, members, redis, advice, declared()) if change else []
        notes = inventory.notes + ([] if stats else ["no query statistics have been recorded yet"])
        return Report(len(stats), len(inventory.indexes), advice, notes, changes)


async def main(arguments: list[str], environ: Mapping[str, str]) -> int:
    """Run the command and return its exit code. Raises :class:`app.settings.environment.SettingsError`."""
    settings = load(environ)
    try:
        found = await report(settings, change="--apply" in arguments)
    except Busy:
        print("Another process is changing indexes. Retry later.", file=sys.stderr)
        return 1
    except (LeaseLost, PyMongoError, *REDIS_ERRORS) as error:
        print(f"MongoDB or Redis failed: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
        return 1
    if "--json" in arguments:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return 0
    print(f"{found.shapes} query shapes, {found.indexes} indexes")
    for each in found.advice:
        keys = ", ".join(f"{field} {direction}" for field, direction in each.keys)
        print(f"{each.action} {each.collection}.{each.name} ({keys}): {each.why}; slows {each.writes} writes")
    if not found.advice:
        print("no changes recommended")
    print(*(f"note: {note}" for note in found.notes), *found.changes, sep="\n")
    return 0
