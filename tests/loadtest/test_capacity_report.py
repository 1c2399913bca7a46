"""The report of a capacity: figures over the offered rate, and every step."""

from __future__ import annotations

from typing import Any

from loadtest.capacity import Capacity, Step
from loadtest.capacity_report import to_html
from rehearsal.report.page import data_of
from tests.loadtest.factories import run


def step(rate: float, **changes: Any) -> Step:
    return Step(rate, run(10, rate=int(rate), **changes))


def test_report_has_the_steps_by_rate_and_in_the_order_in_which_they_ran() -> None:
    steps = [step(50), step(200, response=0.3), step(100, lateness=0.5), step(100, response=0.15)]
    html = to_html(Capacity(steps, []), "orders", 7)
    data = data_of(html)
    assert data["axis"] == ["offered requests/s", "/s"]
    # The second attempt at 100 requests/s replaces the invalid one.
    assert data["seconds"] == [50, 100, 200]
    plots = {plot["title"]: plot for plot in data["plots"]}
    (throughput,) = plots["Throughput"]["series"]
    assert throughput["values"] == [50, 100, 200]
    p95 = plots["Response time from the intended start"]["series"][1]
    assert [round(value / 10) for value in p95["values"]] == [10, 15, 30]
    assert html.count('<tr class="bad">') == 2
    assert "invalid: the scheduler started requests late" in html
    assert "capacity: 100 requests/s" in html
    assert "mix orders, seed 7" in html


def test_steps_that_stayed_invalid_have_no_values() -> None:
    html = to_html(Capacity([step(50), step(100, lateness=0.5), step(100, lateness=0.5)], []), "mixed", 7)
    (throughput,) = data_of(html)["plots"][0]["series"]
    assert throughput["values"] == [50, None]
    assert "at least 50 requests/s" in html
