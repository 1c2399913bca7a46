"""`python -m benchmarks [NAME…] [--json | --markdown | --list]`: run benchmarks, one line each.

The exit code is 1 if a target is missed or a benchmark failed, 2 for an unknown name.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Literal

from benchmarks._benchmark import Benchmark, NotMeasurableError
from benchmarks._registry import Registry, UnknownBenchmarkError, discover
from benchmarks._report import Outcome, Table, markdown

Form = Literal["lines", "json", "markdown"]

STYLES = {"met": "green", "missed": "bold red", "failed": "bold red", "not run": "yellow"}


def measure(benchmark: Benchmark) -> Outcome:
    """Run one benchmark; an exception becomes its outcome."""
    began = time.perf_counter()
    try:
        measurement = benchmark.run()
    except NotMeasurableError as error:
        return Outcome(benchmark, "not run", None, str(error), time.perf_counter() - began)
    except Exception as error:  # of any kind: the other benchmarks still run
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return Outcome(benchmark, "failed", None, reason, time.perf_counter() - began)
    status = "met" if measurement.ok else "missed"
    return Outcome(benchmark, status, measurement, measurement.note, time.perf_counter() - began)


def measure_all(registry: Registry) -> Iterator[Outcome]:
    """Run the benchmarks one after the other and report progress on stderr.

    Concurrent benchmarks would compete for cores.
    """
    for number, benchmark in enumerate(registry.benchmarks, start=1):
        progress(f"[{number}/{len(registry.benchmarks)}] {benchmark.name} against {benchmark.peer} …")
        yield measure(benchmark)


def progress(text: str) -> None:
    """Print to stderr, so that stdout holds only results."""
    print(text, file=sys.stderr, flush=True)


def emit(line: str, status: str | None = None) -> None:
    """Print a line; Rich adds colors on a terminal."""
    if not sys.stdout.isatty():
        print(line, flush=True)
        return
    from rich.console import Console
    from rich.text import Text

    text = Text(line)
    if status:
        text.highlight_words([status], STYLES[status])
    else:
        text.stylize("bold")
    Console(soft_wrap=True).print(text)


def run(registry: Registry, form: Form) -> int:
    """Run the benchmarks of the registry and print the results.

    Return 0 if no target was missed and no benchmark failed, otherwise 1.
    """
    outcomes: list[Outcome] = []
    table = Table(registry.benchmarks)
    if form == "lines":
        emit(table.heading())
    for outcome in measure_all(registry):
        outcomes.append(outcome)
        if form == "lines":
            emit(table.line(outcome), outcome.status)
    if form == "markdown":
        print(markdown(outcomes))
    elif form == "json":
        document = {"benchmarks": [outcome.as_json() for outcome in outcomes], "broken": registry.broken}
        print(json.dumps(document, indent=2, ensure_ascii=False))
    for module, reason in registry.broken.items():
        progress(f"benchmarks/{module}.py could not be read: {reason}")
    failed = registry.broken or any(outcome.status in {"missed", "failed"} for outcome in outcomes)
    return 1 if failed else 0


def main(arguments: Sequence[str] | None = None, registry: Registry | None = None) -> int:
    """Run the command line and return the exit code; `registry` replaces the discovered benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="run only these")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_const", dest="form", const="json", help="one JSON document")
    forms.add_argument(
        "--markdown", action="store_const", dest="form", const="markdown", help="the table of docs/benchmarks"
    )
    forms.add_argument("--list", action="store_true", help="name the benchmarks without running them")
    options = parser.parse_args(arguments)
    try:
        chosen = (registry or discover()).select(options.names)
    except UnknownBenchmarkError as error:
        progress(str(error))
        return 2
    if options.list:
        for benchmark in chosen.benchmarks:
            print(f"{benchmark.name}  against {benchmark.peer}, target {benchmark.target}")
        return 0
    return run(chosen, options.form or "lines")


if __name__ == "__main__":
    sys.exit(main())
