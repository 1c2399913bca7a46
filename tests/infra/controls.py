"""Check tables of documents, whose rows name a resource, a property and its value, in a rehearsed state."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from rehearsal.pulumi.properties import unwrap
from tests.infra.audits.paths import ABSENT, values
from tests.infra.rehearsal import Declared, name_of

ROW = re.compile(
    r"^\| (?P<control>[^|]+) \| [^|]+ \| `(?P<kind>[^`]+)` \| `(?P<path>[^`]+)` \| `(?P<want>[^`]+)` \|$"
)


@dataclass(frozen=True)
class Row:
    """A control: type (`#name` for one resource), path of the property, and its required value."""

    control: str
    kind: str
    path: str
    want: str

    def holders(self, declared: Declared) -> Iterator[dict[str, Any]]:
        """Yield the inputs of the resources that the row is about."""
        type_, _, name = self.kind.partition("#")
        for item in declared.resources:
            if item.type == type_ and name in {"", name_of(item.urn)}:
                yield unwrap(item.inputs)

    def holds(self, inputs: dict[str, Any]) -> bool:
        """Return whether a resource satisfies the row."""
        found = values(inputs, self.path)
        verb, _, item = self.want.partition(" ")
        match verb:
            case "set":
                return all(value is not ABSENT and value not in (None, "", [], {}) for value in found)
            case "has":
                listed = [
                    entry for value in found for entry in (value if isinstance(value, list) else [value])
                ]
                return item in listed
            case _:
                wanted = yaml.safe_load(self.want)
                return all(value == wanted and type(value) is type(wanted) for value in found)


def rows(text: str) -> list[Row]:
    """Return the rows of all tables in a document."""
    return [Row(**match.groupdict()) for line in text.splitlines() if (match := ROW.match(line))]


def broken(listed: list[Row], declared: Declared) -> list[tuple[str, str, str, list[Any]]]:
    """Return the violated rows, with the values that were found."""
    found = []
    for row in listed:
        holders = list(row.holders(declared))
        if not holders or not all(row.holds(inputs) for inputs in holders):
            found.append((row.control, row.kind, row.path, [values(item, row.path) for item in holders]))
    return found
