"""Paths of one host, all below `.rehearsal/<stack>/machine/`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from rehearsal.host.processes.atomic_files import make_folder

_UNSAFE = re.compile(r"[^a-zA-Z0-9.-]+")


def slug(name: str) -> str:
    """Return a file name for `name`: readable, not hidden, and unique even if characters are replaced."""
    plain = _UNSAFE.sub("_", name).strip("._")[:80] or "_"
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Home:
    """Folders of one stack's host. `root` is the absolute path of `.rehearsal/<stack>`."""

    root: Path

    @property
    def machine(self) -> Path:
        return self.root / "machine"

    @property
    def authority(self) -> Path:
        """Folder of the certificate authority, shared by all stacks so that it is trusted once."""
        return self.root.parent / "ca"

    @property
    def objects(self) -> Path:
        return self.machine / "objects"

    @property
    def records(self) -> Path:
        return self.machine / "processes"

    @property
    def logs(self) -> Path:
        return self.machine / "logs"

    @property
    def pods(self) -> Path:
        return self.machine / "pods"

    @property
    def envoy(self) -> Path:
        return self.machine / "envoy"

    @property
    def certificates(self) -> Path:
        return self.machine / "certificates"

    @property
    def backups(self) -> Path:
        """Folder of backups, outside the machine folder so that its deletion does not remove them."""
        return self.root / "backups"

    @property
    def data(self) -> Path:
        return self.machine / "data"

    @property
    def ports(self) -> Path:
        return self.machine / "ports.json"

    @property
    def options(self) -> Path:
        return self.machine / "options.json"

    @property
    def lock(self) -> Path:
        return self.machine / "supervisor.lock"

    @property
    def socket(self) -> Path:
        return self.machine / "supervisor.sock"

    @property
    def supervisor_log(self) -> Path:
        return self.logs / "supervisor.log"

    def make(self) -> None:
        """Create all folders with access for this user only: desired objects contain plaintext secrets."""
        for folder in (self.machine, self.objects, self.records, self.logs, self.pods, self.envoy):
            make_folder(folder)
        for folder in (self.certificates, self.data, self.authority):
            make_folder(folder)
