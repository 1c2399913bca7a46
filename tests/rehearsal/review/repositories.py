"""Git repositories for tests, with a minimal project that declares a few random values."""

from __future__ import annotations

import subprocess
from pathlib import Path

PULUMI_YAML = "name: tiny\nruntime: python\nmain: infra\nstackConfigDir: stacks\n"
PROGRAM = """\
import pulumi
import pulumi_random as random

config = pulumi.Config()
for index in range(int(config.require("count"))):
    random.RandomPet(f"pet-{index}", length=2)
"""


class Repository:
    """A git repository in `root` with one tiny project in it."""

    def __init__(self, root: Path, stacks: tuple[str, ...] = ("dev",)) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.write("Pulumi.yaml", PULUMI_YAML)
        self.write(".gitignore", ".rehearsal/\n__pycache__/\n")
        self.write("infra/__main__.py", PROGRAM)
        for stack in stacks:
            self.stack(stack, count=2)
        self.commit("first")

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def stack(self, name: str, *, count: int) -> None:
        self.write(f"stacks/Pulumi.{name}.yaml", f'config:\n  tiny:count: "{count}"\n')

    def commit(self, message: str) -> str:
        """Commit all changes and return the commit's hash."""
        self.git("add", "--all")
        self.git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", message)
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        """Run git and return its output. Raises CalledProcessError."""
        done = subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def worktrees(self) -> list[str]:
        """The folders of all worktrees but the main one."""
        lines = self.git("worktree", "list", "--porcelain").splitlines()
        return [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")][1:]

    def leftovers(self) -> list[Path]:
        """Return remaining checkouts of base commits, without the lock of their folder."""
        return [path for path in (self.root / ".rehearsal/bases").glob("*") if path.name != "lock"]
