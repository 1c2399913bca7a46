"""The indexes that are there, and the two changes the advisor may make to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pymongo.errors import OperationFailure
from redis.asyncio import Redis

from app.connections import Database
from app.database.index_advisor.advisor import MOST_INDEXES, Action, Advice, Index, Keys
from app.redis.lease import lease

_OWN: Final = "advised_"
_LEASE: Final = "index-advisor"


@dataclass(frozen=True)
class Inventory:
    """The indexes, and what the server would not tell (``notes``)."""

    indexes: list[Index]
    notes: list[str]


class Busy(Exception):  # noqa: N818 (a state, not an error)
    """Another process changes indexes at this moment."""


async def take_stock(database: Database, declared: Mapping[str, Collection[Keys]]) -> Inventory:
    """All indexes of the collections. ``declared`` has the keys that the service makes itself at its start,
    by collection.
    """
    indexes: list[Index] = []
    notes: set[str] = set()
    for collection in sorted(await database.list_collection_names()):
        if collection.startswith("system."):
            continue
        reads: dict[str, tuple[int, datetime | None]] = {}
        try:
            reads = await _reads(database, collection)
        except OperationFailure:
            notes.add("the server has no $indexStats: indexes that nobody uses cannot be told")
        async for described in await database[collection].list_indexes():
            index = _index(collection, described, declared.get(collection, ()))
            count, since = reads.get(index.name, (None, None))
            indexes.append(
                Index(
                    collection, index.name, index.keys, index.kept, index.declared, reads=count, since=since
                )
            )
    return Inventory(indexes, sorted(notes))


async def apply(
    database: Database,
    redis: Redis,
    advice: list[Advice],
    declared: Mapping[str, Collection[Keys]],
    *,
    most: int = 2,
) -> list[str]:
    """Do what is advised, at most ``most`` changes, and say what was done and what was not, and why.

    Guarded: under a lease (:class:`Busy` when another holds it), with a fresh look at what is there, never
    beyond ``MOST_INDEXES`` of a collection, and only what the advisor itself once made is dropped.
    """
    async with lease(redis, _LEASE) as held:
        if not held:
            raise Busy
        said: list[str] = []
        changes = 0
        for each in advice:
            what = f"{each.action} {each.name} on {each.collection}"
            there = [
                index
                for index in (await take_stock(database, declared)).indexes
                if index.collection == each.collection
            ]
            reason = obstacle(each, there)
            if reason is None and changes >= most:
                reason = f"{most} changes are enough for one run"
            if reason is not None:
                said.append(f"not done: {what}: {reason}")
                continue
            if each.action is Action.CREATE:
                await database[each.collection].create_index(list(each.keys), name=each.name)
            else:
                await database[each.collection].drop_index(each.name)
            changes += 1
            said.append(f"done: {what}")
        return said


def obstacle(advice: Advice, there: list[Index]) -> str | None:
    """Why the advisor may not do it, given the indexes of the collection; ``None`` when it may."""
    if advice.action is Action.CREATE:
        if any(index.keys == advice.keys for index in there):
            return "it is there"
        if len(there) >= MOST_INDEXES:
            return f"the collection has {len(there)} indexes"
        return None
    if all(index.name != advice.name for index in there):
        return "it is gone"
    if advice.declared:
        return "the service makes it at its start; take it out of the code"
    if not advice.name.startswith(_OWN):
        return "a person made it, so a person should drop it"
    return None


def _index(collection: str, described: Mapping[str, Any], declared: Collection[Keys]) -> Index:
    keys: Keys = tuple((field, -1 if way == -1 else 1) for field, way in described["key"].items())
    special = [way for way in described["key"].values() if not isinstance(way, int | float)]
    kept = ""
    if described["name"] == "_id_":
        kept = "_id"
    elif described.get("unique"):
        kept = "unique"
    elif "expireAfterSeconds" in described:
        kept = "ttl"
    elif special or described.get("sparse") or "partialFilterExpression" in described:
        kept = "special"
    # By fields only: the wire server of one machine tells no directions.
    fields = [field for field, _ in keys]
    known = any([field for field, _ in one] == fields for one in declared)
    return Index(collection, described["name"], keys, kept, declared=known)


async def _reads(database: Database, collection: str) -> dict[str, tuple[int, datetime | None]]:
    """Reads of each index since the server counts; raises ``OperationFailure`` where it does not."""
    cursor = await database[collection].aggregate([{"$indexStats": {}}])
    found: dict[str, tuple[int, datetime | None]] = {}
    async for each in cursor:
        accesses = each.get("accesses") or {}
        count, since = found.get(each["name"], (0, accesses.get("since")))
        found[each["name"]] = count + int(accesses.get("ops", 0)), since
    return found
