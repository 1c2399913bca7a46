"""A forecast as JSON, as text, and as one HTML file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rehearsal.forecast.evidence import evidence
from rehearsal.forecast.limits import TARGETS, ResourceLimit, advice, limits, target_results
from rehearsal.forecast.simulation import Forecast, Second
from rehearsal.report.page import Limit, Page, Plot, Series, TableBlock, render

_POINTS = 600
_NOTE = "Bands come from the 5th and 95th percentile of the measured CPU per request and of the fits."


def first_limit(forecasts: Sequence[Forecast], seconds_per_request: float) -> tuple[ResourceLimit, str]:
    """Return the first limit of the mean forecast, and its users as text with the estimates' interval."""
    low, mean, high = (
        limits(each.platform, each.calibration, seconds_per_request, position)[0]
        for each, position in zip(forecasts, (1, 0, -1), strict=True)
    )
    return mean, f"{_users(mean.users)} users (90 % interval {_users(low.users)} to {_users(high.users)})"


def _users(users: float) -> str:
    return "no limit" if math.isinf(users) else f"{users:,.0f}"


def to_json(forecasts: Sequence[Forecast], scenario: str, seconds_per_request: float) -> dict[str, Any]:
    """Return the mean forecast with the limits of all estimates.

    `forecasts` are those of the high, the mean and the low cost of a request.
    """
    mean = forecasts[1]
    first, users = first_limit(forecasts, seconds_per_request)
    found = target_results(mean)
    return {
        "stack": mean.platform.stack,
        "scenario": scenario,
        "calibration": mean.calibration.origin,
        "evidence": [vars(each) for each in evidence(mean)],
        "holds": all(each.holds for each in found),
        "findings": [vars(each) for each in found],
        "firstLimit": {"resource": first.resource, "users": users, "remedy": first.remedy},
        "limits": [
            {"resource": each.resource, "users": None if math.isinf(each.users) else round(each.users)}
            for each in limits(mean.platform, mean.calibration, seconds_per_request)
        ],
        "decidingMetric": mean.deciding_metric,
        "replicas": {
            "api": max(each.api for each in mean.seconds),
            "worker": max(each.worker for each in mean.seconds),
        },
        "usdPerHour": {
            "low": min(each.usd for each in mean.seconds),
            "peak": max(each.usd for each in mean.seconds),
        },
        "advice": advice(mean, first, seconds_per_request),
        "seconds": [vars(each) for each in mean.seconds[:: max(1, len(mean.seconds) // _POINTS)]],
    }  # fmt: skip


def to_text(forecasts: Sequence[Forecast], scenario: str, seconds_per_request: float) -> str:
    """Return the result as text for a terminal."""
    mean, data = forecasts[1], to_json(forecasts, scenario, seconds_per_request)
    result = "all targets hold" if data["holds"] else "targets missed"
    replicas = f"at most {data['replicas']['api']} of {mean.platform.api.max_replicas}"
    lines = [
        f"{mean.platform.stack} under {scenario}: {result}",
        *(f"  {each.target}: {each.value} ({each.limit}): {'holds' if each.holds else 'missed'}"
          for each in target_results(mean)),
        f"  first limit: {data['firstLimit']['resource']}, at {data['firstLimit']['users']}",
        f"  replicas of api: {replicas}; {data['decidingMetric']} decides",
        f"  cost: {data['usdPerHour']['low']:.2f} to {data['usdPerHour']['peak']:.2f} USD/h",
        *(f"  change: {each}" for each in data["advice"]),
        *(f"  {each.kind}: {each.text}" for each in evidence(mean)),
    ]  # fmt: skip
    return "\n".join(lines)


def to_html(forecasts: Sequence[Forecast], scenario: str, seconds_per_request: float) -> str:
    """Return the report as HTML."""
    mean = forecasts[1]
    data, found = to_json(forecasts, scenario, seconds_per_request), target_results(mean)
    step = max(1, len(mean.seconds) // _POINTS)
    facts = [
        ("first limit", f"{data['firstLimit']['resource']}, at {data['firstLimit']['users']}"),
        ("replicas of api", f"at most {data['replicas']['api']} of {mean.platform.api.max_replicas}"),
        ("deciding metric", data["decidingMetric"]),
        ("cost", f"{data['usdPerHour']['low']:.2f} to {data['usdPerHour']['peak']:.2f} USD/h"),
        ("calibration", mean.calibration.origin),
    ]  # fmt: skip
    return render(
        Page(
            f"Forecast: {mean.platform.stack}, {scenario}",
            "All targets hold" if data["holds"] else "Targets missed",
            bool(data["holds"]),
            facts,
            [
                TableBlock(
                    "Targets",
                    ("target", "limit", "forecast", ""),
                    [(e.target, e.limit, e.value, "holds" if e.holds else "missed") for e in found],
                    [index for index, each in enumerate(found) if not each.holds],
                ),
                TableBlock(
                    "Limits",
                    ("resource", "users"),
                    [
                        (each["resource"], _users(math.inf if each["users"] is None else each["users"]))
                        for each in data["limits"]
                    ],
                ),
                TableBlock(
                    "Measured, extrapolated, assumed",
                    ("kind", "statement"),
                    [(each.kind, each.text) for each in evidence(mean)],
                ),
                *([TableBlock("Changes", ("change",), [(each,) for each in data["advice"]])]
                  if data["advice"] else []),
            ],
            [float(each.at) for each in mean.seconds[::step]],
            _plots(forecasts, step),
            notes=(_NOTE,),
        )
    )  # fmt: skip


def _plots(forecasts: Sequence[Forecast], step: int) -> list[Plot]:
    high, mean, low = forecasts

    def line(name: str, attribute: str, factor: float = 1.0, of: Forecast = mean) -> Series:
        return Series(name, [_value(each, attribute) * factor for each in of.seconds[::step]])

    return [
        Plot("Users", "", [line("users", "users")]),
        Plot("Requests", "/s", [line("arrivals", "rate"), line("served", "served")]),
        Plot("Response time", "ms",
             [line("P50", "p50", 1000), line("P95", "p95", 1000), line("P99", "p99", 1000),
              line("P95, high cost", "p95", 1000, high), line("P95, low cost", "p95", 1000, low)],
             [Limit(f"{n} < {at * 1000:.0f} ms", at * 1000)
              for n, at in zip(("P50", "P95", "P99"), TARGETS, strict=True)]),
        Plot("Replicas", "", [line("api", "api"), line("api wanted", "api_wanted"), line("worker", "worker"),
                              line("nodes", "nodes")],
             [Limit("maxReplicas of api", float(mean.platform.api.max_replicas))]),
        Plot("CPU of api and of Redis", "%", [line("api", "cpu", 100), line("Redis", "redis", 100)],
             [Limit("limit", 100.0)]),
        Plot("Database connections", "%", [line("of the accepted", "connections", 100)],
             [Limit("ALR5 warning", 80.0)]),
        Plot("Backlog", "", [line("requests", "backlog"), line("jobs", "queue")]),
        Plot("Cost", "USD/h", [line("cost", "usd")]),
    ]  # fmt: skip


def _value(second: Second, attribute: str) -> float:
    return float(getattr(second, attribute))
