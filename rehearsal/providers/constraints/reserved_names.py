"""Names that stay reserved after their resource was deleted, so that no new resource can have them.

``reserved_names.json`` lists the types by token:

| key | meaning |
| --- | --- |
| `name` | properties that identify the resource within its project, that of the parent first |
| `days` | how many days the name stays reserved; absent: permanently |
| `restore` | how to restore the former resource, for messages |
| `never_deleted` | names of resources that exist in every project and that the provider only configures |
| `source` | URL of the documentation or the report |

These types are not listed: Firebase apps, which the provider deletes immediately (`immediate` in
`resourceFirebaseAndroidAppDelete`); App Check configurations, which exist as long as their app; and Cloud SQL
instances, whose names can be reused immediately (https://cloud.google.com/sql/docs/postgres/delete-instance).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from rehearsal.pulumi.properties import UNKNOWN

_DATA: Final = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class ReservedName:
    """An entry of the list; `days` is None if names of the type stay reserved permanently."""

    properties: tuple[str, ...]
    days: int | None
    restore: str
    source: str
    never_deleted: tuple[str, ...] = ()

    @property
    def duration(self) -> str:
        """How long the name stays reserved, as text."""
        return "permanently" if self.days is None else f"for {self.days} days"

    def of(self, inputs: Mapping[str, Any]) -> str | None:
        """Return the name in plain `inputs`, as ``parent/name`` if the type has a parent.

        Return None if it is unknown, or if the resource exists in every project.
        """
        parts = [inputs.get(name) for name in self.properties]
        if not all(isinstance(part, str) and part and part is not UNKNOWN for part in parts):
            return None
        name = "/".join(str(part).rsplit("/", 1)[-1] for part in parts)
        return None if name in self.never_deleted else name


@cache
def reserved_names() -> Mapping[str, ReservedName]:
    """Return the types whose names stay reserved, by type token."""
    types = json.loads(_DATA.read_text(encoding="utf-8"))["types"]
    return {
        token: ReservedName(
            tuple(item["name"]),
            item.get("days"),
            item["restore"],
            item["source"],
            tuple(item.get("never_deleted", ())),
        )
        for token, item in types.items()
    }


def recreated_name(token: str, inputs: Mapping[str, Any], olds: Mapping[str, Any]) -> str | None:
    """Return why a replacement with the same name fails; None if the name changes or can be reused.

    `inputs` and `olds` are plain. The names of different projects and locations are independent.
    """
    reserved = reserved_names().get(token)
    name = reserved.of(inputs) if reserved else None
    if reserved is None or name is None or name != reserved.of(olds):
        return None
    if any(inputs.get(key) != olds.get(key) for key in ("location", "parent", "project")):
        return None
    return f"only a new resource can have it, and the name {name} stays taken {reserved.duration}"
