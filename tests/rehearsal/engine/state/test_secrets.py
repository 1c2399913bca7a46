"""No operation leaves a value in the state in plaintext that the program calls secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.rehearsal.engine.handed import Case, messages
from tests.rehearsal.parity import random_programs

PROGRAMS = 10  # that share one stack


@pytest.mark.parametrize("seed", range(3))
def test_state_of_random_programs_holds_no_secret_in_plaintext(tmp_path: Path, seed: int) -> None:
    case = Case.copy("policy-pack-required", tmp_path)
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  gcp:project: ours\n")
    hidden = 0
    for step in range(4):
        text = random_programs.source(seed, range(PROGRAMS), step)
        (tmp_path / "__main__.py").write_text(text)
        result = case.update()
        assert result.ok, messages(result)
        secrets = set(re.findall(r'Output\.secret\("([^"]+)"\)', text))
        plain = set(re.findall(r'"(v\d+-\d+-\d+)"', re.sub(r'Output\.secret\("[^"]+"\)', "", text)))
        hidden += len(secrets - plain)
        state = case.state.read_text()
        assert {value for value in secrets - plain if f'"{value}"' in state} == set()
        case.refresh()
        state = case.state.read_text()
        assert {value for value in secrets - plain if f'"{value}"' in state} == set()
    assert hidden > 10
