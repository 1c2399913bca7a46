"""Recording of runs, and `kingdom load history` with its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.__main__ import main
from loadtest.history import command
from loadtest.history.entry import ALL, FOLDER
from loadtest.history.files import append
from loadtest.platform import Platform
from rehearsal.errors import InputError
from tests.loadtest.factories import run as finished
from tests.loadtest.history.factories import entry, level, runs, searches


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of the histories, which is empty."""
    monkeypatch.setattr(command, "ROOT", tmp_path)
    return tmp_path / FOLDER


def test_a_recorded_run_has_its_settings_and_what_was_measured() -> None:
    found = command.run_entry(finished(30, rate=10, errors=1), "a" * 40, "machine")
    assert (found.kind, found.scenario, found.mix, found.scale, found.seed) == ("run", "low", "mixed", 0.2, 7)
    assert (found.commit, found.machine, found.seconds, found.accounts) == ("a" * 40, "machine", 30.0, 3)
    assert list(found.endpoints) == [ALL, "GET /v1/feed"]
    # Without the warm-up of 5 s.
    assert (found.endpoints[ALL].count, found.endpoints[ALL].error_share) == (250, 0.1)
    assert found.endpoints[ALL].p95 == pytest.approx(0.1, rel=0.02)


def test_only_valid_runs_are_recorded(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.record(["the generator lagged"], entry)
    assert not history.exists()
    assert "not recorded, since the run is invalid: the generator lagged" in capsys.readouterr().err
    command.record([], entry)
    (path,) = history.glob("*.jsonl")
    assert f"recorded in {path}: commit this file" in capsys.readouterr().err


def test_a_run_of_changed_files_is_refused_before_it_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(platform: Platform) -> str:
        raise InputError("the run cannot be recorded: app/x.py changed since the commit")

    def found(stack: str) -> Platform:
        return Platform("https://localhost:8443", Path(), None, Path(), stack)

    monkeypatch.setattr("loadtest.__main__.find", found)
    monkeypatch.setattr("loadtest.__main__.recorded_commit", refused)
    for words in (["run", "low"], ["capacity"]):
        assert main([*words, "--record"]) == 3
        assert "app/x.py changed" in capsys.readouterr().err


@pytest.mark.parametrize(("after", "code"), [(0.1, 0), (0.2, 2)])
def test_history_ends_with_2_after_a_regression(
    history: Path, capsys: pytest.CaptureFixture[str], after: float, code: int
) -> None:
    for each in runs(level(15, 0.1) + level(8, after)):
        append(history, each)
    assert main(["history"]) == code
    assert ("P95: regression" in capsys.readouterr().out) == bool(code)
    assert main(["history", "--json"]) == code
    assert len(json.loads(capsys.readouterr().out)["groups"][0]["runs"]) == 23
    file, page = history / "out.json", history / "out.html"
    assert main(["history", "--json", str(file), "--html", str(page)]) == code
    assert json.loads(file.read_text())["kind"] == "history"
    assert "Load test history" in page.read_text()
    assert main(["history", "--machine", "another"]) == 0


def test_history_of_several_kinds_of_runs_has_no_single_page(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for each in [*runs([0.1]), *searches([100.0])]:
        append(history, each)
    assert main(["history", "--html", str(history / "out.html")]) == 3
    assert "Choose one with --machine and --settings." in capsys.readouterr().err
    assert main(["history", "--settings", "capacity", "--html", str(history / "out.html")]) == 0


def test_history_that_cannot_be_read_is_reported_with_file_and_line(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = append(history, entry())
    path.write_text(path.read_text() + "{\n[]\n")
    assert main(["history"]) == 3
    assert [line.partition(": ")[2].partition(": ")[0] for line in capsys.readouterr().err.splitlines()][
        :1
    ] == [f"{path}:2"]
