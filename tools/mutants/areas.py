"""Modules under mutation testing, their tests, and samples of their mutants."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.mutants.conditions import Mutant, mutants_of

ROOT: Final = Path(__file__).parents[2]
# Modules by area; the tests of a module are those of its mirrored folder.
AREAS: Final[Mapping[str, tuple[str, ...]]] = {
    "accounts": ("app/accounts/service.py", "app/accounts/refresh_sessions.py", "app/accounts/recovery.py"),
    "autoscaler": ("rehearsal/host/kubernetes/hpa/*.py",),
    "breaker": ("app/resilience/*.py",),
    "cache": ("app/cache/*.py",),
    "engine": (
        "rehearsal/engine/deletion.py",
        "rehearsal/engine/deployment.py",
        "rehearsal/engine/deployment_executor.py",
        "rehearsal/engine/diff.py",
        "rehearsal/engine/replacement.py",
        "rehearsal/engine/step_generator.py",
    ),
    "policies": ("policies/model/*.py",),
    "providers": ("rehearsal/providers/diff.py",),
    "queue": ("app/queue/*.py",),
    "rate-limits": ("app/rate_limits/*.py",),
    "rollout": ("rehearsal/host/kubernetes/rollout.py",),
}


def modules(areas: Sequence[str]) -> list[str]:
    """Return the modules of the areas (default: all), relative to the repository."""
    found = {
        path.relative_to(ROOT).as_posix()
        for area in areas or AREAS
        for pattern in AREAS[area]
        for path in ROOT.glob(pattern)
        if path.name != "__init__.py"
    }
    return sorted(found)


def area_of(path: str) -> str:
    """Return the area of a module."""
    return next(area for area in AREAS if path in modules([area]))


def draw(areas: Sequence[str], sample: int, seed: int) -> list[Mutant]:
    """Draw `sample` mutants of the areas, or all if there are fewer, in random order."""
    every = [
        mutant for path in modules(areas) for mutant in mutants_of(path, (ROOT / path).read_text("utf-8"))
    ]
    return random.Random(seed).sample(every, min(sample, len(every)))  # noqa: S311 (a sample, not a secret)


def suites_of(path: str) -> list[list[str]]:
    """Return the test files of a module in stages: its mirrored test, then the others of the mirrored folder.

    Subfolders are not included. Of the other files, those that import the module are first.
    """
    module = Path(path)
    folder = ROOT / "tests" / module.parent
    mirrored = folder / f"test_{module.stem}.py"
    dotted = module.with_suffix("").as_posix().replace("/", ".")
    others = sorted(
        (file for file in folder.glob("test_*.py") if file != mirrored),
        key=lambda file: (dotted not in file.read_text("utf-8"), file.name),
    )
    stages = [[mirrored] if mirrored.exists() else [], others]
    return [[file.relative_to(ROOT).as_posix() for file in stage] for stage in stages if stage]


def marker_expression() -> str:
    """Return the marker expression of quick tests that need no other system: `SUITE` of the Makefile."""
    found = re.search(r"^SUITE := (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError("Makefile: no line `SUITE := <marker expression>`")
    return f"not slow and {found[1]}"
