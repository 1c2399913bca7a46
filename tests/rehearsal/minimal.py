"""A minimal project, whose plan takes a second: two small resources, one policy, one stack with state."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KINGDOM = Path(sys.executable).with_name("kingdom")
_KNOWN = {
    "PULUMI_CONFIG_PASSPHRASE": "of no consequence",
    "PYTHONDONTWRITEBYTECODE": "1",
    "COLUMNS": "400",
}
# A limit of 64 bytes per file, which suffices for the checks of `tempfile` but not for a state.
_FULL_DISK = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
os.execv(sys.argv[1], sys.argv[1:])
"""

_FILES = {
    "Pulumi.yaml": """\
name: tiny
runtime: {name: python, options: {virtualenv: .venv}}
main: infra
stackConfigDir: stacks
""",
    "stacks/Pulumi.local.yaml": """\
config:
  tiny:words: 2
""",
    "infra/__main__.py": """\
import pulumi
import pulumi_random as random

word = random.RandomPet("word", length=pulumi.Config().require_int("words"))
secret = random.RandomPassword("secret", length=20)
pulumi.export("word", word.id)
""",
    "policies/PulumiPolicy.yaml": """\
description: Forbids nothing
runtime: {name: python, options: {virtualenv: ../.venv}}
version: 1.0.0
""",
    "policies/__main__.py": """\
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def validate(args, report):
    pass

PolicyPack("tiny", [ResourceValidationPolicy("any", "Anything.", validate, EnforcementLevel.MANDATORY)])
""",
}


@dataclass(frozen=True)
class Tiny:
    """The project in the folder `root`, and the installed command in it."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> Tiny:
        for name, text in _FILES.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (root / ".venv").symlink_to(sys.prefix)
        return cls(root)

    @property
    def stack(self) -> Path:
        return self.root / "stacks" / "Pulumi.local.yaml"

    @property
    def program(self) -> Path:
        return self.root / "infra" / "__main__.py"

    @property
    def pack(self) -> Path:
        return self.root / "policies" / "__main__.py"

    @property
    def state(self) -> Path:
        return self.root / ".rehearsal" / "local" / "state.json"

    def run(
        self, *arguments: str, env: Mapping[str, str | None] | None = None, full_disk: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run `kingdom` with `arguments`; with `full_disk`, writes beyond 64 bytes of a file fail."""
        command = [str(KINGDOM), *arguments]
        variables: dict[str, str | None] = {**os.environ, **_KNOWN, **(env or {})}
        return subprocess.run(
            [sys.executable, "-c", _FULL_DISK, *command] if full_disk else command,
            cwd=self.root,
            env={name: value for name, value in variables.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def tree(self) -> dict[str, bytes | None]:
        """Return the content of every file below the root, except `.venv`; None for folders."""
        return {
            str(path.relative_to(self.root)): None if path.is_dir() else path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if ".venv" not in path.relative_to(self.root).parts
        }
