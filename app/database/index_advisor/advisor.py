"""Which indexes the queries that are really asked would need, and which nobody needs.

The order of fields is MongoDB's own rule (manual, "The ESR Guideline"): first what is compared for equality,
then what the result is sorted by, then ranges. Every advice says what it rests on. Pure functions: what is
known of the database comes in, advice comes out, nothing is changed here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from app.database.index_advisor.query_shapes import VALUE, Condition, Shape
from app.database.index_advisor.query_stats import Use

Keys: TypeAlias = tuple[tuple[str, int], ...]

# From the limits of MongoDB: 64 indexes a collection, 32 fields an index. Long before that, writes suffer.
MOST_INDEXES: Final = 16
_MOST_FIELDS: Final = 8
_SELDOM: Final = 10  # a query that was asked less often in a week is no reason for an index
_MOST_WRITES_A_READ: Final = 10.0
_UNUSED_FOR: Final = timedelta(days=14)
_EQUALITY: Final = frozenset({"$eq", "$in"})
_RANGES: Final = frozenset(
    {"$gt", "$gte", "$lt", "$lte", "$exists", "$regex", "$not", "$ne", "$nin", "$type"}
)
# Conditions that rule out little: a scan of the index would hardly be shorter than one of the collection.
_WEAK: Final = frozenset({"$ne", "$nin", "$not", "$exists", "$type"})


class Index(msgspec.Struct, frozen=True):
    """An index that is there. ``kept`` says why it stays even when nothing reads it (``unique``, …);
    ``reads`` since ``since``, where the server tells."""

    collection: str
    name: str
    keys: Keys
    kept: str = ""
    declared: bool = False
    reads: int | None = None
    since: datetime | None = None


class Need(msgspec.Struct, frozen=True):
    """What one query, or one branch of an ``$or``, asks of an index."""

    equal: frozenset[str]
    sort: Keys = ()
    ranges: frozenset[str] = frozenset()


class Action(StrEnum):
    CREATE = "create"
    DROP = "drop"


class Advice(msgspec.Struct, frozen=True):
    """What to do, and why. ``reads`` and ``writes`` a week: what it would help, and what would pay for it."""

    action: Action
    collection: str
    name: str
    keys: Keys
    why: str
    reads: int = 0
    writes: int = 0
    declared: bool = False


def needs(shape: Shape) -> list[Need]:
    """What a query asks of indexes; nothing when it has neither conditions nor an order."""
    found = [_need(branch, shape.sort) for branch in _branches(shape.conditions)]
    return [need for need in found if need.equal or need.sort or need.ranges]


def advised(need: Need, *, popular: Mapping[str, int] | None = None) -> Keys:
    """The index for a need: equality, sort, range. Among equals, what more queries ask for comes first, so
    that one index can serve several as its prefix.
    """
    weight = popular or {}

    def order(fields: Iterable[str]) -> list[str]:
        return sorted(fields, key=lambda field: (-weight.get(field, 0), field))

    keys = [(field, 1) for field in order(need.equal)]
    keys += need.sort
    keys += [(field, 1) for field in order(need.ranges - {field for field, _ in need.sort})]
    return tuple(keys[:_MOST_FIELDS])


def serves(keys: Keys, need: Need) -> bool:
    """Whether an index finds what is asked for without sorting in memory: its first fields are exactly the
    equal ones in any order, then come those of the sort, all in its direction or all against it, and when
    there is neither, its first field is of a range.
    """
    head, rest = keys[: len(need.equal)], keys[len(need.equal) :]
    if {field for field, _ in head} != need.equal:
        return False
    if need.sort:
        part = rest[: len(need.sort)]
        back = tuple((field, -way) for field, way in part)
        return need.sort in (part, back)
    return bool(need.equal) or (bool(rest) and rest[0][0] in need.ranges)


def covers(longer: Keys, shorter: Keys) -> bool:
    """Whether everything ``shorter`` does is done by ``longer``: it is a true prefix of it, or of it read
    backwards.
    """
    prefix = longer[: len(shorter)]
    return len(longer) > len(shorter) and shorter in (prefix, tuple((field, -way) for field, way in prefix))


def advise(
    workload: Mapping[Shape, Use], indexes: Sequence[Index], *, now: datetime, most_new: int = 3
) -> list[Advice]:
    """What to create, the most useful first and at most ``most_new``, then what to drop."""
    return [*_creations(workload, indexes)[:most_new], *_drops(indexes, now)]


def name_of(keys: Keys) -> str:
    """The name of an index the advisor made: by it, and only by it, it knows its own."""
    return "advised_" + "_".join(f"{field.replace('.', '-')}_{way}" for field, way in keys)


def _creations(workload: Mapping[Shape, Use], indexes: Sequence[Index]) -> list[Advice]:
    wanted: dict[tuple[str, Need], Use] = {}
    for shape, use in workload.items():
        if not shape.reads:
            continue
        for need in needs(shape):
            total = wanted.setdefault((shape.collection, need), Use())
            total.count += use.count
            total.seconds += use.seconds
    popular: Counter[str] = Counter()
    for (collection, need), use in wanted.items():
        for field in need.equal:
            popular[f"{collection} {field}"] += use.count
    there: dict[str, list[Keys]] = {}
    singles: dict[str, list[frozenset[str]]] = {}
    for index in indexes:
        there.setdefault(index.collection, []).append(index.keys)
        if index.kept in {"_id", "unique"}:
            fields = frozenset(field for field, _ in index.keys)
            singles.setdefault(index.collection, []).append(fields)
    advice: list[Advice] = []
    # The longest first: what they bring often serves the shorter ones too.
    for (collection, need), use in sorted(wanted.items(), key=_by_length):
        known = there.setdefault(collection, [])
        if use.count < _SELDOM or any(serves(keys, need) for keys in known):
            continue
        if any(single <= need.equal for single in singles.get(collection, ())):
            continue  # at most one document has these values: there is nothing left to sort or to search
        weight = {field: popular[f"{collection} {field}"] for field in need.equal}
        keys = advised(need, popular=weight)
        writes = _writes(workload, collection, keys)
        if len(known) >= MOST_INDEXES or writes > use.count * _MOST_WRITES_A_READ:
            continue  # each write would pay for what few reads gain
        known.append(keys)
        why = f"asked {use.count} times, {use.mean * 1000:.1f} ms each, and no index serves it"
        advice.append(Advice(Action.CREATE, collection, name_of(keys), keys, why, use.count, writes))
    return sorted(advice, key=lambda each: -each.reads)


def _by_length(item: tuple[tuple[str, Need], Use]) -> tuple[int, str, str]:
    (collection, need), _ = item
    return -(len(need.equal) + len(need.sort) + len(need.ranges)), collection, repr(advised(need))


def _drops(indexes: Sequence[Index], now: datetime) -> list[Advice]:
    advice: list[Advice] = []
    for index in indexes:
        if index.kept:
            continue
        longer = next(
            (
                other
                for other in indexes
                if other.collection == index.collection
                and other.kept in {"", "unique"}
                and covers(other.keys, index.keys)
            ),
            None,
        )
        if longer is not None:
            why = f"{longer.name} begins with the same fields"
        elif index.reads == 0 and index.since is not None and now - index.since > _UNUSED_FOR:
            why = f"not read once since {index.since:%Y-%m-%d}"
        else:
            continue
        advice.append(
            Advice(Action.DROP, index.collection, index.name, index.keys, why, declared=index.declared)
        )
    return advice


def _writes(workload: Mapping[Shape, Use], collection: str, keys: Keys) -> int:
    """How many writes would have to change an index."""
    fields = {field for field, _ in keys}
    return sum(
        use.count
        for shape, use in workload.items()
        if shape.collection == collection and shape.writes and _touches(shape.changes, fields)
    )


def _touches(changes: Sequence[str], fields: set[str]) -> bool:
    """Whether a change of a field, or of what holds it or what it holds, is one of these fields."""
    return any(
        changed == "*"
        or changed == field
        or changed.startswith(f"{field}.")
        or field.startswith(f"{changed}.")
        for changed in changes
        for field in fields
    )


def _branches(conditions: Mapping[str, Condition]) -> list[dict[str, Condition]]:
    """The filters of which each needs an index: every branch of an ``$or``, with what holds for all."""
    common: dict[str, Condition] = {}
    choices: list[dict[str, Condition]] = []
    for name, value in conditions.items():
        if name == "$and" and isinstance(value, list):
            for part in value:
                if isinstance(part, dict):
                    common.update(part)
        elif name == "$or" and isinstance(value, list):
            choices += [part for part in value if isinstance(part, dict)]
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
        # Many values in the order of another field are merged by the server; as a range they would not be.
        if value == VALUE or operators & _EQUALITY:
            equal.add(field)
        elif operators & (_RANGES - _WEAK):
            ranges.add(field)
    # What equals one value needs no order.
    ordered = tuple((field, way) for field, way in sort if field not in equal)
    return Need(frozenset(equal), ordered, frozenset(ranges))
