"""Inventory of the existing indexes, and application of the advisor's changes."""

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
from app.database.index_advisor.advisor import MAX_INDEXES, Action, Advice, Index, Keys
from app.database.indexes import BUILD_SECONDS
from app.redis.lease import lease

Reads: TypeAlias = dict[str, tuple[int, datetime | None]]
_OWN: Final = "advised_"
_LEASE: Final = "index-advisor"


@dataclass(frozen=True)
class Inventory:
    """The indexes. ``notes`` lists information that the server did not provide."""

    indexes: list[Index]
    notes: list[str]


class Busy(Exception):  # noqa: N818 (a state, not an error)
    """Another process is changing indexes."""


async def read_indexes(
    database: Database, members: Sequence[Database], declared: Mapping[str, Collection[Keys]]
) -> Inventory:
    """Return the indexes of all collections, with their number of reads.

    ``declared`` has the keys of the indexes that the service creates at startup, by collection. Each of
    ``members`` is connected to one member of the replica set: a member counts only the reads of its own
    queries, and an index used by secondaries must not appear unused.
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
            # Without one member's counts an index could appear unused, so all counts are discarded.
            notes.add(
                f"no $indexStats of every member, so unused indexes are unknown: {type(error).__name__}"
            )
        async for described in await database[collection].list_indexes():
            index = _index(collection, described, declared.get(collection, ()))
            count, since = reads.get(index.name, (None, None))
            indexes.append(
                Index(
                    collection,
                    index.name,
                    index.keys,
                    index.protection,
                    index.declared,
                    reads=count,
                    since=since,
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
    max_changes: int = 2,
) -> list[str]:
    """Apply at most ``max_changes`` of the advice. Return one line per item: applied, or skipped and why.

    Runs under a lease and raises :class:`Busy` if another process holds it. The indexes are read again before
    each change, a collection never gets more than ``MAX_INDEXES``, and only indexes created by the advisor
    are dropped.
    """
    async with lease(redis, _LEASE) as held:
        if not held:
            raise Busy
        results: list[str] = []
        changes = 0
        for each in advice:
            change = f"{each.action} {each.name} on {each.collection}"
            existing = [
                index
                for index in (await read_indexes(database, members, declared)).indexes
                if index.collection == each.collection
            ]
            reason = obstacle(each, existing)
            if reason is None and changes >= max_changes:
                reason = f"at most {max_changes} changes per run"
            if reason is not None:
                results.append(f"skipped: {change}: {reason}")
                continue
            if each.action is Action.CREATE:
                with pymongo.timeout(BUILD_SECONDS):
                    await database[each.collection].create_index(list(each.keys), name=each.name)
            else:
                await database[each.collection].drop_index(each.name)
            changes += 1
            results.append(f"applied: {change}")
        return results


def obstacle(advice: Advice, existing: list[Index]) -> str | None:
    """Return why the advice must not be applied, given the collection's indexes; ``None`` if it may be."""
    if advice.action is Action.CREATE:
        if any(index.keys == advice.keys for index in existing):
            return "the index exists already"
        if len(existing) >= MAX_INDEXES:
            return f"the collection has {len(existing)} indexes"
        return None
    if all(index.name != advice.name for index in existing):
        return "the index does not exist"
    if advice.declared:
        return "the service creates the index at startup; remove it from the code"
    if not advice.name.startswith(_OWN):
        return "the index was not created by the advisor; drop it manually"
    return None


def _index(collection: str, described: Mapping[str, Any], declared: Collection[Keys]) -> Index:
    keys: Keys = tuple((field, -1 if direction == -1 else 1) for field, direction in described["key"].items())
    special = [kind for kind in described["key"].values() if not isinstance(kind, int | float)]
    protection = ""
    if described["name"] == "_id_":
        protection = "_id"
    elif described.get("unique"):
        protection = "unique"
    elif "expireAfterSeconds" in described:
        protection = "ttl"
    elif special or described.get("sparse") or "partialFilterExpression" in described:
        protection = "special"
    # Compares fields only, because the local wire server does not report directions.
    fields = [field for field, _ in keys]
    known = any([field for field, _ in one] == fields for one in declared)
    return Index(collection, described["name"], keys, protection, declared=known)


def merged(members: Sequence[Reads]) -> Reads:
    """Return the total reads of each index by all members, and the time since which all have counted.

    Omits indexes that a member does not report, because a member that is still building one counts no reads.
    """
    found: Reads = {}
    for name in set.intersection(*(set(each) for each in members)) if members else ():
        counts = [each[name] for each in members]
        started = [since for _, since in counts if since is not None]
        since = max(started) if len(started) == len(counts) else None
        found[name] = sum(count for count, _ in counts), since
    return found


async def _reads(member: Database, collection: str) -> Reads:
    """Return the reads of each index by one member. Raises ``OperationFailure`` without ``$indexStats``."""
    # $indexStats supports only the read concern "local".
    source = member.get_collection(collection, read_concern=ReadConcern("local"))
    found: Reads = {}
    async for each in await source.aggregate([{"$indexStats": {}}]):
        accesses = each.get("accesses") or {}
        count, since = found.get(each["name"], (0, accesses.get("since")))
        found[each["name"]] = count + int(accesses.get("ops", 0)), since
    return found
