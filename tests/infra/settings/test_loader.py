"""The configuration of the running stack: its port on one machine, and one message for all errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.settings.loader import parse, with_edge_port
from rehearsal.errors import KingdomError
from rehearsal.pulumi.project import Project
from tests.infra.rehearsal import ROOT, configuration, rehearse


@pytest.fixture
def values() -> dict[str, Any]:
    return configuration("prod")


def test_the_program_receives_the_edge_port_of_a_machine(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "__main__.py").touch()
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    file = (ROOT / "stacks" / "Pulumi.local.yaml").read_text().replace("edgePort: 8443", "edgePort: 9443")
    (tmp_path / "stacks" / "Pulumi.local.yaml").write_text(file)
    stack = Project.at(tmp_path).stack("local")
    assert json.loads(stack.config["rehearsal:machine"]) == stack.machine
    assert parse("local", with_edge_port(stack.config)).edge.port == 9443


@pytest.mark.parametrize("as_text", [False, True])
def test_the_edge_port_of_a_machine_is_the_port_of_every_url(values: dict[str, Any], as_text: bool) -> None:
    values["rehearsal:machine"] = {"edgePort": 9443}
    if as_text:
        values = {key: each if isinstance(each, str) else json.dumps(each) for key, each in values.items()}
    settings = parse("prod", with_edge_port(values))
    assert settings.edge.url.endswith(":9443")
    del values["rehearsal:machine"]
    assert parse("prod", with_edge_port(values)) == parse("prod", values)


@pytest.mark.parametrize(
    "change",
    [
        {"rehearsal:machine": {"webApp": "mobile/dist/web"}},
        {"rehearsal:machine": "not an object"},
        {"rehearsal:machine": 3},
    ],
)
def test_without_an_edge_port_the_configuration_is_unchanged(
    values: dict[str, Any], change: dict[str, Any]
) -> None:
    assert with_edge_port(values | change) == values | change


def test_the_given_configuration_is_not_modified(values: dict[str, Any]) -> None:
    values["rehearsal:machine"] = {"edgePort": 9443}
    with_edge_port(values)
    assert values["kingdom:edge"]["port"] == 443


def test_a_wrong_stack_file_ends_the_program_before_any_resource(
    values: dict[str, Any], tmp_path: Path
) -> None:
    values["kingdom:cache"]["minGb"] = 0
    values["kingdom:netwrok"] = 3
    with pytest.raises(KingdomError) as caught:
        rehearse("prod", tmp_path, values)
    message = str(caught.value)
    assert 'stack "prod": 2 settings are wrong in stacks/Pulumi.prod.yaml, and nothing was changed' in message
    assert "kingdom:cache.minGb = 0" in message
    assert "kingdom:netwrok" in message
    assert "Traceback" not in message
