"""Query shapes: commands without their values.

A shape consists of the collection, the operation, the fields and operators of the conditions, the sort order
and the fields that a write changes. It does not include values, the length of lists, the order of conditions,
limits or skips. Shapes contain names from this service's code and no user input, so they may be logged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

VALUE: Final = "?"
Condition: TypeAlias = "str | list[Condition] | dict[str, Condition]"

_LOGICAL: Final = frozenset({"$and", "$or", "$nor"})
_NESTED: Final = frozenset({"$not", "$elemMatch"})
_READS: Final = {"find": "filter", "count": "query", "distinct": "query"}


class Shape(msgspec.Struct, frozen=True):
    """A query shape. ``where`` is the filter as JSON with ``?`` for each value, ``sort`` has pairs of a field
    and 1 or -1, and ``changes`` lists the fields that a write sets (``*`` for all)."""

    collection: str
    operation: str
    where: str = "{}"
    sort: tuple[tuple[str, int], ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def conditions(self) -> dict[str, Condition]:
        """``where``, decoded."""
        return msgspec.json.decode(self.where)

    @property
    def reads(self) -> bool:
        """Whether an index can speed up finding the documents."""
        return self.operation != "insert"

    @property
    def writes(self) -> bool:
        """Whether the operation changes documents."""
        return self.operation in {"insert", "update", "delete", "findAndModify"}

    def __str__(self) -> str:
        sort = f" sort {dict(self.sort)}" if self.sort else ""
        changes = f" set {', '.join(self.changes)}" if self.changes else ""
        return f"{self.operation} {self.collection} {self.where}{sort}{changes}"


def query_shapes(command: Mapping[str, Any]) -> list[Shape]:
    """Return the shapes of a MongoDB command, one per statement; empty for commands other than queries."""
    operation = next(iter(command), "")
    collection = command.get(operation)
    if not isinstance(collection, str):
        return []
    if operation in _READS:
        return [_shape(collection, operation, command.get(_READS[operation]), command.get("sort"))]
    if operation == "insert":
        return [Shape(collection, "insert", changes=("*",))]
    if operation == "update":
        return [
            _shape(collection, "update", one.get("q"), changes=_changed(one.get("u")))
            for one in command.get("updates", ())
        ]
    if operation == "delete":
        return [
            _shape(collection, "delete", one.get("q"), changes=("*",)) for one in command.get("deletes", ())
        ]
    if operation == "findAndModify":
        changes = ("*",) if command.get("remove") else _changed(command.get("update"))
        return [_shape(collection, operation, command.get("query"), command.get("sort"), changes)]
    if operation == "aggregate":
        return [_aggregated(collection, command.get("pipeline") or [])]
    return []


def condition(value: object) -> Condition:
    """Return the condition on a field without its values."""
    if not isinstance(value, Mapping):
        return VALUE
    names = list(value)
    if not any(isinstance(name, str) and name.startswith("$") for name in names):
        return VALUE  # equality with an embedded document
    return {name: _operand(name, value[name]) for name in sorted(names)}


def _shape(
    collection: str,
    operation: str,
    where: object,
    sort: object = None,
    changes: tuple[str, ...] = (),
) -> Shape:
    conditions = _filter(where) if isinstance(where, Mapping) else {}
    return Shape(
        collection, operation, msgspec.json.encode(conditions, order="sorted").decode(), _sort(sort), changes
    )


def _filter(where: Mapping[str, Any]) -> dict[str, Condition]:
    return {
        name: _branches(value) if name in _LOGICAL else condition(value)
        for name, value in sorted(where.items())
    }


def _branches(value: object) -> Condition:
    """Return the distinct branches of an ``$and``, ``$or`` or ``$nor``, sorted."""
    items = value if isinstance(value, Sequence) else ()
    branches = [_filter(item) for item in items if isinstance(item, Mapping)]
    distinct = {msgspec.json.encode(branch, order="sorted"): branch for branch in branches}
    return [distinct[key] for key in sorted(distinct)]


def _operand(name: str, value: object) -> Condition:
    if name in _NESTED:
        if isinstance(value, Mapping) and not any(str(key).startswith("$") for key in value):
            return _filter(value)
        return condition(value)
    return VALUE


def _sort(sort: object) -> tuple[tuple[str, int], ...]:
    if not isinstance(sort, Mapping):
        return ()
    return tuple((name, -1 if direction == -1 else 1) for name, direction in sort.items())


def _changed(update: object) -> tuple[str, ...]:
    """Return the fields that an update sets; ``*`` for a replacement document or a pipeline."""
    if not isinstance(update, Mapping) or not all(str(name).startswith("$") for name in update):
        return ("*",)
    return tuple(
        sorted({field for fields in update.values() if isinstance(fields, Mapping) for field in fields})
    )


def _aggregated(collection: str, pipeline: Iterable[Mapping[str, Any]]) -> Shape:
    """Return the shape of the leading ``$match`` and ``$sort`` stages; only these can use indexes."""
    where: object = None
    sort: object = None
    for stage in pipeline:
        if where is None and sort is None and "$match" in stage:
            where = stage["$match"]
        elif sort is None and "$sort" in stage:
            sort = stage["$sort"]
        else:
            break
    return _shape(collection, "aggregate", where, sort)
