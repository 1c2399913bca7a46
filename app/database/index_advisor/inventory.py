"""The indexes that are there, and the two changes the advisor may make to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import pymongo
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from redis.asyncio import Redis

from app.connections import Database
from app.database.index_advisor.advisor import MOST_INDEXES, Action, Advice, Index, Keys
from app.database.indexes import BUILD_SECONDS
from app.redis.lease import lease

Reads: TypeAlias = dict[str, tuple[int, datetime | None]]
_OWN: Final = "advised_"
_LEASE: Final = "index-advisor"


@dataclass(frozen=True)
class Inventory:
    """The indexes, and what the server would not tell (``notes``)."""

    indexes: list[Index]
    notes: list[str]


class Busy(Exception):  # noqa: N818 (a state, not an error)
    """Another process changes indexes at this moment."""


async def take_stock(
    database: Database, members: Sequence[Database], declared: Mapping[str, Collection[Keys]]
) -> Inventory:
    """All indexes of the collections. ``declared`` has the keys that the service makes itself at its start,
    by collection.

    Each of ``members`` is connected to one member of the replica set: every member counts the reads of its
    own queries only, and an index that secondaries use must not look unused.
    """
    indexes: list[Index] = []
    notes: set[str] = set()
    for collection in sorted(await database.list_collection_names()):
        if collection.startswith("system."):
            continue
        reads: Reads = {}
        try:
            reads = merged([await _reads(member, collection) for member in members])
        except PyMongoError as error:
            # Of all members or of none: what one of them reads would be missing.
            notes.add(
                f"no $indexStats of every member, so unused indexes are unknown: {type(error).__name__}"
            )
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
    members: Sequence[Database],
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
                for index in (await take_stock(database, members, declared)).indexes
                if index.collection == each.collection
            ]
            reason = obstacle(each, there)
            if reason is None and changes >= most:
                reason = f"{most} changes are enough for one run"
            if reason is not None:
                said.append(f"not done: {what}: {reason}")
                continue
            if each.action is Action.CREATE:
                with pymongo.timeout(BUILD_SECONDS):
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


def merged(members: Sequence[Reads]) -> Reads:
    """Reads of each index by all members together, since the moment from which all of them have counted.

    Empty unless every member knows the index: one that builds it still has counted nothing.
    """
    found: Reads = {}
    for name in set.intersection(*(set(each) for each in members)) if members else ():
        counts = [each[name] for each in members]
        started = [since for _, since in counts if since is not None]
        since = max(started) if len(started) == len(counts) else None
        found[name] = sum(count for count, _ in counts), since
    return found


async def _reads(member: Database, collection: str) -> Reads:
    """Reads of each index by one member; raises ``OperationFailure`` where the server does not count."""
    # $indexStats refuses every read concern but this one.
    source = member.get_collection(collection, read_concern=ReadConcern("local"))
    found: Reads = {}
    async for each in await source.aggregate([{"$indexStats": {}}]):
        accesses = each.get("accesses") or {}
        count, since = found.get(each["name"], (0, accesses.get("since")))
        found[each["name"]] = count + int(accesses.get("ops", 0)), since
    return found
