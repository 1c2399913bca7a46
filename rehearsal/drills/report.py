"""The results of drills as a table, as JSON and as one self-contained HTML file."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from rehearsal.drills.measurements import SecondStats
from rehearsal.drills.runner import RECOVERY_SECONDS, DrillResult
from rehearsal.report.table import html_table

COLUMNS = (
    "drill", "seed", "result", "detected s", "recovered s", "errors", "worst second", "lost", "duplicated",
)  # fmt: skip
_WIDTH, _HEIGHT = 640, 120
_NONE: Mapping[str, str] = MappingProxyType({})


def rows(results: Sequence[DrillResult]) -> list[list[str]]:
    """Return one row for each drill, under `COLUMNS`."""
    return [
        [
            item.name,
            str(item.seed),
            "passed" if item.passed else "FAILED",
            _seconds(item.measurements.detected),
            _seconds(item.measurements.recovered),
            f"{item.measurements.error_share:.1%} of {item.measurements.requests}",
            f"{item.measurements.worst:.0%} at {item.measurements.worst_at} s",
            _lost(item),
            str(sum(check.duplicated for check in item.checks)),
        ]
        for item in results
    ]


def _lost(item: DrillResult) -> str:
    lost = str(sum(check.lost for check in item.checks))
    return lost if item.lost_since_backup is None else f"{lost} ({item.lost_since_backup} since the backup)"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def during(item: DrillResult) -> str:
    """Describe a hang: the share of requests that were served meanwhile, and when all were again."""
    served = ", ".join(f"{function} {share:.0%}" for function, share in item.measurements.served.items())
    return (
        f"served during {item.fault_seconds:.0f} s: {served or '-'}; "
        f"again {_seconds(item.measurements.used_again)} s after"
    )


def to_json(results: Sequence[DrillResult], not_run: Mapping[str, str] = _NONE) -> dict[str, Any]:
    """Everything that was found, without the histories; `not_run` has the reason for each such drill."""
    return {
        "targets": {"recovery_seconds": RECOVERY_SECONDS},
        "passed": bool(results) and not not_run and all(item.passed for item in results),
        "not_run": dict(not_run),
        "drills": [
            {
                "name": item.name,
                "seed": item.seed,
                "passed": item.passed,
                "problems": item.problems,
                "operations": item.operations,
                "fault_seconds": round(item.fault_seconds, 3),
                "lost_since_backup": item.lost_since_backup,
                "measurements": asdict(item.measurements),
                "checks": [asdict(check) for check in item.checks],
            }
            for item in results
        ],
    }


def to_html(results: Sequence[DrillResult], not_run: Mapping[str, str] = _NONE) -> str:
    """One page without network access: the table, then each drill with its seconds and its checks."""
    table = html_table(COLUMNS, rows(results), [_class(item.passed) for item in results])
    sections = "".join(f"<p>Could not be run: {html.escape(f'{k}: {v}')}</p>" for k, v in not_run.items())
    sections += "".join(map(_section, results))
    data = json.dumps(to_json(results, not_run)).replace("</", "<\\/")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Drills</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>Drills</h1>"
        f"<p>Targets: recovery within {RECOVERY_SECONDS:.0f} s (REL1), nothing acknowledged lost.</p>"
        f'<div class="wide">{table}</div>'
        f'{sections}<script type="application/json" id="data">{data}</script></body></html>\n'
    )


def _section(item: DrillResult) -> str:
    checks = html_table(
        ("check", "result", "checked", "lost", "duplicated", "problems"),
        [
            (
                check.name, "valid" if check.valid else "unknown" if check.valid is None else "invalid",
                str(check.checked), str(check.lost), str(check.duplicated), "; ".join(check.problems),
            )
            for check in item.checks
        ],
        [_class(bool(check.valid)) for check in item.checks],
    )  # fmt: skip
    seconds = html_table(
        ("s", "requests", "errors", "P95 ms"),
        [
            (str(second.at), str(second.requests), str(second.errors), f"{second.p95 * 1000:.0f}")
            for second in item.measurements.seconds
        ],
    )
    served = f"<p>{html.escape(during(item))}</p>" if item.hangs else ""
    return (
        f"<h2>{html.escape(item.name)}</h2>{_plot(item.measurements.seconds, item.fault_seconds)}{served}"
        f"{checks}"
        f"<details><summary>seconds</summary>{seconds}</details>"
    )


def _class(passed: bool) -> str:
    return "ok" if passed else "bad"


def _plot(seconds: Sequence[SecondStats], fault_seconds: float) -> str:
    """Plot the requests per second, the errors, and the time of the fault."""
    if not seconds:
        return ""
    first, last = seconds[0].at, seconds[-1].at
    highest = max(item.requests for item in seconds)
    bar = _WIDTH / (last - first + 1)
    bars = "".join(
        _bar((item.at - first) * bar, bar, 0, item.requests - item.errors, highest, "good")
        + _bar((item.at - first) * bar, bar, item.requests - item.errors, item.errors, highest, "error")
        for item in seconds
    )
    shade = _rectangle("fault", -first * bar, 0, max(1.0, fault_seconds) * bar, _HEIGHT)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="Requests and errors in each second; the fault is shaded">{shade}{bars}</svg>'
    )


def _bar(x: float, width: float, base: int, count: int, highest: int, kind: str) -> str:
    if not count:
        return ""
    height = count / highest * _HEIGHT
    y = _HEIGHT - base / highest * _HEIGHT - height
    return _rectangle(kind, x, y, max(0.5, width - 0.5), height)


def _rectangle(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #2a7; --error: #d33; --fault: #fa03; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
td, th { border-bottom: 1px solid var(--line); padding: .25rem .5rem; text-align: left; vertical-align: top; }
.wide { overflow-x: auto; } .bad td:nth-child(-n+3) { color: var(--error); font-weight: 600; }
svg { width: 100%; height: auto; border-bottom: 1px solid var(--line); }
.good { fill: var(--good); } .error { fill: var(--error); } .fault { fill: var(--fault); }
@media print { details { display: none; } }
"""
