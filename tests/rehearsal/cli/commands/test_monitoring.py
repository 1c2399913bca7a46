"""The commands over a recording: a stack without one, periods, and what is recommended."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from rehearsal.cli.app import main
from rehearsal.monitoring.access import RECORDING_FILE
from rehearsal.monitoring.annotations import monitoring_folder
from rehearsal.monitoring.signals import declared
from rehearsal.monitoring.store import Recording
from rehearsal.pulumi.project import Project
from tests.repository._tree import ROOT


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The signals and stack files, with a program that declares nothing."""
    for name in ("Pulumi.yaml", "stacks", "infra/observability/signals.yaml"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    (tmp_path / "infra" / "__main__.py").write_text("")
    monkeypatch.chdir(tmp_path)
    return Project.at(tmp_path)


def run(*arguments: str) -> int:
    try:
        main(list(arguments))
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_a_dashboard_needs_a_platform(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("dashboard") != 0
    assert "does not run on this machine" in capsys.readouterr().err
    assert run("dashboard", "--stop") == 0
    assert "no dashboard runs" in capsys.readouterr().out


def test_recommend_needs_a_recording_and_a_period(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("recommend", "--since", "2h") == 2
    assert "Use one of 1h, 24h, 7d" in capsys.readouterr().err
    assert run("recommend") != 0
    assert "nothing was recorded" in capsys.readouterr().err


def test_recommend_writes_the_patch_to_the_stack_file_with_apply_alone(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
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
    assert run("recommend", "--json", "--policy-pack", "none") == 0
    (found,) = json.loads(capsys.readouterr().out)["recommendations"]
    assert (found["rule"], found["old"], found["problems"]) == ("memory", "384", [])
    assert path.read_text() == before
    assert run("recommend", "--apply", "--policy-pack", "none") == 0
    assert path.read_text() == before.replace("memoryMi: 384", f"memoryMi: {found['new']}")


def test_report_writes_one_file(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    folder = monitoring_folder(project.state_folder("local"))
    folder.mkdir(parents=True)
    recording = Recording(folder / RECORDING_FILE)
    query = declared(project, "local").signals["requests"].query
    for index in range(100):
        recording.add_results(time.time() - 1500 + 15 * index, {(query, ()): 5.0})
    recording.close()
    assert run("report", "--since", "1h", "--policy-pack", "none") == 0
    assert "report.html: 0 findings, 0 recommendations" in capsys.readouterr().out
    assert "Peak: 5 requests a second" in (project.root / "report.html").read_text()
    assert run("report", "--since", "1h", "--json", "--policy-pack", "none") == 0
    assert json.loads(capsys.readouterr().out)["capacity"]["peak_requests_per_second"] == 5.0
