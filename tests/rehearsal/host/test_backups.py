"""Backups are consistent copies, are retained as scheduled, and can be restored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rehearsal.host.backups import Backups, BackupSchedule
from rehearsal.host.desired_state import Desired
from rehearsal.host.errors import MachineError

_DAY = 86400.0


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "mongodb").mkdir(parents=True)
    (folder / "mongodb" / "data.db").write_text("first")
    return folder


@pytest.fixture
def backups(tmp_path: Path, data: Path) -> Backups:
    return Backups(tmp_path / "backups", data)


def test_a_backup_restores_what_it_holds(backups: Backups, data: Path) -> None:
    first = backups.create([])
    (data / "mongodb" / "data.db").write_text("second")
    (data / "redis").mkdir()
    backups.restore(first)
    assert (data / "mongodb" / "data.db").read_text() == "first"
    assert not (data / "redis").exists()


def test_a_lost_data_folder_is_restored(backups: Backups, data: Path) -> None:
    backups.create([])
    (data / "mongodb" / "data.db").unlink()
    (data / "mongodb").rmdir()
    data.rmdir()
    backups.restore(backups.find())
    assert (data / "mongodb" / "data.db").read_text() == "first"


def test_the_latest_or_a_named_backup_or_that_of_a_moment_is_found(backups: Backups) -> None:
    first, second = backups.create([]), backups.create([])
    assert backups.find() == second
    assert backups.find(first.name) == first
    assert backups.before(first.taken) == first
    with pytest.raises(MachineError, match="no backup from"):
        backups.before(first.taken - 1)
    with pytest.raises(MachineError, match=r"no backup 'other'.*there are"):
        backups.find("other")


def test_restore_without_a_backup_is_an_error(backups: Backups) -> None:
    with pytest.raises(MachineError, match="no backup at all"):
        backups.find()


def test_backups_are_deleted_when_their_retention_is_over_but_never_the_latest(backups: Backups) -> None:
    first, second = backups.create([]), backups.create([])
    backups.prune(_DAY, first.taken + _DAY / 2)
    assert backups.list() == [first, second]
    backups.prune(_DAY, second.taken + 2 * _DAY)
    assert backups.list() == [second]


def test_a_backup_is_due_after_the_declared_interval(backups: Backups) -> None:
    hourly = {"frequencyInterval": 12, "retentionUnit": "days", "retentionValue": 2}
    schedule = BackupSchedule.parse(Desired("urn", "type", "id", {"policyItemHourly": hourly}))
    assert schedule == BackupSchedule(12 * 3600.0, 2 * _DAY)
    assert schedule is not None
    assert BackupSchedule.parse(Desired("urn", "type", "id", {})) is None
    assert backups.is_due(schedule, 0.0)
    taken = backups.create([]).taken
    assert not backups.is_due(schedule, taken + 11 * 3600)
    assert backups.is_due(schedule, taken + 12 * 3600)


def test_an_interrupted_backup_is_not_listed(
    backups: Backups, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("rehearsal.host.backups.shutil.copytree", fail)
    with pytest.raises(MachineError, match="no space left"):
        backups.create([])
    assert backups.list() == []


@pytest.fixture
def server() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    yield child
    child.kill()
    child.communicate()


def test_servers_stand_still_only_while_the_copy_is_made(
    backups: Backups, server: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[str] = []

    def look(source: Path, target: Path, **options: object) -> None:
        os.waitid(os.P_PID, server.pid, os.WSTOPPED | os.WNOWAIT)
        states.append(psutil.Process(server.pid).status())
        target.mkdir(parents=True)

    monkeypatch.setattr("rehearsal.host.backups.shutil.copytree", look)
    backups.create([server.pid])
    assert states == [psutil.STATUS_STOPPED]
    os.waitid(os.P_PID, server.pid, os.WCONTINUED | os.WNOWAIT)
    assert psutil.Process(server.pid).status() != psutil.STATUS_STOPPED
    os.kill(server.pid, signal.SIGKILL)
