"""Reports of a comparison: windows by round, the criteria, and the settings that repeat it."""

from __future__ import annotations

import json
import random

import pytest

from loadtest.comparison_report import ComparisonSettings, result_line, to_html, to_json
from loadtest.statistics.samples import Samples
from rehearsal.report.page import data_of

SETTINGS = ComparisonSettings(
    "2026-05-28T20:26:40+00:00", "Xeon, 2 cores, 24 GiB", "main", "0a1b2c3d4e5f", "f5e4d3c2b1a0", "mixed",
    12.0, 40.0, 24, 7,
)  # fmt: skip


def samples(change: float, rounds: int = 20) -> Samples:
    rng, found = random.Random(1), Samples()
    for number in range(rounds):
        for side, factor in (("base", 1.0), ("again", 1.0), ("change", change)):
            p95 = 0.1 * factor * rng.lognormvariate(0, 0.03)
            found.add(side, {"P50": p95 / 4, "P95": p95}, [], number)
    return found


def test_json_has_the_settings_the_windows_and_the_comparisons() -> None:
    found = json.loads(json.dumps(to_json(samples(1.3), SETTINGS)))
    assert (found["kind"], found["base"], found["base_commit"], found["seconds"], found["seed"]) == (
        "comparison", "main", "0a1b2c3d4e5f", 12.0, 7,
    )  # fmt: skip
    assert len(found["measured"]) == 60
    assert [each["state"] for each in found["comparisons"]] == ["slower", "slower"]


@pytest.mark.parametrize(
    ("found", "line", "status"),
    [
        (samples(1.0), "No regression", "passed"),
        (samples(1.3), "Slower: P50, P95", "failed"),
        (samples(0.7), "No regression; faster: P50, P95", "passed"),
        (samples(1.0, 3), "Invalid: P50, P95", "neutral"),
    ],
)
def test_result_is_one_line_of_the_report(found: Samples, line: str, status: str) -> None:
    assert result_line(found.comparisons()) == line
    assert f'<p class="result {status}">{line}</p>' in to_html(found, SETTINGS)


def test_report_draws_the_windows_of_each_side_and_leaves_invalid_ones_out() -> None:
    found = samples(1.0)
    found.add("base", {"P50": 9.0, "P95": 9.0}, ["the <generator> lagged"], 20)
    html = to_html(found, SETTINGS)
    data = data_of(html)
    assert data["axis"] == ["round", ""]
    assert data["seconds"] == list(range(21))
    assert [plot["title"] for plot in data["plots"]] == ["P50 of a window", "P95 of a window"]
    base, again, change = data["plots"][1]["series"]
    assert [each["name"] for each in (base, again, change)] == ["base", "base again", "change"]
    assert base["values"][0] == pytest.approx(found.rounds[0]["base"]["P95"] * 1000, rel=1e-4)
    assert base["values"][20] is change["values"][20] is None
    assert "base: the &lt;generator&gt; lagged" in html
    assert "commit 0a1b2c3d4e5f" in html
    assert "40 requests/s, mix mixed, 24 accounts" in html
