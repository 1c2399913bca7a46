"""The real Pulumi CLI in a copy of the project, against the rehearsal's clouds."""

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
    """Findings without the pack's version: the SDK says 0.0.1 of every pack, and `kingdom` mends that."""
    return {(policy, level, urn, re.sub(r"@v\S+(?=')", "", text)) for policy, level, urn, text in findings}


@dataclass(frozen=True)
class Ran:
    """What a command answered."""

    code: int
    output: str
    findings: frozenset[Finding] = frozenset()


def copy_project(folder: Path, program: Path | None = None) -> Path:
    """What both engines need of the project, in `folder`; the CLI writes into stack files.

    `program` is a file that takes the place of the project's own program.
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
    """For PYTHONPATH: the copy's `infra` and `policies`, and `rehearsal` of the checkout under test."""
    return os.pathsep.join([str(project), str(ROOT)])


def surroundings() -> dict[str, str]:
    """The environment without what whoever runs the tests has set for stacks of their own."""
    own = ("PULUMI_", "KINGDOM_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


@contextlib.contextmanager
def clouds() -> Iterator[str]:
    """The rehearsal clouds, served to the CLI: the value of PULUMI_DEBUG_PROVIDERS."""
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
    """The CLI with a home and a file backend of its own; `providers` is what `kingdom cloud` printed."""

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
        """The records of `stack`, secrets in the clear."""
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
        # Programs without a virtual environment of their own run with the first `python3` on PATH.
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
