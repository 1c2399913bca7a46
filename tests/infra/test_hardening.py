"""What `docs/hardening.md` says is held is held, in every environment that holds data of people."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from rehearsal.properties import unwrap
from tests.infra.rehearsal import ROOT, Declared, name_of
from tests.infra.walk.paths import ABSENT, replaced, values

ROW = re.compile(
    r"^\| (?P<control>[^|]+) \| [^|]+ \| `(?P<kind>[^`]+)` \| `(?P<path>[^`]+)` \| `(?P<want>[^`]+)` \|$"
)
TEXT = (ROOT / "docs" / "hardening.md").read_text()


@dataclass(frozen=True)
class Row:
    """A control, the resources that hold it, and what must stand at the path in each."""

    control: str
    kind: str
    path: str
    want: str

    def holders(self, declared: Declared) -> Iterator[dict[str, Any]]:
        """Inputs of the resources that are meant."""
        type_, _, name = self.kind.partition("#")
        for item in declared.resources:
            if item.type == type_ and name in {"", name_of(item.urn)}:
                yield unwrap(item.inputs)

    def holds(self, inputs: dict[str, Any]) -> bool:
        """Whether one resource does what the row says."""
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


ROWS = [Row(**match.groupdict()) for line in TEXT.splitlines() if (match := ROW.match(line))]
ROW_IDS = [f"{row.kind.rpartition(':')[2]}.{row.path}" for row in ROWS]


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_every_control_that_is_written_down_is_held(stack: str, stack_of: Callable[[str], Declared]) -> None:
    declared = stack_of(stack)
    broken = []
    for row in ROWS:
        holders = list(row.holders(declared))
        if not holders or not all(row.holds(inputs) for inputs in holders):
            broken.append((row.control, row.kind, row.path, [values(item, row.path) for item in holders]))
    assert broken == []


@pytest.mark.parametrize("row", ROWS, ids=ROW_IDS)
def test_a_control_that_is_dropped_is_missed(row: Row, prod: Declared) -> None:
    inputs = next(row.holders(prod))
    assert not row.holds(replaced(inputs, row.path, ABSENT))


def test_every_row_of_the_tables_is_read() -> None:
    tables = [line for line in TEXT.splitlines() if line.startswith("| ") and line.count(" | ") == 4]
    headings = [line for line in tables if line.startswith(("| control", "| ---"))]
    assert len(ROWS) == len(tables) - len(headings) > 80


@pytest.mark.parametrize("benchmark", ["5.1", "5.2", "5.3", "5.4", "5.5", "5.6", "5.7", "5.8", "5.9", "5.10"])
def test_every_chapter_of_the_benchmark_for_managed_clusters_is_answered(benchmark: str) -> None:
    assert re.search(rf"(?<![\d.]){re.escape(benchmark)}\.\d", TEXT)


def test_a_control_is_held_or_excused_never_both() -> None:
    held, _, excused = TEXT.partition("## What is not held, and why")
    numbers = re.compile(r"CKV_GCP_\d+")
    assert not set(numbers.findall(held)) & set(numbers.findall(excused))
