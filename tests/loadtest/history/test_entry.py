"""Recorded runs: which commit they belong to, and what is recorded of an endpoint."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadtest.generator.recorder import Recorder
from loadtest.history.entry import measured, recorded_commit
from loadtest.history.files import append
from loadtest.platform import Platform
from rehearsal.errors import InputError
from tests.loadtest.history.factories import entry
from tests.rehearsal.review.repositories import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "project")
    found.write("app/service.py", "VERSION = 1\n")
    found.commit("service")
    os.utime(found.root / "app/service.py", (1_000, 1_000))
    return found


def running(root: Path, pid: int | None = None) -> Platform:
    """A platform whose pod is this process."""
    pods = [SimpleNamespace(kind="pod", pid=os.getpid() if pid is None else pid)]
    machine: Any = SimpleNamespace(status=lambda: SimpleNamespace(processes=pods))
    return Platform("https://localhost:8443", root, machine, root, "local")


def test_the_commit_is_that_of_a_clean_work_tree(repository: Repository) -> None:
    head = repository.git("rev-parse", "HEAD")
    assert recorded_commit(running(repository.root), repository.root) == head
    repository.write("report.html", "not tracked")
    # The history itself changes with every recorded run.
    append(repository.root / "loadtest/history", entry(0))
    repository.commit("history")
    append(repository.root / "loadtest/history", entry(1))
    assert recorded_commit(running(repository.root), repository.root) == repository.git("rev-parse", "HEAD")


def test_changed_files_are_refused_and_named(repository: Repository) -> None:
    for number in range(7):
        repository.write(f"infra/{number}.py", "")
    repository.commit("files")
    for number in range(7):
        repository.write(f"infra/{number}.py", "x = 1")
    with pytest.raises(
        InputError, match=r"infra/0.py, .*, infra/4.py and 2 more files changed since"
    ) as caught:
        recorded_commit(running(repository.root), repository.root)
    assert "Commit or stash" in str(caught.value)


def test_files_of_the_service_newer_than_its_pods_are_refused(repository: Repository) -> None:
    repository.write("app/service.py", "VERSION = 2\n")
    repository.commit("version 2")
    os.utime(repository.root / "app/service.py", (4e9, 4e9))
    with pytest.raises(InputError, match=r"app/service.py changed after the service was started"):
        recorded_commit(running(repository.root), repository.root)


def test_outside_a_repository_nothing_can_be_recorded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a git work tree"):
        recorded_commit(running(tmp_path), Path("/proc"))


def test_measured_has_counts_percentiles_and_errors_of_endpoints_with_requests() -> None:
    recorder = Recorder()
    for number in range(100):
        recorder.done("GET /v1/feed", number / 100, 0.0, number / 100 + 0.1, "HTTP 503" if number < 3 else "")
    windows = [(name, recorder.window(0, 1, name)) for name in ("GET /v1/feed", "GET /v1/none")]
    found = measured(windows)
    assert list(found) == ["GET /v1/feed"]
    each = found["GET /v1/feed"]
    assert (each.count, each.error_share) == (100, 0.03)
    assert each.p50 == pytest.approx(0.1, rel=0.02)
    assert each.p99 == pytest.approx(0.1, rel=0.02)


def test_the_title_has_the_settings_within_which_runs_are_compared() -> None:
    assert entry().title == "low, mix mixed, scale 0.2, 60 s, 24 accounts"
    search = entry(kind="capacity", scenario="", scale=1.0, seconds=20.0, rate=100.0)
    assert search.title == "capacity, mix mixed, steps of 20 s, 24 accounts"
