"""The view of a run in a terminal, and its lines elsewhere."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from rich.console import Console

from loadtest import live_view as module
from loadtest.live_view import line, live_view, view
from loadtest.run import Run
from tests.loadtest.factories import run, sample


def at(seconds: float, measured: Run) -> Run:
    """Return the run at a number of seconds after its start."""
    measured.plan.began = time.perf_counter() - seconds
    return measured


def shown(measured: Run) -> str:
    """The view as text, followed by the colored cells."""
    out = io.StringIO()
    Console(file=out, width=200, color_system="standard", force_terminal=True).print(view(measured))
    return out.getvalue().replace("\x1b[31m", "<red>").replace("\x1b[32m", "<green>").replace("\x1b[0m", "")


def test_line_has_the_figures_of_the_last_ten_seconds() -> None:
    measured = run(30, rate=10, response=0.1, samples=[sample(20.0)])
    for number in range(10):
        measured.recorder.done("GET /v1/feed", 9.9, 9.9, 19.9, f"HTTP 50{number % 2}")
    assert line(at(20.5, measured)) == (
        "  20 of 30 s: 100 users, 10 requests/s, P50 100, P95 100, P99 100 ms, errors: none; "
        "ready: api 2, worker 1"
    )
    assert "errors: HTTP 500 5, HTTP 501 5; " in line(at(19.5, measured))


def test_view_of_a_run_that_has_just_begun_or_ended_can_be_shown() -> None:
    assert line(at(0.2, run(10))).startswith("   0 of 10 s: 100 users, 0 requests/s, P50 0")
    assert "0 of 10 s" in shown(at(0.2, run(10)))
    assert line(at(25.0, run(10))).startswith("  10 of 10 s: 100 users, 10 requests/s")


@pytest.mark.parametrize(
    ("response", "shown_as", "colors"),
    [
        # Values of the histograms have two significant digits.
        (0.19, "190 ms", ("green", "green", "green")),
        (0.25, "251 ms", ("red", "green", "green")),
        (1.2, "1203 ms", ("red", "red", "red")),
    ],
)
def test_percentiles_beyond_their_targets_are_red(
    response: float, shown_as: str, colors: tuple[str, ...]
) -> None:
    text = shown(at(20.0, run(30, response=response)))
    for name, color in zip(("P50", "P95", "P99"), colors, strict=True):
        row = next(each for each in text.splitlines() if each.startswith(name))
        assert f"<{color}>{shown_as}" in row, text


def test_view_has_the_scale_the_errors_and_the_platform() -> None:
    samples = [
        sample(1.0, queue=12.0),
        sample(2.0, outcome="scaled up: cpu above its target", cpuOfOthers=0.25),
    ]
    text = shown(at(20.0, run(30, errors=1, samples=samples)))
    assert "20 of 30 s  100 users  (5 times as many at full scale)" in text
    assert "<red>10.00%" in text
    assert "at most 256" in text
    # The queue is read less often than the rest: the last known depth is shown.
    assert "ready: api 2, worker 1  CPU 0.50 cores, others 0.25 cores  memory 300 MiB  queue 12" in text
    assert "api: scaled up: cpu above its target" in text
    assert "CPU" not in shown(at(20.0, run(30, samples=[sample(1.0, cpu=None)])))


def test_without_a_terminal_a_line_is_printed_every_ten_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def console(**_: Any) -> Console:
        return Console(file=io.StringIO())

    monkeypatch.setattr(module, "Console", console)
    measured = run(30)
    with live_view() as tick:
        for elapsed in (9.5, 10.5, 11.5, 19.5, 20.5):
            tick(at(elapsed, measured))
    assert [each.split()[0] for each in capsys.readouterr().err.splitlines()] == ["10", "20"]


def test_in_a_terminal_the_view_is_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=120)

    def console(**_: Any) -> Console:
        return terminal

    monkeypatch.setattr(module, "Console", console)
    with live_view() as tick:
        tick(at(11.0, run(30)))
        assert "11 of 30 s" in out.getvalue()
