"""Public example programs under both engines: the same plan, the same steps, the same records.

``pytest -m engine tests/rehearsal/parity/test_public_programs.py --public-programs FOLDER``, where FOLDER has
clones of pulumi/examples and pulumi/templates. `docs/fidelity.md` has the results.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rehearsal.parity import steps
from tests.rehearsal.parity.kingdom_cli import Kingdom
from tests.rehearsal.parity.pulumi_cli import Pulumi
from tests.rehearsal.parity.records import comparable, differences

PROGRAMS: dict[str, dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "public_programs.yaml").read_text()
)
ON = ("--stack", "dev")

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900), pytest.mark.xdist_group("parity")]


Run = Callable[..., tuple[Pulumi, Kingdom]]


@pytest.fixture
def engines(request: pytest.FixtureRequest, providers: str, tmp_path: Path) -> Run:
    """Copies of a public program, configured, one for each engine."""
    clones = request.config.getoption("--public-programs")
    if not clones:
        pytest.skip("--public-programs names no folder")

    def copies(name: str, *, edited: bool) -> tuple[Pulumi, Kingdom]:
        source, edits = Path(clones) / name, PROGRAMS[name].get("edits", {}) if edited else {}
        pulumi = Pulumi(_copy(source, tmp_path / "pulumi", edits), tmp_path / "home", providers)
        kingdom = Kingdom(_copy(source, tmp_path / "kingdom", edits))
        _configure(pulumi, PROGRAMS[name])
        # The stack file as the CLI wrote it, with encrypted values; none without configuration.
        if (written := pulumi.project / "Pulumi.dev.yaml").exists():
            shutil.copy2(written, kingdom.project)
        return pulumi, kingdom

    return copies


@pytest.mark.parametrize("name", [name for name, settings in PROGRAMS.items() if "refused" in settings])
def test_public_program_is_refused_by_both_engines(name: str, engines: Run) -> None:
    pulumi, kingdom = engines(name, edited=False)
    for ran in (pulumi.run("preview", *ON), kingdom.run("preview", *ON)):
        assert ran.code == 1
        assert PROGRAMS[name]["refused"] in ran.output


@pytest.mark.parametrize("name", PROGRAMS)
def test_public_program_has_the_same_steps_and_records(name: str, engines: Run) -> None:
    pulumi, kingdom = engines(name, edited=True)
    log = pulumi.home / "events.jsonl"
    with ThreadPoolExecutor() as pool:
        ours = pool.submit(kingdom.run, "preview", *ON)
        theirs = pulumi.run("preview", *ON)
        assert theirs.code == ours.result().code == 0, f"{theirs.output}\n{ours.result().output}"
        assert steps.differing(steps.of_pulumi(log), steps.of_kingdom(ours.result().output)) == []
        ours = pool.submit(kingdom.run, "up", *ON)
        theirs = pulumi.run("up", *ON, "--yes", "--skip-preview")
        assert theirs.code == ours.result().code == 0, f"{theirs.output}\n{ours.result().output}"
        assert steps.differing(steps.of_pulumi(log), steps.of_kingdom(ours.result().output)) == []
    assert differences(comparable(pulumi.export("dev")), comparable(kingdom.export("dev"))) == []


def _copy(source: Path, target: Path, edits: Mapping[str, Mapping[str, str]]) -> Path:
    shutil.copytree(source, target)
    for name, replacements in edits.items():
        text = (target / name).read_text()
        for old, new in replacements.items():
            assert old in text, f"{source / name} does not contain {old!r}"
            text = text.replace(old, new)
        (target / name).write_text(text)
    project = target / "Pulumi.yaml"
    text = project.read_text().replace("${PROJECT}", "public").replace("${DESCRIPTION}", "An example")
    project.write_text(text)
    if "virtualenv: venv" in text:
        (target / "venv").symlink_to(sys.prefix)
    return target


def _configure(pulumi: Pulumi, settings: dict[str, Any]) -> None:
    commands: list[tuple[str, ...]] = [("stack", "init", "dev")]
    for kind, option in (("plain", "--plaintext"), ("secret", "--secret"), ("paths", "--path")):
        for key, value in settings.get(kind, {}).items():
            commands.append(("config", "set", *ON, option, key, value))
    for command in commands:
        ran = pulumi.run(*command)
        assert ran.code == 0, ran.output
