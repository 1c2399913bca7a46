"""Index advisor: recommends indexes for the recorded queries, and the removal of unused ones.

The order of fields follows MongoDB's manual ("The ESR Guideline"): fields compared for equality, then sort
fields, then range fields. These are pure functions from query statistics and existing indexes to advice;
:mod:`app.database.index_advisor.inventory` reads and changes the indexes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from app.database.index_advisor.query_shapes import VALUE, Condition, Shape
from app.database.index_advisor.query_stats import QueryStats

Keys: TypeAlias = tuple[tuple[str, int], ...]

# MongoDB allows 64 indexes per collection and 32 fields per index, but writes become slow far below that.
MAX_INDEXES: Final = 16
_MAX_FIELDS: Final = 8
_MIN_COUNT: Final = 10  # queries that ran less often in the past week do not justify an index
_MAX_WRITES_PER_READ: Final = 10.0
_UNUSED_FOR: Final = timedelta(days=14)
_EQUALITY: Final = frozenset({"$eq", "$in"})
_RANGES: Final = frozenset(
    {"$gt", "$gte", "$lt", "$lte", "$exists", "$regex", "$not", "$ne", "$nin", "$type"}
)
# Conditions with low selectivity: an index scan would hardly be shorter than a collection scan.
_WEAK: Final = frozenset({"$ne", "$nin", "$not", "$exists", "$type"})


class Index(msgspec.Struct, frozen=True):
    """An existing index.

    ``protection`` is the reason why it must not be dropped even if unused: ``_id``, ``unique``, ``ttl``,
    ``special`` or empty. ``declared`` is true if the service creates it at startup. ``reads`` is the number
    of reads since ``since``, ``None`` if the server does not report them.
    """

    collection: str
    name: str
    keys: Keys
    protection: str = ""
    declared: bool = False
    reads: int | None = None
    since: datetime | None = None


class Need(msgspec.Struct, frozen=True):
    """The fields that an index for a query, or for one branch of an ``$or``, must have."""

    equal: frozenset[str]
    sort: Keys = ()
    ranges: frozenset[str] = frozenset()


class Action(StrEnum):
    CREATE = "create"
    DROP = "drop"


class Advice(msgspec.Struct, frozen=True):
    """A recommended index change. ``reads`` and ``writes`` are the operations of the past week that the index
    would speed up and slow down."""

    action: Action
    collection: str
    name: str
    keys: Keys
    why: str
    reads: int = 0
    writes: int = 0
    declared: bool = False


def needs(shape: Shape) -> list[Need]:
    """Return the index needs of a query; empty for one without indexable conditions and sort order."""
    found = [_need(branch, shape.sort) for branch in _branches(shape.conditions)]
    return [need for need in found if need.equal or need.sort or need.ranges]


def advised(need: Need, *, popular: Mapping[str, int] | None = None) -> Keys:
    """Return the keys of an index for ``need``: equality, sort, range.

    Among equality fields, those with a higher count in ``popular`` come first, so that a prefix of the index
    can serve other queries.
    """
    weight = popular or {}

    def order(fields: Iterable[str]) -> list[str]:
        return sorted(fields, key=lambda field: (-weight.get(field, 0), field))

    keys = [(field, 1) for field in order(need.equal)]
    keys += need.sort
    keys += [(field, 1) for field in order(need.ranges - {field for field, _ in need.sort})]
    return tuple(keys[:_MAX_FIELDS])


def serves(keys: Keys, need: Need) -> bool:
    """Return whether an index serves ``need`` without a sort in memory.

    Its first fields must be the equality fields in any order, followed by the sort fields, all in the order's
    direction or all in reverse. For a need with range fields only, its first field must be one of them.
    """
    head, rest = keys[: len(need.equal)], keys[len(need.equal) :]
    if {field for field, _ in head} != need.equal:
        return False
    if need.sort:
        following = rest[: len(need.sort)]
        return need.sort in (following, _reversed(following))
    return bool(need.equal) or (bool(rest) and rest[0][0] in need.ranges)


def covers(longer: Keys, shorter: Keys) -> bool:
    """Return whether ``shorter`` is a proper prefix of ``longer`` or of its reverse, and so is redundant."""
    prefix = longer[: len(shorter)]
    return len(longer) > len(shorter) and shorter in (prefix, _reversed(prefix))


def _reversed(keys: Keys) -> Keys:
    return tuple((field, -direction) for field, direction in keys)


def advise(
    stats: Mapping[Shape, QueryStats], indexes: Sequence[Index], *, now: datetime, max_new: int = 3
) -> list[Advice]:
    """Return at most ``max_new`` indexes to create, most frequently needed first, then the ones to drop."""
    return [*_creations(stats, indexes)[:max_new], *_drops(indexes, now)]


def name_of(keys: Keys) -> str:
    """Return the name of an index created by the advisor; its prefix marks the advisor's own indexes."""
    return "advised_" + "_".join(f"{field.replace('.', '-')}_{direction}" for field, direction in keys)


def _creations(stats: Mapping[Shape, QueryStats], indexes: Sequence[Index]) -> list[Advice]:
    needed: dict[tuple[str, Need], QueryStats] = {}
    for shape, entry in stats.items():
        if not shape.reads:
            continue
        for need in needs(shape):
            total = needed.setdefault((shape.collection, need), QueryStats())
            total.count += entry.count
            total.seconds += entry.seconds
    popular: Counter[str] = Counter()
    for (collection, need), entry in needed.items():
        for field in need.equal:
            popular[f"{collection} {field}"] += entry.count
    existing: dict[str, list[Keys]] = {}
    unique: dict[str, list[frozenset[str]]] = {}
    for index in indexes:
        existing.setdefault(index.collection, []).append(index.keys)
        if index.protection in {"_id", "unique"}:
            fields = frozenset(field for field, _ in index.keys)
            unique.setdefault(index.collection, []).append(fields)
    advice: list[Advice] = []
    # Needs with more fields first, because their indexes often serve shorter needs too.
    for (collection, need), entry in sorted(needed.items(), key=_by_length):
        known = existing.setdefault(collection, [])
        if entry.count < _MIN_COUNT or any(serves(keys, need) for keys in known):
            continue
        if any(fields <= need.equal for fields in unique.get(collection, ())):
            continue  # a unique index finds the single matching document
        weight = {field: popular[f"{collection} {field}"] for field in need.equal}
        keys = advised(need, popular=weight)
        writes = _writes(stats, collection, keys)
        if len(known) >= MAX_INDEXES or writes > entry.count * _MAX_WRITES_PER_READ:
            continue  # the index would cost writes more than it saves reads
        known.append(keys)
        why = f"{entry.count} queries, {entry.mean * 1000:.1f} ms on average, and no index serves them"
        advice.append(Advice(Action.CREATE, collection, name_of(keys), keys, why, entry.count, writes))
    return sorted(advice, key=lambda each: -each.reads)


def _by_length(item: tuple[tuple[str, Need], QueryStats]) -> tuple[int, str, str]:
    (collection, need), _ = item
    return -(len(need.equal) + len(need.sort) + len(need.ranges)), collection, repr(advised(need))


def _drops(indexes: Sequence[Index], now: datetime) -> list[Advice]:
    advice: list[Advice] = []
    for index in indexes:
        if index.protection:
            continue
        longer = next(
            (
                other
                for other in indexes
                if other.collection == index.collection
                and other.protection in {"", "unique"}
                and covers(other.keys, index.keys)
            ),
            None,
        )
        if longer is not None:
            why = f"{longer.name} starts with the same fields"
        elif index.reads == 0 and index.since is not None and now - index.since > _UNUSED_FOR:
            why = f"unused since {index.since:%Y-%m-%d}"
        else:
            continue
        advice.append(
            Advice(Action.DROP, index.collection, index.name, index.keys, why, declared=index.declared)
        )
    return advice


def _writes(stats: Mapping[Shape, QueryStats], collection: str, keys: Keys) -> int:
    """Return the number of recorded writes that would update an index with these keys."""
    fields = {field for field, _ in keys}
    return sum(
        entry.count
        for shape, entry in stats.items()
        if shape.collection == collection and shape.writes and _touches(shape.changes, fields)
    )


def _touches(changes: Sequence[str], fields: set[str]) -> bool:
    """Return whether a change affects one of the fields: the field itself, its parent or its children."""
    return any(
        changed == "*"
        or changed == field
        or changed.startswith(f"{field}.")
        or field.startswith(f"{changed}.")
        for changed in changes
        for field in fields
    )


def _branches(conditions: Mapping[str, Condition]) -> list[dict[str, Condition]]:
    """Return the filters that each need an index: the branches of an ``$or``, with the common conditions."""
    common: dict[str, Condition] = {}
    choices: list[dict[str, Condition]] = []
    for name, value in conditions.items():
        if name == "$and" and isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    common.update(item)
        elif name == "$or" and isinstance(value, list):
            choices += [item for item in value if isinstance(item, dict)]
        elif not name.startswith("$"):
            common[name] = value
    return [{**common, **choice} for choice in choices] or [common]


def _need(conditions: Mapping[str, Condition], sort: Keys) -> Need:
    equal: set[str] = set()
    ranges: set[str] = set()
    for field, value in conditions.items():
        if field.startswith("$"):
            continue
        operators = set(value) if isinstance(value, dict) else set()
        # $in counts as equality, because the server then merges the sorted results of the values.
        if value == VALUE or operators & _EQUALITY:
            equal.add(field)
        elif operators & (_RANGES - _WEAK):
            ranges.add(field)
    # Sorting by a field that is compared for equality has no effect.
    ordered = tuple((field, direction) for field, direction in sort if field not in equal)
    return Need(frozenset(equal), ordered, frozenset(ranges))
