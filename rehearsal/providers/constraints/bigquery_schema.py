"""Schemas of BigQuery tables as the provider compares them: equal, changeable in place, or not.

Read in terraform-provider-google-beta, August 2026: `bigQueryTableSchemaDiffSuppress` and
`resourceBigQueryTableSchemaIsChangeable`. The provider also requires a new table where columns are dropped
and the table has row access policies, which it reads from the API; a preview without credentials does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

_TYPES: Final = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}
# Keys of a column that the server may change in a table of a foreign type.
_FOREIGN: Final = frozenset({"type", "fields"})


def parsed(text: Any) -> Any:
    """Return the columns in a schema's text; an absent, empty or malformed one has none."""
    none: list[Any] = []
    try:
        return json.loads(text) or none
    except (TypeError, ValueError):
        return none


def is_equal(old: Any, new: Any, key: str = "schema") -> bool:
    """Return whether two schemas are equal, regardless of column order and of synonymous types."""
    match old, new:
        case list(), list():
            if len(old) != len(new):
                return False
            if key in ("schema", "fields"):
                old, new = _sorted(old), _sorted(new)
            return all(is_equal(one, other, "") for one, other in zip(old, new, strict=True))
        case dict(), dict():
            keys = old.keys() | new.keys()
            if "foreignTypeDefinition" in keys:
                keys -= _FOREIGN
            return all(_is_equal_at(one, old, new) for one in keys)
        case _:
            return bool(old == new) and type(old) is type(new)


def is_changeable(old: Any, new: Any, *, external: bool, top: bool = True) -> bool:
    """Return whether an update in place can change the schema `old` of a table to `new`.

    `external` is true for a table with external data. `top` is true for the columns of the table itself,
    false for the fields of a record column.
    """
    match old, new:
        case list(), list():
            return _are_columns_changeable(_by_name(old), _by_name(new), external=external, top=top)
        case dict(), dict():
            return _is_column_changeable(old, new, external=external)
        case _:
            return bool(old == new)


def _are_columns_changeable(
    before: Mapping[str, Any], after: Mapping[str, Any], *, external: bool, top: bool
) -> bool:
    added, dropped = after.keys() - before.keys(), before.keys() - after.keys()
    if any(after[name].get("mode") == "REQUIRED" for name in added):
        return False
    # A dropped and an added column may be one column that was renamed, which needs a new table.
    if dropped and (external or not top or added):
        return False
    return all(
        is_changeable(before[name], after[name], external=external, top=False)
        for name in before.keys() & after.keys()
    )


def _is_column_changeable(old: Mapping[str, Any], new: Mapping[str, Any], *, external: bool) -> bool:
    foreign = "foreignTypeDefinition" in old or "foreignTypeDefinition" in new
    if not foreign:
        if None in (old.get("type"), new.get("type")):
            return True  # not a valid schema: the API refuses it
        if _type(old["type"]) != _type(new["type"]):
            return False
    before, after = _mode(old.get("mode")), _mode(new.get("mode"))
    if before != after and (before, after) != ("REQUIRED", "NULLABLE"):
        return False
    if not foreign and ("fields" in old or "fields" in new):
        return is_changeable(old.get("fields"), new.get("fields"), external=external, top=False)
    return True


def _is_equal_at(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    before, after = old.get(key), new.get(key)
    match key:
        case "mode" if _mode(before) == _mode(after):
            return True
        case "description" if not before and not after:
            return True
        case "collation" if after is None or (not before and not after):
            return True
        case "type" if None not in (before, after) and _type(before) == _type(after):
            return True
        case "policyTags" if not _tags(before, "names") and not _tags(after, "names"):
            return True
        case "dataGovernanceTagsInfo" if not _tags(before, "dataGovernanceTags") and not _tags(
            after, "dataGovernanceTags"
        ):
            return True
        case _:
            return key in old and key in new and is_equal(before, after, key)


def _tags(value: Any, name: str) -> Any:
    return value.get(name, value) if isinstance(value, Mapping) else value


def _type(name: Any) -> str:
    return _TYPES.get(str(name).upper(), str(name).upper())


def _mode(name: Any) -> str:
    return "NULLABLE" if name is None else str(name).upper()


def _by_name(columns: list[Any]) -> dict[str, Any]:
    return {str(item.get("name")): item for item in columns if isinstance(item, Mapping)}


def _sorted(columns: list[Any]) -> list[Any]:
    return sorted(columns, key=lambda item: str(item.get("name")) if isinstance(item, Mapping) else "")
