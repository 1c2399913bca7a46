"""The example in docs/pull-requests.md, from a real run: ``python -m tests.rehearsal.review.example``."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.rehearsal.review.repositories import Repository

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = ROOT / "docs/pull-requests.md"
PLACE: Final = re.compile(
    r"(?<=<!-- example: made by tests/rehearsal/review/example.py -->\n\n)`{5}markdown\n.*?`{5}\n", re.DOTALL
)
PROGRAM: Final = """\
import pulumi
from pulumi_gcp import redis

config = pulumi.Config()
redis.Instance(
    "cache",
    region="europe-west1",
    tier="STANDARD_HA",
    memory_size_gb=config.require_int("gib"),
    redis_version="REDIS_7_2",
    auth_enabled=True,
    transit_encryption_mode="SERVER_AUTHENTICATION",
)
"""


def comment(folder: Path) -> str:
    """Return the comment on a change that doubles prod's cache and removes its TLS, with masked commits."""
    repository = Repository(folder, ())
    repository.write("infra/__main__.py", PROGRAM)
    for stack, gib in (("dev", 1), ("prod", 5)):
        _stack(repository, stack, gib)
    repository.commit("a cache")
    _stack(repository, "prod", 10)
    repository.write("infra/__main__.py", PROGRAM.replace('"SERVER_AUTHENTICATION"', '"DISABLED"'))
    repository.commit("a larger cache")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("kingdom")), "preview", "--all", "--base", "HEAD~1",
            "--format", "markdown", "--policy-pack", str(ROOT / "policies"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 3:
        raise RuntimeError(done.stdout + done.stderr)
    return re.sub(r"`[0-9a-f]{12}`", "`…`", done.stdout)


def page(folder: Path) -> str:
    """Return the text of the page with the example from a new run."""
    example = f"`````markdown\n{comment(folder)}`````\n"
    text, replaced = PLACE.subn(lambda _: example, PAGE.read_text())
    assert replaced == 1
    return text


def _stack(repository: Repository, name: str, gib: int) -> None:
    repository.write(
        f"stacks/Pulumi.{name}.yaml", f'config:\n  gcp:project: kingdom-{name}\n  tiny:gib: "{gib}"\n'
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        PAGE.write_text(page(Path(made)))
