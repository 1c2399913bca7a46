"""Run the tests that mirror a module against a sample of its condition mutants.

`python -m tools.mutants --sample 30 --seed 1 [AREA…]` draws a sample from the modules whose faults cost most
(`areas.py`), applies each mutant to a copy of the repository, and runs the module's mirrored test, then the
other quick tests of its folder, until the first failure. A mutant is killed if a test fails or takes much
longer than without it. Survivors are printed with their location; those listed in `equivalents.yaml` with a
reason count as equivalent. The sample is reproducible from the seed and the sources.

Outcomes are recorded in `.rehearsal/mutants/` as they come. A further run repeats only mutants whose module
or tests changed, and begins with the test that killed the mutant before. Exits with 1 if fewer than `--goal`
percent of the mutants that are not equivalent are killed, with 2 if mutants were not run.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Final, NoReturn

from tools.mutants.areas import AREAS, ROOT, area_of, draw
from tools.mutants.conditions import Mutant
from tools.mutants.equivalents import equivalents
from tools.mutants.evaluation import BrokenTestsError, MutationTesting
from tools.mutants.results import MutantOutcome, Records
from tools.mutants.runner import Runner, TestRunError

RECORDS: Final = ROOT / ".rehearsal" / "mutants"
_INTERRUPTED: Final = 130
_TERMINATED: Final = 143


def _report(sample: Sequence[Mutant], outcomes: Mapping[str, str], seed: int, goal: float) -> int:
    """Print the counts by area and in total; return the exit code."""
    areas: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant in sample:
        areas[area_of(mutant.path)][outcomes.get(mutant.key, "not run")] += 1
    total: Counter[str] = Counter()
    for area, counts in sorted(areas.items()):
        total += counts
        print(f"{area}: " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    counted = total["killed"] + total["survived"]
    ratio = 100 * total["killed"] / counted if counted else 0.0
    print("total: " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(total.items())))
    every = 100 * total["killed"] / len(sample) if sample else 0.0
    print(
        f"killed {every:.1f} % of all, {ratio:.1f} % of those not equivalent (seed {seed}, goal {goal:g} %)"
    )
    if total["not run"]:
        print("Run the same command again to continue: recorded outcomes are not repeated.")
        return 2
    return 0 if counted and ratio >= goal else 1


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(_TERMINATED)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.mutants", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"areas (default: all): {', '.join(AREAS)}")
    parser.add_argument("--sample", type=int, default=30, help="number of mutants (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sample (default: %(default)s)")
    parser.add_argument("--goal", type=float, default=85.0, help="percent to kill (default: %(default)s)")
    parser.add_argument("--budget", type=float, default=float("inf"), help="stop after this many seconds")
    parser.add_argument("--fresh", action="store_true", help="repeat mutants with a recorded outcome too")
    parser.add_argument("--list", action="store_true", help="print the sample without running it")
    given = parser.parse_args(arguments)
    if unknown := set(given.areas) - AREAS.keys():
        parser.error(f"unknown area {min(unknown)!r}; the areas are {', '.join(AREAS)}")
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sample of mutants and print the killed ratio."""
    given = _parse(arguments)
    sample = draw(given.areas, given.sample, given.seed)
    if given.list:
        print("\n".join(map(str, sample)))
        return 0
    signal.signal(signal.SIGTERM, _terminate)  # the copy and the tests end with this process
    known = equivalents()
    outcomes: dict[str, str] = {}
    broken: dict[str, str] = {}  # reasons by module
    end = time.monotonic() + given.budget
    try:
        with Runner() as runner:
            testing = MutationTesting(runner, Records(RECORDS))
            # Sorted by module, so that the tests of each module are measured and imported once.
            for number, mutant in enumerate(sorted(sample, key=lambda item: item.path), 1):
                found = None if given.fresh else testing.recorded(mutant)
                if found is None:
                    if time.monotonic() > end or mutant.path in broken:
                        continue
                    try:
                        found = testing.evaluate(mutant)
                    except (BrokenTestsError, TestRunError) as error:
                        broken[mutant.path] = str(error)
                        continue
                    print(f"{number} of {len(sample)}: {_line(mutant, found)}", file=sys.stderr, flush=True)
                if found.killed_by is not None:
                    outcomes[mutant.key] = "killed"
                else:
                    reason = known.get(mutant.key)
                    outcomes[mutant.key] = "survived" if reason is None else "equivalent"
                    print(f"{mutant}{'' if reason is None else f' (equivalent: {reason})'}", flush=True)
    except KeyboardInterrupt:
        return _INTERRUPTED
    for path, reason in sorted(broken.items()):
        print(f"{path}: its mutants were not run: {reason}")
    return _report(sample, outcomes, given.seed, given.goal)


def _line(mutant: Mutant, outcome: MutantOutcome) -> str:
    result = "survived" if outcome.killed_by is None else f"killed by {outcome.killed_by}"
    return f"{mutant}: {result}{' (time limit)' if outcome.timed_out else ''} in {outcome.seconds:g} s"
