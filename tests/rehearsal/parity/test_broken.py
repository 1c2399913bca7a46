"""A program with policy violations: same findings in both engines, which create nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rehearsal.parity.kingdom_cli import Kingdom
from tests.rehearsal.parity.pulumi_cli import Pulumi, Ran, alike, copy_project

PROGRAM = Path(__file__).parent / "broken" / "__main__.py"
REMEDIED = {"pss-seccomp", "service-account-token"}
ON = ("--stack", "dev")

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900), pytest.mark.xdist_group("parity")]


@dataclass(frozen=True)
class Refused:
    """Results of both engines for the program, and the records of the CLI."""

    pulumi: dict[str, Ran]
    kingdom: dict[str, Ran]
    records: list[dict[str, object]]


@pytest.fixture(scope="module")
def refused(providers: str, tmp_path_factory: pytest.TempPathFactory) -> Refused:
    pulumi = Pulumi(_project(tmp_path_factory), tmp_path_factory.mktemp("home"), providers)
    kingdom = Kingdom(_project(tmp_path_factory))
    assert pulumi.run("stack", "init", "dev").code == 0
    theirs = {
        "preview": pulumi.run("preview", *ON, "--policy-pack", "policies"),
        "up": pulumi.run("up", *ON, "--yes", "--policy-pack", "policies"),
    }
    ours = {"preview": kingdom.run("preview", *ON), "up": kingdom.run("up", *ON)}
    return Refused(theirs, ours, pulumi.export("dev"))


def _project(folders: pytest.TempPathFactory) -> Path:
    """Copy the project with the program in dev, where two policies remediate their findings."""
    project = copy_project(folders.mktemp("broken"), PROGRAM)
    stack = project / "stacks" / "Pulumi.dev.yaml"
    text, remedied = stack.read_text(), "".join(f"    {name}: remediate\n" for name in sorted(REMEDIED))
    assert "  policies:config:\n" in text
    stack.write_text(text.replace("  policies:config:\n", f"  policies:config:\n{remedied}"))
    return project


@pytest.mark.parametrize("command", ["preview", "up"])
def test_both_engines_report_the_same_findings(refused: Refused, command: str) -> None:
    theirs, ours = alike(refused.pulumi[command].findings), alike(refused.kingdom[command].findings)
    assert ours == theirs
    assert len({policy for policy, level, _, _ in ours if level == "mandatory"}) > 15


def test_a_remediated_violation_is_not_a_finding(refused: Refused) -> None:
    for ran in (refused.pulumi["preview"], refused.kingdom["preview"]):
        assert not REMEDIED & {policy for policy, _, _, _ in ran.findings}


def test_a_mandatory_finding_stops_both_before_anything_is_created(refused: Refused) -> None:
    assert all(ran.code for ran in (*refused.pulumi.values(), *refused.kingdom.values()))
    assert not [record for record in refused.records if record["custom"]]
    assert "mandatory" in refused.pulumi["up"].output
