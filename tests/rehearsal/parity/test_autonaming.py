"""Preferred names of resources (`pulumi:autonaming`), beside the CLI: the same exit and the same state."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.rehearsal.minimal import Tiny
from tests.rehearsal.parity import steps
from tests.rehearsal.parity.kingdom_cli import Kingdom
from tests.rehearsal.parity.pulumi_cli import Pulumi
from tests.rehearsal.parity.random_programs import PRELUDE
from tests.rehearsal.parity.records import comparable, differences

ON = ("--stack", "local")
PROGRAM = """
Bucket("first", location="{place}")
Bucket("given", name="given-name")
Map("settings", data={{"k": "{place}"}})
Map("fixed", immutable=True, data={{"k": "{place}"}})
Pet("pet")
"""
SETTINGS = {
    "verbatim": "{mode: verbatim}",
    "pattern": "{pattern: '${project}-${stack}-${name}-${config.team}'}",
    "enforced": "{pattern: '${organization}-${name}', enforce: true}",
    "package": "{mode: verbatim, providers: {gcp: {pattern: 'g-${name}'}}}",
    "type": "{providers: {kubernetes: {resources: {'kubernetes:core/v1:ConfigMap': {mode: verbatim}}}}}",
    "default": "{mode: default}",
    "disabled": "{mode: disabled}",
    "wrong": "{mode: magic}",
}

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900), pytest.mark.xdist_group("parity")]


@pytest.mark.parametrize("name", SETTINGS)
def test_names_are_those_of_the_cli(name: str, providers: str, tmp_path: Path) -> None:
    for folder in ("pulumi", "kingdom"):
        (tmp_path / folder).mkdir()
        Tiny.make(tmp_path / folder)
    pulumi = Pulumi(tmp_path / "pulumi", tmp_path / "home", providers)
    kingdom = Kingdom(tmp_path / "kingdom")
    assert pulumi.run("stack", "init", "local").code == 0
    for project in (pulumi.project, kingdom.project):
        with (project / "stacks" / "Pulumi.local.yaml").open("a") as file:
            file.write(f"  tiny:team: blue\n  pulumi:autonaming: {SETTINGS[name]}\n")
        text = (project / "stacks" / "Pulumi.local.yaml").read_text()
        if "encryptionsalt" in text:  # the last key must be of the configuration
            lines = text.splitlines()
            salt = [line for line in lines if line.startswith("encryptionsalt")]
            rest = [line for line in lines if line not in salt]
            (project / "stacks" / "Pulumi.local.yaml").write_text("\n".join([*salt, *rest, ""]))
    for place in ("EU", "US"):
        for project in (pulumi.project, kingdom.project):
            (project / "infra" / "__main__.py").write_text(PRELUDE + PROGRAM.format(place=place))
        with ThreadPoolExecutor() as pool:
            ours = pool.submit(kingdom.run, "up", *ON)
            theirs = pulumi.run("up", *ON, "--yes")
        assert bool(ours.result().code) == bool(theirs.code) == (name in ("disabled", "wrong"))
        found = differences(comparable(pulumi.export("local")), comparable(kingdom.export("local")))
        if not theirs.code:
            ran = ours.result().output
            found += steps.differing(steps.of_pulumi(pulumi.home / "events.jsonl"), steps.of_kingdom(ran))
        assert not found, theirs.output + ours.result().output
