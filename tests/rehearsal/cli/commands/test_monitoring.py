"""The commands over a recording: a stack without one, periods, and what is recommended."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from rehearsal.cli.commands.monitoring import _write
from rehearsal.errors import KingdomError
from rehearsal.monitoring.annotations import monitoring_folder
from rehearsal.monitoring.signals import declared
from rehearsal.monitoring.store import RECORDING_FILE, Recording
from rehearsal.pulumi.project import Project
from tests.rehearsal.minimal import KINGDOM
from tests.repository._tree import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The signals and stack files, with a program that declares nothing."""
    for name in ("Pulumi.yaml", "stacks", "infra/observability/signals.yaml"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    (tmp_path / "infra" / "__main__.py").write_text("")
    return Project.at(tmp_path)


def run(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [KINGDOM, *arguments], cwd=project.root, capture_output=True, text=True, check=False, timeout=100
    )


def test_a_dashboard_needs_a_platform(project: Project) -> None:
    found = run(project, "dashboard")
    assert found.returncode == 1
    assert "does not run on this machine" in found.stderr
    assert "no dashboard runs" in run(project, "dashboard", "--stop").stdout


def test_recommend_needs_a_recording_and_a_period(project: Project) -> None:
    found = run(project, "recommend", "--since", "2h")
    assert found.returncode == 2
    assert "Use one of 1h, 24h, 7d" in found.stderr
    assert "nothing was recorded" in run(project, "recommend").stderr


@pytest.mark.slow
def test_recommend_writes_the_patch_to_the_stack_file_with_apply_alone(project: Project) -> None:
    folder = monitoring_folder(project.state_folder("local"))
    folder.mkdir(parents=True)
    recording = Recording(folder / RECORDING_FILE)
    query = declared(project, "local").signals["memory-by-role"].query
    now = time.time()
    for index in range(300):
        at = now - 18_000 + 60 * index
        recording.add_results(at, {(query, (("top_level_controller_name", "api"),)): 380.0 * 2**20})
    recording.close()
    path = project.stack_file("local")
    before = path.read_text()
    shown = run(project, "recommend", "--json", "--policy-pack", "none")
    (found,) = json.loads(shown.stdout)["recommendations"]
    assert (found["rule"], found["old"], found["problems"]) == ("memory", "384", [])
    assert path.read_text() == before
    after = before.replace("memoryMi: 384", f"memoryMi: {found['new']}")
    applied = json.loads(run(project, "recommend", "--apply", "--json", "--policy-pack", "none").stdout)
    assert applied["applied"] == [{"path": found["path"], "value": found["new"]}]
    assert path.read_text() == after
    path.write_text(before)
    shown = run(project, "recommend", "--apply", "--policy-pack", "none")
    assert shown.returncode == 0
    assert f"resources > memoryMi = {found['new']}" in shown.stdout
    assert path.read_text() == after


@pytest.mark.slow
def test_report_writes_one_file(project: Project) -> None:
    folder = monitoring_folder(project.state_folder("local"))
    folder.mkdir(parents=True)
    recording = Recording(folder / RECORDING_FILE)
    query = declared(project, "local").signals["requests"].query
    for index in range(100):
        recording.add_results(time.time() - 1500 + 15 * index, {(query, ()): 5.0})
    recording.close()
    found = run(project, "report", "--since", "1h", "--policy-pack", "none")
    assert "report.html: 0 findings, 0 recommendations" in found.stdout
    text = (project.root / "report.html").read_text()
    assert "Peak: 5 requests a second" in text
    assert "<h2>Cost</h2><p>not planned</p>" in text
    data = json.loads(run(project, "report", "--since", "1h", "--policy-pack", "none", "--json").stdout)
    assert data["stack"] == "local"
    shown = run(project, "report", "--since", "1h", "--policy-pack", "none", "--output", "/dev/stdout")
    assert "Peak: 5 requests a second" in shown.stdout


@pytest.mark.parametrize("output", ["absent/report.html", "."])
def test_a_report_needs_a_file_to_write(project: Project, output: str) -> None:
    found = run(project, "report", "--output", output)
    assert found.returncode == 2
    assert f"--output {output}: not a file in a folder that exists" in found.stderr


def test_a_full_disk_leaves_the_older_report(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project.root / "report.html"
    path.write_text("older")

    def full(descriptor: int, mode: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(KingdomError, match="No space left on device\n  Free disk space"):
        _write(path, "newer")
    assert path.read_text() == "older"
    assert [each.name for each in project.root.glob(".report*")] == []
