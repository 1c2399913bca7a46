"""``python -m app advise [--apply] [--json]``: what the queries of the last week say about the indexes.

Without ``--apply`` nothing is changed. Exit codes: 0, 1 when MongoDB or Redis cannot be asked or another
process changes indexes just now, 2 when the settings are not right.
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
from app.connections import REDIS_GONE, open_members, open_mongodb, open_redis
from app.content.feed import Feed
from app.content.service import Contents
from app.database.index_advisor.advisor import Advice, Keys, advise
from app.database.index_advisor.inventory import Busy, apply, take_stock
from app.database.index_advisor.query_stats import told
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
    """What was found. ``said`` is what was done about it, with ``--apply``."""

    shapes: int
    indexes: int
    advice: list[Advice]
    notes: list[str]
    said: list[str]


def declared() -> dict[str, list[Keys]]:
    """The keys of the indexes that the service makes at its start, by collection."""
    found: dict[str, list[Keys]] = {}
    for collection, models in _DECLARED:
        for model in models:
            found.setdefault(collection, []).append(tuple(model.document["key"].items()))
    return found


async def report(settings: Settings, *, change: bool) -> Report:
    """Look, and with ``change`` do something about it. Raises what the drivers raise, and :class:`Busy`."""
    async with (
        open_redis(settings.redis) as redis,
        open_mongodb(settings.mongodb, app_name="kingdom-advise") as database,
    ):
        workload = await told(redis)
        async with open_members(settings.mongodb, database, app_name="kingdom-advise") as members:
            stock = await take_stock(database, members, declared())
            advice = advise(workload, stock.indexes, now=clock.now())
            said = await apply(database, members, redis, advice, declared()) if change else []
        notes = stock.notes + ([] if workload else ["no query has been told of yet"])
        return Report(len(workload), len(stock.indexes), advice, notes, said)


async def main(arguments: list[str], environ: Mapping[str, str]) -> int:
    """The command. Raises :class:`app.settings.SettingsError`."""
    settings = load(environ)
    try:
        found = await report(settings, change="--apply" in arguments)
    except Busy:
        print("Another process changes indexes just now; try again later.", file=sys.stderr)
        return 1
    except (LeaseLost, PyMongoError, *REDIS_GONE) as error:
        print(f"Not possible now: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
        return 1
    if "--json" in arguments:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return 0
    print(f"{found.shapes} kinds of query, {found.indexes} indexes")
    for each in found.advice:
        keys = ", ".join(f"{field} {way}" for field, way in each.keys)
        print(f"{each.action} {each.collection}.{each.name} ({keys}): {each.why}; {each.writes} writes pay")
    if not found.advice:
        print("nothing to advise")
    print(*(f"note: {note}" for note in found.notes), *found.said, sep="\n")
    return 0
