"""Send open-loop load to the platform that is up on this machine.

Exit codes: 0 all targets hold, 1 a target is missed, 2 a regression was found, 3 the run is invalid or could
not start, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

# Locust replaces sockets and threads with gevent's, which must happen before other modules import them.
import locust  # noqa: F401 (isort: keep first)

from loadtest import capacity_report, comparison_report, report
from loadtest.capacity import find_capacity
from loadtest.comparison import BaseUpError, base_platform, measure
from loadtest.comparison_report import ComparisonSettings
from loadtest.generator.accounts import SetupError
from loadtest.generator.health import raise_generator_priority
from loadtest.history.command import record, run_entry, show
from loadtest.history.entry import FORMAT, Entry, now, recorded_commit
from loadtest.history.files import HistoryError
from loadtest.live_view import live_view
from loadtest.platform import NotLoopbackError, NotUpError, find
from loadtest.report import machine_class, result_line, to_html, to_json, to_text
from loadtest.run import InterruptedRunError, Run, Settings, execute
from loadtest.statistics.regression import Comparison
from rehearsal.errors import KingdomError
from rehearsal.interrupts import terminable
from rehearsal.monitoring.annotations import annotated
from rehearsal.pulumi.project import Project
from rehearsal.review.base_checkout import commit_of
from rehearsal.scenarios.catalog import Catalog, ScenarioError, load

PASSED, MISSED, REGRESSION, INVALID, INTERRUPTED = 0, 1, 2, 3, 130
_MAX_SECONDS: Final = 600.0
_MAX_RATE: Final = 10_000.0
_ACCOUNTS: Final = 24


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Exit with INVALID: argparse's own exit code, 2, is that of a regression."""
        self.print_usage(sys.stderr)
        self.exit(INVALID, f"error: {message}\n")


def parser(catalog: Catalog) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = _Parser(prog="kingdom load", description=__doc__)
    commands = found.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="one scenario, scaled to one machine")
    run.add_argument("scenario", metavar="|".join(catalog.scenarios))
    run.add_argument("--mix", metavar="|".join(catalog.mixes), help="instead of the scenario's mix")
    run.add_argument(
        "--scale", type=float, help="factor for the scenario's users (default: in scenarios.yaml)"
    )
    run.add_argument("--seconds", type=float, help="duration of all stages (default: in scenarios.yaml)")
    capacity = commands.add_parser(
        "capacity", help="the highest rate of arrivals at which TGT1 and TGT3 hold"
    )
    capacity.add_argument("--mix", metavar="|".join(catalog.mixes), default="mixed")
    capacity.add_argument("--seconds", type=float, default=20.0, help="of each step (default: 20)")
    compared = commands.add_parser("compare", help="the platform that is up against another commit")
    compared.add_argument("--base", required=True, metavar="REF", help="branch, tag or commit")
    compared.add_argument("--mix", metavar="|".join(catalog.mixes), default="mixed")
    compared.add_argument("--windows", type=int, default=20, help="for each side (default: 20)")
    compared.add_argument("--seconds", type=float, default=12.0, help="of each window (default: 12)")
    compared.add_argument("--rate", type=float, default=40.0, help="requests per second (default: 40)")
    for each in (run, capacity):
        each.add_argument(
            "--record", action="store_true", help="append a valid run to the history of this machine class"
        )
    history = commands.add_parser("history", help="the recorded runs and the changes among them")
    history.add_argument("--machine", metavar="TEXT", default="", help="only machine classes with this text")
    history.add_argument(
        "--settings", metavar="TEXT", default="", help="only runs whose settings have this text"
    )
    history.add_argument(
        "--html", type=Path, metavar="FILE", help="write a report of one kind of runs to this file"
    )
    history.add_argument(
        "--json", type=Path, metavar="FILE", nargs="?", const=Path("-"),
        help="write runs and changes to this file; without FILE or with - to standard output",
    )  # fmt: skip
    for each in (run, capacity, compared):
        each.add_argument("--seed", type=int, help="of the schedule; drawn and shown if absent")
        each.add_argument("--accounts", type=int, default=_ACCOUNTS, help=f"that send requests ({_ACCOUNTS})")
        each.add_argument("--stack", default="local", help="the stack that is up (default: local)")
        each.add_argument("--html", type=Path, help="write the report to this file")
        each.add_argument("--json", type=Path, help="write the figures to this file; - for standard output")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    try:
        catalog = load()
        options = parser(catalog).parse_args(arguments)
        if problems := _problems(options):
            raise ScenarioError("\n       ".join(problems))
        if "seed" in options and options.seed is None:
            options.seed = random.SystemRandom().randrange(1_000_000)
        commands = {"run": _run, "capacity": _capacity, "compare": _compare, "history": _history}
        with terminable():
            return commands[options.command](options, catalog)
    except (
        NotUpError, NotLoopbackError, ScenarioError, SetupError, BaseUpError, HistoryError, KingdomError,
        OSError,
    ) as error:  # fmt: skip
        print(f"error: {error}", file=sys.stderr)
        return INVALID
    except (InterruptedRunError, KeyboardInterrupt):
        print("interrupted: the load has stopped; the platform is as it was", file=sys.stderr)
        return INTERRUPTED


def _problems(options: argparse.Namespace) -> list[str]:
    """Return the problems of numbers and files on the command line, which are found before the run."""
    found: list[str] = []
    limits = {"windows": 200, "rate": _MAX_RATE, "accounts": 10_000}
    if options.command != "run":
        limits["seconds"] = _MAX_SECONDS
    for name, limit in limits.items():
        value = getattr(options, name, None)
        if value is not None and not 1 <= value <= limit:
            found.append(f"--{name} {value:g} is not between 1 and {limit:g}")
    for name in ("html", "json"):
        path: Path | None = getattr(options, name, None)
        if path is None or str(path) == "-":
            continue
        if path.is_dir():
            found.append(f"--{name} {path} is a folder; name a file")
        elif not os.access(path if path.exists() else path.parent, os.W_OK):
            missing = "cannot be written" if path.parent.is_dir() else "is in a folder that does not exist"
            found.append(f"--{name} {path} {missing}")
    return found


def settings_of(options: argparse.Namespace, catalog: Catalog) -> Settings:
    """Return the settings of `kingdom load run`. Raises ScenarioError."""
    scenario = catalog.scenario(options.scenario)
    mix = options.mix or scenario.mix
    scale = scenario.local.scale if options.scale is None else options.scale
    seconds = scenario.local.seconds if options.seconds is None else options.seconds
    if not 0 < scale <= 1:
        raise ScenarioError(f"--scale {scale:g} is not a factor between 0 and 1")
    if not 10 <= seconds <= _MAX_SECONDS:
        raise ScenarioError(f"--seconds {seconds:g} is not between 10 and {_MAX_SECONDS:g}")
    users = scenario.users(seconds).scaled(scale)
    return Settings(
        options.scenario, users, mix, catalog.mix(mix), catalog.seconds_per_request, scale, options.accounts,
        options.seed,
    )  # fmt: skip


def _run(options: argparse.Namespace, catalog: Catalog) -> int:
    settings, platform = settings_of(options, catalog), find(options.stack)
    commit = recorded_commit(platform) if options.record else ""
    raise_generator_priority()
    print(
        f"{settings.name}: {settings.users.seconds:.0f} s, at most "
        f"{max(rate for _, rate in settings.rates.points):.0f} requests/s, scale {settings.scale:g}, "
        f"seed {settings.seed}",
        file=sys.stderr,
    )
    detail = {"mix": settings.mix_name, "scale": settings.scale, "seed": settings.seed}
    with annotated(platform.state, "load", f"load: {settings.name}", detail), live_view() as tick:
        run = execute(settings, platform, tick)
    _write(options, to_text(run), result_line(run), lambda: to_json(run), lambda: to_html(run))
    if options.record:
        record(run.invalid(), lambda: run_entry(run, commit, machine_class()))
    return exit_code(run)


def exit_code(run: Run) -> int:
    """Return the exit code of a run: 0, 1 or 3."""
    if run.invalid():
        return INVALID
    return PASSED if all(each.holds for each in run.findings()) else MISSED


def _write(
    options: argparse.Namespace,
    text: str,
    result: str,
    as_json: Callable[[], dict[str, Any]],
    as_html: Callable[[], str],
) -> None:
    """Write the reports of the options.

    The text goes to standard output, unless the JSON does; then the result goes to standard error.
    """
    if options.html is not None:
        options.html.write_text(as_html())
        print(f"report: {options.html}", file=sys.stderr)
    if options.json is not None and str(options.json) == "-":
        print(json.dumps(as_json()))
        print(result, file=sys.stderr)
        return
    print(text)
    if options.json is not None:
        options.json.write_text(json.dumps(as_json()))


def _capacity(options: argparse.Namespace, catalog: Catalog) -> int:
    platform = find(options.stack)
    commit = recorded_commit(platform) if options.record else ""
    raise_generator_priority()
    with annotated(platform.state, "load", "load: capacity", {"mix": options.mix, "seed": options.seed}):
        found = find_capacity(
            platform, options.mix, catalog.mix(options.mix), options.seconds, options.accounts, options.seed,
            lambda text: print(text, file=sys.stderr, flush=True),
        )  # fmt: skip
    _write(
        options, found.text(), found.text(), found.as_json,
        lambda: capacity_report.to_html(found, options.mix, options.seed),
    )  # fmt: skip
    if options.record:
        entry = Entry(
            format=FORMAT, kind="capacity", date=now(), commit=commit, machine=machine_class(),
            mix=options.mix, seconds=options.seconds, seed=options.seed, accounts=options.accounts,
            rate=found.rate,
        )  # fmt: skip
        record(["the generator could not offer more"] if found.invalid else [], lambda: entry)
    if found.invalid:
        return INVALID
    return PASSED if found.rate else MISSED


def _history(options: argparse.Namespace, catalog: Catalog) -> int:
    passed = show(options.machine, options.settings, options.html, options.json)
    return PASSED if passed else REGRESSION


def _compare(options: argparse.Namespace, catalog: Catalog) -> int:
    change, mix = find(options.stack), catalog.mix(options.mix)
    settings = ComparisonSettings(
        now().isoformat(timespec="seconds"), machine_class(), options.base,
        commit_of(Project.at(change.root), options.base)[:12], report.commit(change.root), options.mix,
        options.seconds, options.rate, options.accounts, options.seed,
    )  # fmt: skip

    def notice(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    raise_generator_priority()
    detail = {"base": options.base, "mix": options.mix, "seed": options.seed}
    with (
        base_platform(change, options.base, notice) as base,
        annotated(change.state, "load", f"load: compare with {options.base}", detail),
    ):
        found = measure(
            base, change, (options.mix, mix), options.windows, options.seconds, options.rate,
            options.accounts, options.seed, notice,
        )  # fmt: skip
    compared = found.comparisons()
    _write(
        options, "\n".join(each.text() for each in compared), comparison_report.result_line(compared),
        lambda: comparison_report.to_json(found, settings),
        lambda: comparison_report.to_html(found, settings),
    )  # fmt: skip
    for text in found.invalid:
        notice(f"left out: {text}")
    return comparison_code(compared)


def comparison_code(compared: Sequence[Comparison]) -> int:
    """Return the exit code of comparisons: 0, 2 or 3."""
    if any(each.state == "slower" for each in compared):
        return REGRESSION
    return INVALID if any(each.state == "invalid" for each in compared) else PASSED


if __name__ == "__main__":
    sys.exit(main())
