"""Mutation testing: change one condition at a time and run the tests that mirror the module.

`python -m tools.mutants --sample 30 --seed 1 [AREA…]` draws a sample of condition mutants from the modules
whose faults cost most (`AREAS`), applies each to a copy of the repository, and runs the module's mirrored
test, then the other tests of its folder. A mutant is killed if a test fails or exceeds the timeout. Survivors
are printed with their location; those listed in `tools/equivalent_mutants.yaml` with a reason count as
equivalent. Exits with 1 if fewer than `--goal` percent of the other mutants are killed.

Mutations: comparison operators at and around their boundary, `and` and `or`, removed `not`, and integer
operands of comparisons changed by one. The sample is reproducible from the seed and the sources.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

ROOT: Final = Path(__file__).parents[1]
EQUIVALENT: Final = Path(__file__).with_name("equivalent_mutants.yaml")
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
_COMPARISONS: Final[Mapping[type[ast.cmpop], tuple[str, ...]]] = {
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<="),
    ast.GtE: (">", "<"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
}
_COPIED: Final = (
    "app",
    "infra",
    "loadtest",
    "policies",
    "rehearsal",
    "stacks",
    "tests",
    "tools",
    "pyproject.toml",
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed condition: file (relative to the repository), line (1-based), original and changed text.

    `start` and `end` are offsets in the source.
    """

    path: str
    line: int
    start: int
    end: int
    original: str
    changed: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.original} -> {self.changed}"

    def apply(self, source: str) -> str:
        """Return the source with the changed condition."""
        return source[: self.start] + self.changed + source[self.end :]


def mutants_of(path: str, source: str) -> Iterator[Mutant]:
    """Yield every condition mutant of a module. Assertions are left out: they document invariants."""
    offsets = [0]
    for line in source.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line.encode()))
    encoded = source.encode()

    def text(node: ast.expr) -> str:
        return encoded[begin(node) : finish(node)].decode()

    def begin(node: ast.expr) -> int:
        return offsets[node.lineno - 1] + node.col_offset

    def finish(node: ast.expr) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return offsets[node.end_lineno - 1] + node.end_col_offset

    def mutant(node: ast.expr, changed: str) -> Mutant:
        # Offsets of characters: the tree counts bytes.
        start, end = (len(encoded[:at].decode()) for at in (begin(node), finish(node)))
        return Mutant(path, node.lineno, start, end, text(node), changed)

    for node in _conditions(ast.parse(source)):
        if isinstance(node, ast.UnaryOp):
            yield mutant(node, f"({text(node.operand)})")
        elif isinstance(node, ast.BoolOp):
            other = " or " if isinstance(node.op, ast.And) else " and "
            yield mutant(node, "(" + other.join(f"({text(value)})" for value in node.values) + ")")
        elif len(node.ops) == 1:
            left, right = text(node.left), text(node.comparators[0])
            for operator in _COMPARISONS.get(type(node.ops[0]), ()):
                yield mutant(node, f"({left} {operator} {right})")
            if _is_integer(node.comparators[0]):
                operator = _operator(encoded[finish(node.left) : begin(node.comparators[0])].decode())
                yield mutant(node, f"({left} {operator} {int(right) + 1})")


def _operator(between: str) -> str:
    return " ".join(between.replace("(", " ").replace(")", " ").split())


def _is_integer(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _conditions(tree: ast.AST) -> Iterator[ast.UnaryOp | ast.BoolOp | ast.Compare]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Assert):
            continue
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.BoolOp | ast.Compare) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        ):
            yield node
        yield from _conditions(node)


def suites_of(path: str) -> list[str]:
    """The mirrored test of a module, then the other tests of its folder; the closest existing folder."""
    module = Path(path)
    folder = Path("tests") / module.parent
    while not (ROOT / folder).is_dir():
        folder = folder.parent
    mirrored = Path("tests") / module.parent / f"test_{module.stem}.py"
    return [*([mirrored.as_posix()] if (ROOT / mirrored).exists() else []), folder.as_posix()]


def modules(areas: Sequence[str]) -> list[str]:
    """Modules of the areas (default: all), relative to the repository."""
    found = {
        path.relative_to(ROOT).as_posix()
        for area in areas or AREAS
        for pattern in AREAS[area]
        for path in ROOT.glob(pattern)
        if path.name != "__init__.py"
    }
    return sorted(found)


def draw(areas: Sequence[str], sample: int, seed: int) -> list[Mutant]:
    """Draw `sample` mutants of the areas, or all if there are fewer, in random order."""
    every = [
        mutant for path in modules(areas) for mutant in mutants_of(path, (ROOT / path).read_text("utf-8"))
    ]
    return random.Random(seed).sample(every, min(sample, len(every)))  # noqa: S311 (a sample, not a secret)


def equivalents() -> dict[str, str]:
    """Reasons of the listed equivalent mutants, by file, original and changed text (lines move)."""
    listed = yaml.safe_load(EQUIVALENT.read_text("utf-8")) or []
    return {_key(each["path"], each["original"], each["changed"]): each["reason"] for each in listed}


def _key(path: str, original: str, changed: str) -> str:
    return f"{path}\n{' '.join(original.split())}\n{' '.join(changed.split())}"


def marker_expression() -> str:
    """The markers of the tests that need no other system: `SUITE` of the Makefile."""
    found = re.search(r"^SUITE := (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError("Makefile: no line `SUITE := <marker expression>`")
    return found[1]


class Runner:
    """Runs tests in a copy of the repository, so that mutants never touch the working tree."""

    def __init__(self, copy: Path, timeout: float) -> None:
        self._copy = copy
        self._timeout = timeout
        self._markers = marker_expression()
        for name in _COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".cache"))
            else:
                shutil.copy2(source, copy / name)

    def is_killed(self, mutant: Mutant) -> bool:
        """Whether the tests fail, or run longer than the timeout, with this mutant."""
        target = self._copy / mutant.path
        source = target.read_text("utf-8")
        target.write_text(mutant.apply(source), "utf-8")
        try:
            return not self.passes(suites_of(mutant.path))
        finally:
            target.write_text(source, "utf-8")

    def passes(self, tests: Sequence[str]) -> bool:
        """Whether the tests pass within the timeout."""
        pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        command = [*pytest, "-m", self._markers, *tests]
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(self._copy)}
        process = subprocess.Popen(
            command, cwd=self._copy, env=environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            return process.wait(self._timeout) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            # The tests start servers in the same session: none may outlive them.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sample of mutants and print the killed ratio per area; 1 below the goal."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.mutants", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"areas (default: all): {', '.join(AREAS)}")
    parser.add_argument("--sample", type=int, default=30, help="number of mutants (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sample (default: %(default)s)")
    parser.add_argument("--goal", type=float, default=85.0, help="percent to kill (default: %(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=300.0, help="seconds per mutant (default: %(default)s)"
    )
    parser.add_argument("--budget", type=float, default=float("inf"), help="stop after this many seconds")
    parser.add_argument("--list", action="store_true", help="print the sample without running it")
    given = parser.parse_args(arguments)
    if unknown := set(given.areas) - AREAS.keys():
        parser.error(f"unknown area {min(unknown)!r}; the areas are {', '.join(AREAS)}")
    sample = draw(given.areas, given.sample, given.seed)
    if given.list:
        print("\n".join(map(str, sample)))
        return 0
    known = equivalents()
    outcomes: Counter[str] = Counter()
    end = time.monotonic() + given.budget
    with tempfile.TemporaryDirectory(prefix="mutants-") as copy:
        runner = Runner(Path(copy), given.timeout)
        # A failing or slow suite would kill every mutant.
        suites = {mutant.path: suites_of(mutant.path)[-1] for mutant in sample}
        broken = {folder for folder in sorted(set(suites.values())) if not runner.passes([folder])}
        for number, mutant in enumerate(sample, 1):
            if time.monotonic() > end or suites[mutant.path] in broken:
                outcomes["not run"] += 1
                continue
            if runner.is_killed(mutant):
                outcomes["killed"] += 1
            else:
                reason = known.get(_key(mutant.path, mutant.original, mutant.changed))
                outcomes["survived" if reason is None else "equivalent"] += 1
                print(f"{mutant}{'' if reason is None else f' (equivalent: {reason})'}", flush=True)
            print(f"{number} of {len(sample)}: {dict(outcomes)}", file=sys.stderr, flush=True)
    for folder in sorted(broken):
        print(f"{folder}: its tests fail or time out without a mutation; its mutants were not run")
    counted = outcomes["killed"] + outcomes["survived"]
    ratio = 100 * outcomes["killed"] / counted if counted else 0.0
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))
    print(f"killed {ratio:.0f} % of {counted} (seed {given.seed}, goal {given.goal:g} %)")
    return 0 if counted and ratio >= given.goal and not broken else 1


if __name__ == "__main__":
    sys.exit(main())
