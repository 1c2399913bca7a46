"""The report of a history: text, JSON and HTML."""

from __future__ import annotations

import json

from loadtest.history.changes import grouped
from loadtest.history.report import failures, to_html, to_json, to_text
from rehearsal.report.page import data_of
from tests.loadtest.history.factories import MACHINE, level, runs, searches

SLOWER = grouped(runs(level(15, 0.1) + level(8, 0.2)))


def test_text_has_a_line_for_every_run_the_changes_and_the_result() -> None:
    lines = to_text(SLOWER).splitlines()
    assert lines[:2] == [MACHINE, "low, mix mixed, scale 0.2, 60 s, 24 accounts"]
    assert lines[2].split() == [
        "date",
        "commit",
        "seed",
        "requests",
        "P50",
        "P95",
        "P99",
        "errors",
        "capacity",
    ]
    assert lines[3].split()[:6] == ["2026-11-01", "00:00", "000000000000", "0", "1000", "25"]
    assert sum("regression of" in line for line in lines) == 3
    assert lines[-1] == "3 regressions in the newest 20 runs"


def test_text_of_a_short_history_states_what_is_missing() -> None:
    text = to_text(grouped(searches([100.0, 87.5])))
    assert "87.5/s" in text
    assert "no change points\n2 runs; change points need at least 14: 12 more\n\nno regression" in text
    assert to_text([]) == "No run is recorded. `kingdom load run low --record` records one."


def test_json_has_runs_and_changes() -> None:
    found = json.loads(json.dumps(to_json(SLOWER)))
    (group,) = found["groups"]
    assert found["regressions"] == len(failures(SLOWER)) == 3
    assert len(group["runs"]) == 23
    assert group["runs"][0]["date"] == "2026-11-01T00:00:00Z"
    assert {change["measure"] for change in group["changes"]} == {"P50", "P95", "P99"}


def test_html_has_the_runs_as_axis_and_the_changes_as_markers() -> None:
    html = to_html(SLOWER[0])
    data = data_of(html)
    assert data["axis"] == ["run", ""]
    assert data["seconds"] == list(range(23))
    assert {marker["at"] for marker in data["markers"]} == {15.0}
    assert [plot["title"] for plot in data["plots"]] == ["Response time", "Errors"]
    assert "regression of" in html


def test_html_of_capacities_has_their_plot() -> None:
    (plot,) = data_of(to_html(grouped(searches([100.0, 87.5]))[0]))["plots"]
    assert plot["series"] == [{"name": "rate", "values": [100.0, 87.5]}]
