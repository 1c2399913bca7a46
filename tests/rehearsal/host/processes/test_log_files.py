"""Logs of processes: rotated, read from their end, and deleted with their pods."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rehearsal.host.processes import log_files
from rehearsal.host.processes.log_files import delete_old_logs, rotate, tail


@pytest.mark.parametrize(("size", "rotated"), [(10, False), (11, True)])
def test_log_above_the_limit_is_copied_and_truncated(tmp_path: Path, size: int, rotated: bool) -> None:
    path = tmp_path / "a.log"
    path.write_text("x" * size)
    node = path.stat().st_ino
    rotate(path, 10)
    assert path.stat().st_ino == node
    assert len(path.read_text()) == (0 if rotated else size)
    assert (tmp_path / "a.log.1").exists() == rotated


def test_missing_log_is_empty(tmp_path: Path) -> None:
    rotate(tmp_path / "absent", 0)
    assert tail(tmp_path / "absent", 5) == []


def test_last_lines_are_returned(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\ntwo\nthr\xffee\n")
    assert tail(path, 2) == ["two", "thr\N{REPLACEMENT CHARACTER}ee"]
    assert tail(path, 9) == ["one", "two", "thr\N{REPLACEMENT CHARACTER}ee"]


def test_newest_logs_of_terminated_pods_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "_MAX_ENDED", 1)
    for age, name in enumerate(("pod_new.log", "pod_old.log", "pod_running.log", "redis.log")):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "pod_old.log.1").write_text("")
    delete_old_logs(tmp_path, {tmp_path / "pod_running.log"})
    assert {path.name for path in tmp_path.iterdir()} == {"pod_new.log", "pod_running.log", "redis.log"}
