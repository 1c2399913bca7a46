"""Backups of a stack's data on this machine, the counterpart of Atlas backups and Redis snapshots.

A backup is a copy of all data folders, created while the servers are suspended (SIGSTOP), so that it is
consistent across databases. Each copy is crash-consistent: servers recover from it as after a crash.
Restoring replaces the data folders and starts the servers.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rehearsal.host.desired_state import Desired
from rehearsal.host.errors import MachineError
from rehearsal.host.processes.atomic_files import make_folder, read_json, write_atomic

SCHEDULE = "mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule"
_MANIFEST = "backup.json"
_HOUR, _DAY = 3600.0, 86400.0
_UNIT_SECONDS = {"hours": _HOUR, "days": _DAY, "weeks": 7 * _DAY, "months": 31 * _DAY}


@dataclass(frozen=True)
class Backup:
    """One backup. `taken` is in seconds since the epoch.

    `pause` is the time the servers were suspended, in seconds.
    """

    name: str
    taken: float
    bytes: int
    pause: float


@dataclass(frozen=True)
class BackupSchedule:
    """Schedule: one backup every `interval` seconds, retained for `retention` seconds."""

    interval: float
    retention: float

    @classmethod
    def parse(cls, desired: Desired) -> BackupSchedule | None:
        """Parse the hourly policy of an Atlas backup schedule; None if there is none."""
        hourly = desired.inputs.get("policyItemHourly")
        if not hourly:
            return None
        unit = _UNIT_SECONDS[str(hourly["retentionUnit"])]
        return cls(float(hourly["frequencyInterval"]) * _HOUR, float(hourly["retentionValue"]) * unit)


class Backups:
    """The backups below `folder` of the data below `data`."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._folder = folder
        self._data = data

    def list(self) -> list[Backup]:
        """Return all complete backups, the oldest first."""
        found = []
        for manifest in sorted(self._folder.glob(f"*/{_MANIFEST}")):
            with suppress(MachineError, OSError, TypeError):
                found.append(Backup(**read_json(manifest)))
        return sorted(found, key=lambda backup: backup.taken)

    def create(self, servers: Iterable[int]) -> Backup:
        """Copy the data while the process groups `servers` are suspended. Raises MachineError."""
        taken = time.time()
        name = datetime.fromtimestamp(taken, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        draft = make_folder(self._folder) / f".{name}"
        try:
            began = time.monotonic()
            with _stopped(servers):
                shutil.copytree(self._data, draft / "data", symlinks=True)
            pause = time.monotonic() - began
            size = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
            backup = Backup(name, taken, size, pause)
            write_atomic(draft / _MANIFEST, json.dumps(asdict(backup)))
            draft.rename(self._folder / name)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise MachineError(f"no backup could be created in {self._folder}: {error}") from error
        return backup

    def find(self, name: str = "") -> Backup:
        """Return the backup of that name, or the latest. Raises MachineError if there is none."""
        known = self.list()
        chosen = [backup for backup in known if name in {"", backup.name}]
        if not chosen:
            what = f"no backup {name!r}" if known else "no backup at all"
            names = f": there are {', '.join(backup.name for backup in known)}" if known else ""
            raise MachineError(f"{self._folder} holds {what}{names}; `kingdom backup list` shows them")
        return chosen[-1]

    def before(self, moment: float) -> Backup:
        """Return the latest backup taken at or before `moment` (seconds since the epoch).

        Raises MachineError.
        """
        chosen = [backup for backup in self.list() if backup.taken <= moment]
        if not chosen:
            at = datetime.fromtimestamp(moment, UTC).isoformat()
            raise MachineError(
                f"{self._folder} holds no backup from {at} or before; `kingdom backup list` shows them"
            )
        return chosen[-1]

    def restore(self, backup: Backup) -> None:
        """Replace the data with a backup. The servers must be stopped. Raises MachineError."""
        fresh, old = self._data.with_name("data.restored"), self._data.with_name("data.replaced")
        try:
            for left in (fresh, old):
                shutil.rmtree(left, ignore_errors=True)
            shutil.copytree(self._folder / backup.name / "data", fresh, symlinks=True)
            if self._data.exists():
                self._data.rename(old)
            fresh.rename(self._data)
        except OSError as error:
            raise MachineError(f"the backup {backup.name} could not be restored: {error}") from error
        shutil.rmtree(old, ignore_errors=True)

    def prune(self, retention: float, now: float) -> None:
        """Delete backups older than `retention` seconds, but never the latest."""
        for backup in self.list()[:-1]:
            if backup.taken < now - retention:
                shutil.rmtree(self._folder / backup.name, ignore_errors=True)

    def is_due(self, schedule: BackupSchedule, now: float) -> bool:
        """Return whether a backup is due."""
        known = self.list()
        return not known or known[-1].taken + schedule.interval <= now


@contextmanager
def _stopped(groups: Iterable[int]) -> Iterator[None]:
    """Suspend the process groups for the duration of the block."""
    stopped: list[int] = []
    try:
        for group in groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGSTOP)
                stopped.append(group)
        yield
    finally:
        for group in stopped:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGCONT)


def to_json(backups: Iterable[Backup]) -> list[dict[str, Any]]:
    """Convert backups to plain JSON values."""
    return [asdict(backup) for backup in backups]
