"""Production declares everything that `docs/requirements.md` lists."""

from __future__ import annotations

import pytest

from tests.infra.controls import broken, rows
from tests.infra.rehearsal import ROOT, Declared

ROWS = rows((ROOT / "docs" / "requirements.md").read_text())


def test_every_requirement_is_declared_at_its_documented_place(prod: Declared) -> None:
    assert broken(ROWS, prod) == []


@pytest.mark.parametrize(
    "requirement", [*(f"KUB{n}" for n in range(1, 9)), *(f"LBA{n}" for n in range(1, 6)), "SEC1"]
)
def test_every_requirement_of_the_cluster_has_a_row(requirement: str) -> None:
    assert any(requirement in row.control.split(", ") for row in ROWS)
