"""Copies of projects for drills, each with its own edge port."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from rehearsal.host.client import Machine
from rehearsal.host.processes import orphans
from rehearsal.host.processes.ports import is_free
from rehearsal.host.status import HostStatus
from tests.support.backends import free_port

ROOT = Path(__file__).parents[2]
PASSPHRASE = "of no consequence"
LITTLE = ROOT / "tests" / "drills" / "minimal_project"
_PLATFORM = ("Pulumi.yaml", "infra", "policies", "stacks", "app", "rehearsal", "tools")
_STACK = Path("stacks") / "Pulumi.local.yaml"
_KINGDOM = Path(sys.executable).with_name("kingdom")


def wait_for(what: str, holds: Callable[[], object], seconds: float = 30.0) -> float:
    """Wait until `holds()` is true and return the seconds it took. Fails after `seconds`."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < began + seconds, f"{what}: not within {seconds:g} s"
        time.sleep(0.05)
    return time.monotonic() - began


@dataclass(frozen=True)
class Project:
    """A copy of a project in `root`, its stack `local` at `port`, and the command line in it."""

    root: Path
    port: int

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def state(self) -> Path:
        return self.root / ".rehearsal" / "local"

    @property
    def settings(self) -> Path:
        return self.root / _STACK

    def client(self) -> httpx.Client:
        """Return a client that trusts only the local certificate authority."""
        trust = ssl.create_default_context(cafile=str(self.root / ".rehearsal" / "ca" / "ca.pem"))
        return httpx.Client(base_url=self.url, verify=trust, timeout=10)

    def change(self, **settings: object) -> None:
        """Change the values of existing stack settings."""
        text = self.settings.read_text()
        for name, value in settings.items():
            text, found = re.subn(rf"(?m)^(  \w+:{name}): .*$", rf"\1: {value}", text)
            assert found == 1, name
        self.settings.write_text(text)

    def environment(self) -> dict[str, str]:
        """The environment of commands in this project."""
        known = {"PYTHONPATH": str(self.root), "COLUMNS": "400", "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE}
        return os.environ | known

    def begin(self, *arguments: str, file_bytes: int = 0) -> subprocess.Popen[str]:
        """Start `kingdom` with `arguments` in its own process group, like a terminal, without waiting.

        With `file_bytes` no file that it writes grows beyond that many: the disk is full in the middle.
        """
        return subprocess.Popen(
            [*_limited(file_bytes), str(_KINGDOM), *arguments],
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, code: int = 0, seconds: float = 240.0, file_bytes: int = 0) -> str:
        """Run `kingdom` with `arguments`, require the exit code `code`, and return the output."""
        child = self.begin(*arguments, file_bytes=file_bytes)
        try:
            output, _ = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            output, _ = child.communicate()
            raise AssertionError(f"kingdom {arguments} did not end within {seconds:g} s:\n{output}") from None
        assert child.returncode == code, output
        # The last lines of a process's log, which may hold its own traceback, are indented.
        assert not re.search(r"^Traceback", output, re.MULTILINE), output
        return output

    def status(self) -> HostStatus:
        machine = Machine.find(self.state)
        assert machine is not None, "the supervisor does not run"
        return machine.status()

    def count_pods(self) -> int:
        """Number of pods, with those that terminate."""
        return sum(process.kind == "pod" for process in self.status().processes)

    def is_healthy(self) -> bool:
        machine = Machine.find(self.state)
        processes = machine.status().processes if machine else []
        return bool(processes) and all(process.ready for process in processes)

    def supervisor(self) -> psutil.Process:
        """Return the supervisor process of this project."""
        found = [process for process in psutil.process_iter(["cmdline"]) if self._supervises(process)]
        assert len(found) == 1, found
        return found[0]

    def _supervises(self, process: psutil.Process) -> bool:
        words = process.info["cmdline"] or []
        return "rehearsal.host.supervisor" in words and str(self.state) in words

    def commands(self) -> list[psutil.Process]:
        """Return the processes of commands in this folder, without the supervisor and its children."""
        machine = {pid for pid, _ in orphans.marked(self.state)}
        found = []
        for process in psutil.process_iter(["cmdline", "cwd", "status"]):
            here = Path(process.info["cwd"] or "/").is_relative_to(self.root)
            if here and process.pid not in machine and not self._supervises(process):
                found.append(process)
        return found

    def orphans(self) -> list[psutil.Process]:
        """Return processes with this host's marker that its supervisor does not manage."""
        known = {process.pid for process in self.status().processes}
        leaders = set(orphans.leaders(self.state).values())
        return [psutil.Process(pid) for pid in leaders - known]

    def files(self) -> set[str]:
        """Return all files and folders below the root, except those below `.rehearsal`."""
        paths = (path.relative_to(self.root) for path in self.root.rglob("*"))
        return {str(path) for path in paths if path.parts[0] not in {".rehearsal", ".venv"}}

    def is_gone(self) -> bool:
        """Return whether no process of the project runs and its edge port is free."""
        supervises = any(self._supervises(process) for process in psutil.process_iter(["cmdline"]))
        return not supervises and not list(orphans.marked(self.state)) and is_free(self.port)

    def clear(self) -> None:
        """Kill all remaining processes of the project."""
        for process in psutil.process_iter(["cmdline"]):
            if self._supervises(process):
                process.kill()
                process.wait(10)
        orphans.end(self.state)


def _limited(file_bytes: int) -> list[str]:
    if not file_bytes:
        return []
    limit = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({file_bytes}, {file_bytes}))"
    return [sys.executable, "-c", f"import os, resource, sys; {limit}; os.execv(sys.argv[1], sys.argv[1:])"]


@contextmanager
def platform() -> Iterator[Project]:
    """A copy of this repository's project, not started."""
    with _copied({name: ROOT / name for name in _PLATFORM}) as project:
        yield project


@contextmanager
def little() -> Iterator[Project]:
    """A copy of the minimal project, not started."""
    with _copied({path.name: path for path in LITTLE.iterdir()}) as project:
        yield project


@contextmanager
def _copied(parts: dict[str, Path]) -> Iterator[Project]:
    """A folder below this repository's `.rehearsal`, which git and linters ignore and which is on a disk."""
    drills = ROOT / ".rehearsal" / "drills"
    drills.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(dir=drills))
    for name, source in parts.items():
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / name)
    (root / ".venv").symlink_to(sys.prefix)
    project = Project(root, free_port())
    # No other setting: the port of every URL follows from it.
    text, found = re.subn(r"\bedgePort: 8443\b", f"edgePort: {project.port}", project.settings.read_text())
    assert found == 1, "the stack local sets rehearsal:machine.edgePort to 8443"
    project.settings.write_text(text)
    try:
        yield project
    finally:
        project.clear()
        shutil.rmtree(root, ignore_errors=True)
