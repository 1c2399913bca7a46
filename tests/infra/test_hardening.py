"""Every control of `docs/hardening.md` holds in each environment with user data."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.infra.audits.paths import ABSENT, replaced
from tests.infra.controls import Row, broken, rows
from tests.infra.rehearsal import ROOT, Declared

pytestmark = pytest.mark.slow

TEXT = (ROOT / "docs" / "hardening.md").read_text()


ROWS = rows(TEXT)
ROW_IDS = [f"{row.kind.rpartition(':')[2]}.{row.path}" for row in ROWS]


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_every_control_that_is_written_down_is_held(stack: str, stack_of: Callable[[str], Declared]) -> None:
    declared = stack_of(stack)
    assert broken(ROWS, declared) == []


@pytest.mark.parametrize("row", ROWS, ids=ROW_IDS)
def test_a_control_that_is_dropped_is_missed(row: Row, prod: Declared) -> None:
    inputs = next(row.holders(prod))
    assert not row.holds(replaced(inputs, row.path, ABSENT))


def test_every_row_of_the_tables_is_read() -> None:
    tables = [line for line in TEXT.splitlines() if line.startswith("| ") and line.count(" | ") == 4]
    headings = [line for line in tables if line.startswith(("| control", "| ---"))]
    assert len(ROWS) == len(tables) - len(headings) > 80


@pytest.mark.parametrize("benchmark", ["5.1", "5.2", "5.3", "5.4", "5.5", "5.6", "5.7", "5.8", "5.9", "5.10"])
def test_every_chapter_of_the_benchmark_has_a_control(benchmark: str) -> None:
    assert re.search(rf"(?<![\d.]){re.escape(benchmark)}\.\d", TEXT)


def test_a_control_is_held_or_excused_never_both() -> None:
    held, _, excused = TEXT.partition("## Exceptions and reasons")
    numbers = re.compile(r"CKV_GCP_\d+")
    assert not set(numbers.findall(held)) & set(numbers.findall(excused))
