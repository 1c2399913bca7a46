"""No operation leaves a value in the state in plaintext that the program calls secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rehearsal.engine.events import Silent
from rehearsal.engine.state import secrets as state_secrets
from rehearsal.pulumi.project import Project
from rehearsal.pulumi.properties import Secret
from rehearsal.session import Session
from tests.rehearsal.engine.program_folders import Case, messages
from tests.rehearsal.parity import random_programs

PROGRAMS = 10  # that share one stack


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_state_of_random_programs_holds_no_secret_in_plaintext(tmp_path: Path, seed: int) -> None:
    case = Case.copy("policy-pack-required", tmp_path)
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  gcp:project: ours\n")
    hidden, public = 0, set[str]()
    for step in range(4):
        text = random_programs.source(seed, range(PROGRAMS), step)
        # A resource that moves away from its protected record would fail the update.
        text = text.replace("protect=True", "protect=False")
        (tmp_path / "__main__.py").write_text(text)
        result = case.update()
        assert result.ok, messages(result)
        secrets = set(re.findall(r'Output\.secret\("([^"]+)"\)', text))
        plain = public | set(re.findall(r'"(v\d+-\d+-\d+)"', re.sub(r'Output\.secret\("[^"]+"\)', "", text)))
        public = plain  # an ignored or retained value may be that of an earlier step
        hidden += len(secrets - plain)
        state = case.state.read_text()
        assert {value for value in secrets - plain if f'"{value}"' in state} == set()
        case.refresh()
        state = case.state.read_text()
        assert {value for value in secrets - plain if f'"{value}"' in state} == set()
    assert hidden > 10


def test_temporary_state_has_a_random_passphrase_and_a_quick_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case.copy("policy-pack-required", tmp_path / "program")
    (case.root / "__main__.py").write_text(
        'import pulumi\npulumi.export("key", pulumi.Output.secret("hunter2"))\n'
    )
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of the user")
    monkeypatch.setattr(state_secrets, "ITERATIONS", 10**10)  # would take an hour
    folder = tmp_path / "state"
    for _ in range(2):
        session = Session(Project.at(case.root), "dev", policies=None, state=folder)
        assert session.apply(Silent()).outputs["key"] == Secret("hunter2")
    assert "hunter2" not in (folder / "state.json").read_text()
    assert (folder / "passphrase").read_text().strip() != "of the user"
