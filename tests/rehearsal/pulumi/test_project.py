"""What a stack file gives to the program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.settings.loader import parse, with_edge_port
from rehearsal.errors import InputError
from rehearsal.pulumi.project import Project
from tests.support.backends import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy of this project's stack files."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "__main__.py").touch()
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    local = (ROOT / "stacks" / "Pulumi.local.yaml").read_text()
    (tmp_path / "stacks" / "Pulumi.local.yaml").write_text(local.replace("edgePort: 8443", "edgePort: 9443"))
    return Project.at(tmp_path)


def test_the_program_receives_the_port_of_the_machine(project: Project) -> None:
    stack = project.stack("local")
    assert json.loads(stack.config["rehearsal:machine"]) == stack.machine
    assert parse("local", with_edge_port(stack.config)).edge.port == 9443


def test_other_keys_of_the_namespace_are_refused(project: Project) -> None:
    path = project.stack_file("local")
    path.write_text(path.read_text().replace("rehearsal:machine:", "rehearsal:machines:"))
    with pytest.raises(InputError, match="cannot be used"):
        project.stack("local")
