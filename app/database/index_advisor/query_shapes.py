"""Queries without their values: two commands have the same shape exactly when they differ in values only.

What counts: the collection, what is done, which fields are compared by which operators, the order of the
sort, and which fields a write changes. What does not: values, how many there are in a list, the order of
conditions, limits and skips. A shape names fields and operators of this service's code, never what people
typed, so it may be logged.
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
    """``where`` is JSON of the conditions, each value a ``?``; ``sort`` has ``(field, 1 or -1)``; ``changes``
    names the fields a write sets (``*``: all of them)."""

    collection: str
    operation: str
    where: str = "{}"
    sort: tuple[tuple[str, int], ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def conditions(self) -> dict[str, Condition]:
        """``where``, read."""
        return msgspec.json.decode(self.where)

    @property
    def reads(self) -> bool:
        """Whether an index can help to find what it is about."""
        return self.operation != "insert"

    @property
    def writes(self) -> bool:
        """Whether it changes documents."""
        return self.operation in {"insert", "update", "delete", "findAndModify"}

    def __str__(self) -> str:
        sort = f" sort {dict(self.sort)}" if self.sort else ""
        changes = f" set {', '.join(self.changes)}" if self.changes else ""
        return f"{self.operation} {self.collection} {self.where}{sort}{changes}"


def shapes(command: Mapping[str, Any]) -> list[Shape]:
    """The shapes of a command as PyMongo sends it: one for each statement; none when it is of no interest."""
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
    """A filter without its values."""
    if not isinstance(value, Mapping):
        return VALUE
    names = list(value)
    if not any(isinstance(name, str) and name.startswith("$") for name in names):
        return VALUE  # a document to be equal to
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
    """The parts of an ``$and`` or ``$or``: in no order, each once."""
    parts = value if isinstance(value, Sequence) else ()
    branches = [_filter(part) for part in parts if isinstance(part, Mapping)]
    known = {msgspec.json.encode(branch, order="sorted"): branch for branch in branches}
    return [known[key] for key in sorted(known)]


def _operand(name: str, value: object) -> Condition:
    if name in _NESTED:
        if isinstance(value, Mapping) and not any(str(key).startswith("$") for key in value):
            return _filter(value)
        return condition(value)
    return VALUE


def _sort(sort: object) -> tuple[tuple[str, int], ...]:
    if not isinstance(sort, Mapping):
        return ()
    return tuple((name, -1 if way == -1 else 1) for name, way in sort.items())


def _changed(update: object) -> tuple[str, ...]:
    """The fields an update sets; ``*`` for a whole document or a pipeline."""
    if not isinstance(update, Mapping) or not all(str(name).startswith("$") for name in update):
        return ("*",)
    return tuple(
        sorted({field for fields in update.values() if isinstance(fields, Mapping) for field in fields})
    )


def _aggregated(collection: str, pipeline: Iterable[Mapping[str, Any]]) -> Shape:
    """Indexes help the ``$match`` and ``$sort`` that a pipeline begins with."""
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
