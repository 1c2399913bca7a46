"""The terminal view of a run: users, rate, percentiles, errors, replicas, queue depth."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from loadtest.run import Run
from loadtest.targets import ERROR_SHARE, PERCENTILE_LIMITS

_WINDOW_SECONDS: Final = 10
_LINE_EVERY_SECONDS: Final = 10


@contextmanager
def live_view() -> Iterator[Callable[[Run], None]]:
    """Shows a run on standard error: a view that is updated in a terminal, a line every 10 s elsewhere."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _print_line
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda run: live.update(view(run), refresh=True)


def line(run: Run) -> str:
    """Return one line with the figures of the last 10 s."""
    at = min(int(run.elapsed), run.seconds)
    window = run.recorder.window(max(0, at - _WINDOW_SECONDS), at)
    errors = ", ".join(f"{name} {count}" for name, count in window.errors.items()) or "none"
    last = run.samples[-1] if run.samples else {}
    pods = ", ".join(f"{name} {count}" for name, count in sorted((last.get("replicas") or {}).items()))
    return (
        f"{at:>4} of {run.seconds} s: {run.settings.users.rate(at):.0f} users, "
        f"{window.good_rate:.0f} requests/s, "
        f"P50 {window.p50 * 1000:.0f}, P95 {window.p95 * 1000:.0f}, P99 {window.p99 * 1000:.0f} ms, "
        f"errors: {errors}; ready: {pods}"
    )


def _print_line(run: Run) -> None:
    if int(run.elapsed) % _LINE_EVERY_SECONDS == 0:
        print(line(run), file=sys.stderr, flush=True)


def view(run: Run) -> Group:
    """Return the view of a run."""
    at = min(int(run.elapsed), run.seconds)
    window = run.recorder.window(max(0, at - _WINDOW_SECONDS), at)
    title = Text.assemble(
        (f"{run.settings.name}", "bold"),
        f"  {at} of {run.seconds} s  {run.settings.users.rate(at):.0f} users  "
        f"({1 / run.settings.scale:g} times as many at full scale)",
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("last 10 s", "measured", "target"):
        table.add_column(column)
    table.add_row("requests/s", f"{window.good_rate:.0f}", f"{run.settings.rates.rate(at):.0f} offered")
    for name, limit in PERCENTILE_LIMITS.items():
        found = {"P50": window.p50, "P95": window.p95, "P99": window.p99}[name]
        style = "red" if found >= limit else "green"
        table.add_row(name, Text(f"{found * 1000:.0f} ms", style), f"< {limit * 1000:.0f} ms")
    style = "red" if window.error_share >= ERROR_SHARE else "green"
    table.add_row("errors", Text(f"{window.error_share:.2%}", style), f"< {ERROR_SHARE:.0%}")
    table.add_row("in flight", f"{run.recorder.in_flight}", f"at most {run.plan.max_in_flight}")
    table.add_row("generator late", f"P99 {run.plan.health.lateness_p99 * 1000:.1f} ms", "at most 10 ms")
    return Group(title, table, *_platform(run))


def _platform(run: Run) -> list[Text]:
    if not run.samples:
        return []
    last = run.samples[-1]
    queue = next((each["queue"] for each in reversed(run.samples) if each.get("queue") is not None), None)
    pods = ", ".join(f"{name} {count}" for name, count in sorted(last["replicas"].items()))
    cpu = (
        ""
        if last["cpu"] is None
        else f"  CPU {last['cpu']:.2f} cores, others {last['cpuOfOthers']:.2f} cores"
    )
    depth = "" if queue is None else f"  queue {queue:.0f}"
    lines = [Text(f"ready: {pods}{cpu}  memory {last['memory'] / 2**20:.0f} MiB{depth}")]
    lines += [Text(f"{each['name']}: {each['outcome']}", "dim") for each in last["autoscalers"]]
    return lines
