"""Run the Pulumi CLI in a copy of the project with the rehearsal providers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
WITNESS = Path(__file__).parent / "witness"
PASSPHRASE = "of no consequence"
_COPIED = ("Pulumi.yaml", "infra", "policies", "stacks")

Finding = tuple[str, str, str, str]  # policy, level, URN, message


def alike(findings: frozenset[Finding]) -> set[Finding]:
    """Return findings without the pack's version, which the SDK always reports as 0.0.1."""
    return {(policy, level, urn, re.sub(r"@v\S+(?=')", "", text)) for policy, level, urn, text in findings}


@dataclass(frozen=True)
class Ran:
    """Result of a command."""

    code: int
    output: str
    findings: frozenset[Finding] = frozenset()


def copy_project(folder: Path, program: Path | None = None) -> Path:
    """Copy the files that both engines need to `folder`, because the CLI writes to stack files.

    `program` is a file that replaces the project's program.
    """
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    if program is not None:
        shutil.rmtree(folder / "infra")
        (folder / "infra").mkdir()
        shutil.copy2(program, folder / "infra" / "__main__.py")
    shutil.copytree(WITNESS, folder / "witness", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def search_path(project: Path) -> str:
    """Return the PYTHONPATH: the copy's `infra` and `policies`, and `rehearsal` of this checkout."""
    return os.pathsep.join([str(project), str(ROOT)])


def surroundings() -> dict[str, str]:
    """Return the environment without Pulumi and stack settings of the user."""
    own = ("PULUMI_", "KINGDOM_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


@contextlib.contextmanager
def clouds() -> Iterator[str]:
    """Serve the rehearsal providers to the CLI; yield the value of PULUMI_DEBUG_PROVIDERS."""
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("kingdom")), "cloud", "--json"],
        env=surroundings() | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["value"]
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(20)
        process.stdout.close()
        assert code == 0


@dataclass(frozen=True)
class Pulumi:
    """The CLI with a separate home and file backend; `providers` is the output of `kingdom cloud`."""

    project: Path
    home: Path
    providers: str

    def run(self, *arguments: str, timeout: float = 600) -> Ran:
        log = self.home / "events.jsonl"
        log.unlink(missing_ok=True)
        logged = ("--event-log", str(log)) if arguments[0] in ("preview", "up") else ()
        ended = subprocess.run(
            ["pulumi", *arguments, *logged, "--non-interactive", "--color", "never"],
            cwd=self.project,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        return Ran(ended.returncode, ended.stdout, _findings(log))

    def export(self, stack: str) -> list[dict[str, Any]]:
        """Return the resource records of `stack` with secrets in plaintext."""
        ended = subprocess.run(
            ["pulumi", "stack", "export", "--show-secrets", "--stack", stack],
            cwd=self.project,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return json.loads(ended.stdout)["deployment"].get("resources", [])

    def environment(self) -> dict[str, str]:
        backend = self.home / "backend"
        backend.mkdir(parents=True, exist_ok=True)
        # Programs without a virtual environment run with the first `python3` on PATH.
        search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        return surroundings() | {
            "PATH": search,
            "PULUMI_HOME": str(self.home),
            "PULUMI_BACKEND_URL": backend.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DEBUG_COMMANDS": "true",  # unlocks --event-log: `--json` leaves out policy findings
            "PULUMI_DEBUG_PROVIDERS": self.providers,
            "PYTHONPATH": search_path(self.project),
        }


def _findings(log: Path) -> frozenset[Finding]:
    if not log.exists():
        return frozenset()
    events = [json.loads(line).get("policyEvent") for line in log.read_text().splitlines()]
    return frozenset(
        (event["policyName"], event["enforcementLevel"], event["resourceUrn"], event["message"].strip())
        for event in events
        if event
    )
