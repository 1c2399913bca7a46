"""``python -m loadtest``: the peak of the platform of ``make up``, and response times below it.

First the peak: a growing number of closed-loop users until throughput no longer rises. Then a steady share of
that rate with random arrivals. Prints a table or JSON. The exit code is 1 when a target is missed, 2 when no
platform is up.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Final

# Locust patches sockets and threads for gevent; it must do so before anything else has them.
import locust  # noqa: F401 (isort: keep first)

from loadtest.load_runner import LoadRunner, NotLoopbackError, Outcome, load_runner
from loadtest.mixes import MIXES
from loadtest.platform import NotUpError, Platform, find, used

# TGT1 and TGT3: seconds, and a share.
TARGETS: Final = {"P50": 0.2, "P95": 0.5, "P99": 1.0, "errors": 0.01}
_STEPS: Final = (8, 16, 32, 64)
_STEP_SECONDS: Final = 8.0
_RISE: Final = 1.05
_STEADY_USERS: Final = 100


def peak(users: LoadRunner) -> Outcome:
    """Return the step with the highest rate of good responses; stop when a step adds hardly any."""
    best: Outcome | None = None
    for count in _STEPS:
        step = users.measure(count, _STEP_SECONDS)
        report(f"{count} users: {step.rate:.0f} requests/s, errors {step.errors:.2%}")
        rose = best is None or _good(step) > _good(best) * _RISE
        if best is None or _good(step) > _good(best):
            best = step
        if not rose:
            break
    assert best is not None, "there is a first step"
    return best


def _good(outcome: Outcome) -> float:
    return outcome.rate * (1 - outcome.errors)


def report(text: str) -> None:
    """Print to stderr, so that stdout holds only the result."""
    print(text, file=sys.stderr, flush=True)


def misses(outcome: Outcome) -> list[str]:
    """The targets that an outcome misses."""
    figures = {"P50": outcome.p50, "P95": outcome.p95, "P99": outcome.p99, "errors": outcome.errors}
    return [name for name, limit in TARGETS.items() if figures[name] >= limit]


def table(top: Outcome, steady: Outcome, cores: float, share: float) -> str:
    """The table of the README."""
    machine = os.cpu_count() or 1
    return "\n".join(
        [
            "| | peak | steady |",
            "| --- | --- | --- |",
            f"| load | {top.users} users, no pause | {share:.0%} of the peak, {steady.users} users |",
            f"| requests/s | {top.rate:.0f} | {steady.rate:.0f} |",
            f"| requests/s a core, load's own included | {top.rate / machine:.0f} | |",
            f"| requests/s a core that the platform used | | {steady.rate / cores:.0f} |",
            *(
                f"| {name} | {getattr(top, name.lower()) * 1000:.0f} ms "
                f"| {getattr(steady, name.lower()) * 1000:.0f} ms (< {TARGETS[name] * 1000:.0f} ms) |"
                for name in ("P50", "P95", "P99")
            ),
            f"| errors | {top.errors:.2%} | {steady.errors:.2%} (< {TARGETS['errors']:.0%}) |",
        ]
    )


def measure(platform: Platform, mix: str, seconds: float, share: float) -> tuple[Outcome, Outcome, float]:
    """Peak, steady share of it, and the cores that the platform used during the latter."""
    with load_runner(platform.address, platform.authority, MIXES[mix]) as users:
        top = peak(users)
        before = platform.processor()
        warm = 5.0
        steady = users.measure(_STEADY_USERS, seconds, rate=_good(top) * share, warm=warm)
        spent = used(before, platform.processor())
    return top, steady, spent / (steady.seconds + warm)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m loadtest", description=__doc__)
    parser.add_argument("--mix", choices=MIXES, default="mixed", help="mix of users (default: mixed)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of steady load (default: 60)")
    parser.add_argument("--share", type=float, default=0.7, help="of the peak (default: 0.7)")
    parser.add_argument("--stack", default="local", help="which stack (default: local)")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    options = parser.parse_args(arguments)
    try:
        platform = find(options.stack)
        top, steady, cores = measure(platform, options.mix, options.seconds, options.share)
    except (NotUpError, NotLoopbackError) as error:
        report(str(error))
        return 2
    if options.json:
        print(json.dumps({"peak": top.as_json(), "steady": steady.as_json(), "cores": cores}, indent=2))
    else:
        print(table(top, steady, cores, options.share))
    for failure, count in (*top.failures.items(), *steady.failures.items()):
        report(f"{count} times {failure}")
    missed = misses(steady)
    if missed:
        report(f"missed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
