"""A forecast as JSON, as text and as a page."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from rehearsal.forecast.report import first_limit, to_html, to_json, to_text
from rehearsal.forecast.simulation import Forecast
from rehearsal.report.page import data_of
from tests.rehearsal.forecast.factories import SECONDS_PER_REQUEST, calibration, forecast, platform


@cache
def forecasts(users: float = 20_000, max_replicas: int = 100, seconds: float = 120) -> tuple[Forecast, ...]:
    """Those of the high, the mean and the low cost of a request."""
    return tuple(
        forecast(users, seconds=seconds, max_replicas=max_replicas, position=position)
        for position in (1, 0, -1)
    )


def limited(given: Sequence[Forecast], client_rate: float) -> list[Forecast]:
    return [replace(each, platform=replace(each.platform, client_rate=client_rate)) for each in given]


def test_first_limit_has_the_interval_of_the_estimates() -> None:
    mean, text = first_limit(forecasts(max_replicas=20), SECONDS_PER_REQUEST)
    found = re.fullmatch(r"([\d,]+) users \(90 % interval ([\d,]+) to ([\d,]+)\)", text)
    assert found is not None
    middle, low, high = (int(each.replace(",", "")) for each in found.groups())
    assert low < middle < high
    assert middle == round(mean.users)
    # 4.5 to 5.5 ms of CPU for 5 ms.
    assert (low / middle, high / middle) == (
        pytest.approx(1 / 1.1, rel=0.03),
        pytest.approx(1 / 0.9, rel=0.03),
    )


def test_json_states_result_limits_replicas_and_cost() -> None:
    data = to_json(forecasts(), "peak", SECONDS_PER_REQUEST)
    assert (data["stack"], data["scenario"], data["holds"], data["advice"]) == ("test", "peak", True, [])
    assert [each["target"] for each in data["findings"]][:3] == ["TGT1 P50", "TGT1 P95", "TGT1 P99"]
    assert data["limits"][0]["resource"] == data["firstLimit"]["resource"]
    seconds = forecasts()[1].seconds
    assert data["replicas"] == {
        "api": max(each.api for each in seconds), "worker": max(each.worker for each in seconds)
    }  # fmt: skip
    assert data["usdPerHour"]["low"] <= data["usdPerHour"]["peak"]
    assert len(data["seconds"]) == 120
    # A limit that is never reached is null: JSON has no infinity.
    unlimited = [each for each in data["limits"] if each["users"] is None]
    assert ["connections" in each["resource"] for each in unlimited] == [True]
    json.dumps(data, allow_nan=False)


def test_long_forecast_is_thinned_out() -> None:
    data = to_json([forecast(2_000, seconds=1300)] * 3, "peak", SECONDS_PER_REQUEST)
    assert [each["at"] for each in data["seconds"]][:3] == [0, 2, 4]
    assert len(data["seconds"]) == 650


def test_text_states_what_holds_what_limits_and_what_to_change() -> None:
    lines = to_text(forecasts(60_000, 20, 600), "stress", SECONDS_PER_REQUEST).splitlines()
    assert lines[0] == "test under stress: targets missed"
    assert any(line.startswith("  TGT3 errors: ") and line.endswith("(< 1%): missed") for line in lines)
    assert any(line.startswith("  first limit: CPU of api at 20 replicas, at ") for line in lines)
    assert "  replicas of api: at most 20 of 20; cpu decides" in lines
    assert any(line.startswith("  cost: ") and line.endswith(" USD/h") for line in lines)
    assert sum(line.startswith("  change: ") for line in lines) == 2
    assert f"  measured: on {calibration().origin}" in lines
    holding = to_text(forecasts(), "peak", SECONDS_PER_REQUEST)
    assert holding.startswith("test under peak: all targets hold\n")
    assert "change:" not in holding


def test_page_has_the_plots_of_all_estimates_and_the_missed_targets() -> None:
    given = forecasts(60_000, 20, 600)
    html = to_html(given, "<stress>", SECONDS_PER_REQUEST)
    assert "Forecast: test, &lt;stress&gt;" in html
    assert 'class="result failed"' in html
    assert len(re.findall(r'<tr class="bad"><td>TGT', html)) == 5
    assert "<h2>Changes</h2>" in html
    data = data_of(html)
    assert [each["title"] for each in data["plots"]] == [
        "Users", "Requests", "Response time", "Replicas", "CPU of api and of Redis", "Database connections",
        "Backlog", "Cost",
    ]  # fmt: skip
    times = {each["name"]: each["values"] for each in data["plots"][2]["series"]}
    assert times["P95, low cost"][-1] <= times["P95"][-1] <= times["P95, high cost"][-1]
    assert times["P95"][-1] == pytest.approx(given[1].seconds[-1].p95 * 1000, rel=1e-5)
    passed = to_html(forecasts(), "peak", SECONDS_PER_REQUEST)
    assert 'class="result passed"' in passed
    assert "<h2>Changes</h2>" not in passed


def limit_rows(html: str) -> dict[str, str]:
    table = html.partition("<h2>Limits</h2>")[2].partition("</table>")[0]
    return dict(re.findall(r"<tr><td>([^<]*)</td><td>([^<]*)</td>", table))


def test_page_distinguishes_a_limit_of_no_users_from_no_limit() -> None:
    rows = limit_rows(to_html(limited(forecasts(), 0.01), "peak", SECONDS_PER_REQUEST))
    assert rows["rate limit of one client at the edge"] == "0"
    assert rows[f"{platform().connections} database connections, 27 per pod"] == "no limit"
