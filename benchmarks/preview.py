"""`kingdom preview` compared with importing the stack's SDK modules in a new interpreter.

Importing the SDKs dominates a preview, so the ratio is the cost of planning and policy evaluation on top.
Both are whole processes, started alternately so that a slow period of the machine affects both; the figures
are medians. The processor time includes the policy pack's process, which the preview waits for; the memory is
the peak of the largest process, as the kernel counts it (`ru_maxrss`).
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks import _large_stack
from benchmarks._benchmark import Benchmark, Measurement

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
STACK = "prod"
ROUNDS = 5
LIMIT = 1.3
ALL_ROUNDS = 5
ALL_LIMIT = 2.0
REVIEW_LIMIT = 1.5
FLOOR = """
import importlib, json, pathlib, sys
for name in json.loads(pathlib.Path(sys.argv[1]).read_text()):
    importlib.import_module(name)
"""


@dataclass(frozen=True)
class Cost:
    """Cost of one process and its children: seconds of wall clock, processor seconds, peak MB."""

    wall: float
    processor: float
    memory: float


@dataclass(frozen=True)
class Comparison:
    """Medians of both sides over `ROUNDS` turns, and the number of SDK modules imported."""

    ours: Cost
    floor: Cost
    modules: int


def process(command: list[str]) -> Cost:
    """Run a process to completion and return its cost, as the kernel accounts for it.

    Raises:
        RuntimeError: with the last lines of stderr when the exit code is not 0.
    """
    # Both sides may write bytecode, as on most machines; the first turn writes it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            tail = " | ".join(errors.read().decode(errors="replace").splitlines()[-3:])
            raise RuntimeError(f"{' '.join(command[:5])} ended with {child.returncode}: {tail}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Cost(wall, usage.ru_utime + usage.ru_stime, kilobytes / 1024)


def sdk_modules(stack: str) -> list[str]:
    """Return the SDK modules that the stack's program loads when it runs without an engine."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks._imports", stack],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(
            f"the program did not run for {stack}: {' | '.join(done.stderr.splitlines()[-3:])}"
        )
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return modules


@cache
def comparison() -> Comparison:
    """Run both sides alternately, after one turn that only warms the bytecode and the page cache."""
    modules = sdk_modules(STACK)
    preview = [str(BIN / "kingdom"), "preview", "--stack", STACK, "--json"]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as names:
        json.dump(modules, names)
        names.flush()
        bare = [sys.executable, "-c", FLOOR, names.name]
        turns = [(process(bare), process(preview)) for _ in range(ROUNDS + 1)][1:]
    floors, ours = zip(*turns, strict=True)
    return Comparison(_median(ours), _median(floors), len(modules))


def _all_and_one(limit: float, *options: str) -> Measurement:
    """Return the wall-clock seconds of all stacks in one command and of one stack, measured alternately."""
    one = [str(BIN / "kingdom"), "preview", "--stack", STACK, "--json", *options]
    every = [str(BIN / "kingdom"), "preview", "--all", "--json", *options]
    turns = [(process(one).wall, process(every).wall) for _ in range(ALL_ROUNDS + 1)][1:]
    ones, everies = zip(*turns, strict=True)
    return Measurement.max_ratio(
        limit,
        ours=statistics.median(everies),
        peer=statistics.median(ones),
        note=f"every stack beside {STACK} alone, median of {ALL_ROUNDS}",
    )


def _median(costs: tuple[Cost, ...]) -> Cost:
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.processor for cost in costs),
        statistics.median(cost.memory for cost in costs),
    )


def _compare(field: Callable[[Cost], float]) -> Measurement:
    found = comparison()
    note = f"{STACK}, {found.modules} SDK modules, median of {ROUNDS}"
    return Measurement.max_ratio(LIMIT, ours=field(found.ours), peer=field(found.floor), note=note)


BENCHMARKS = [
    Benchmark("preview-wall", "bare import", "s", f"≤ {LIMIT}", lambda: _compare(lambda cost: cost.wall)),
    Benchmark(
        "preview-processor", "bare import", "s", f"≤ {LIMIT}", lambda: _compare(lambda cost: cost.processor)
    ),
    Benchmark(
        "preview-memory", "bare import", "MB", f"≤ {LIMIT}", lambda: _compare(lambda cost: cost.memory)
    ),
    Benchmark(
        "preview-all", "preview of one stack", "s", f"≤ {ALL_LIMIT:g}", lambda: _all_and_one(ALL_LIMIT)
    ),
    Benchmark(
        "review-all",
        "review of one stack",
        "s",
        f"≤ {REVIEW_LIMIT:g}",
        lambda: _all_and_one(REVIEW_LIMIT, "--base", "HEAD"),
    ),
    *_large_stack.BENCHMARKS,
]
