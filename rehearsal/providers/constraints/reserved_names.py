"""Names that stay taken after their resource was deleted, so that it cannot be created again with them.

``reserved_names.json`` lists the types by token:

| key | meaning |
| --- | --- |
| `name` | properties that identify the resource within its project, the outer one first |
| `days` | for how long the name stays taken; absent: permanently |
| `restore` | how the former resource is used again |
| `never_deleted` | names of resources that exist in every project, and that the provider only configures |
| `source` | documentation or report that states it |

Not among them: Firebase's apps, which the provider deletes at once (`immediate` in
`resourceFirebaseAndroidAppDelete`), App Check's configurations, which exist as long as their app, and
instances of Cloud SQL, whose names can be used again at once
(https://cloud.google.com/sql/docs/postgres/delete-instance).
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
    """A type whose names stay taken: properties that identify it, duration in days, remedy and source."""

    properties: tuple[str, ...]
    days: int | None
    restore: str
    source: str
    never_deleted: tuple[str, ...] = ()

    @property
    def duration(self) -> str:
        """For how long the name stays taken, as text."""
        return "permanently" if self.days is None else f"for {self.days} days"

    def of(self, inputs: Mapping[str, Any]) -> str | None:
        """Return the name in plain `inputs`, with that of its parent before a slash.

        None if it is not known yet, or is never deleted.
        """
        parts = [inputs.get(name) for name in self.properties]
        if not all(isinstance(part, str) and part and part is not UNKNOWN for part in parts):
            return None
        name = "/".join(str(part).rsplit("/", 1)[-1] for part in parts)
        return None if name in self.never_deleted else name


@cache
def reserved_names() -> Mapping[str, ReservedName]:
    """Return the types whose names stay taken, by type token."""
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
    """Return why a replacement by a resource with the same name fails; None where it does not.

    Both sets of inputs are plain. A resource in another location or project is another one.
    """
    reserved = reserved_names().get(token)
    name = reserved.of(inputs) if reserved else None
    if reserved is None or name is None or name != reserved.of(olds):
        return None
    if any(inputs.get(key) != olds.get(key) for key in ("location", "parent", "project")):
        return None
    return f"only a new resource can have it, and the name {name} stays taken {reserved.duration}"
