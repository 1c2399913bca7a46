"""Reports of drills: a table, JSON, and a page that needs no network."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from rehearsal.drills.checkers import CheckResult
from rehearsal.drills.measurements import Measurements, SecondStats
from rehearsal.drills.report import COLUMNS, during, rows, to_html, to_json
from rehearsal.drills.runner import DrillResult


def result(*checks: CheckResult, recovered: float | None = 4.0) -> DrillResult:
    seconds = [SecondStats(-1, 10, 0, 0.05), SecondStats(0, 8, 4, 0.9)]
    measurements = Measurements(8, 4, True, 0.4, recovered, 0.5, 0, seconds)
    return DrillResult("redis-failover", 7, measurements, list(checks), 2.0, 18)


VALID = CheckResult("bank", True, 3)
LOST = CheckResult("set-full: <content>", False, 3, lost=1, problems=["'a' is absent"])


def test_a_row_holds_what_the_targets_need() -> None:
    (row,) = rows([result(VALID, LOST)])
    assert dict(zip(COLUMNS, row, strict=True)) == {
        "drill": "redis-failover", "seed": "7", "result": "FAILED", "detected s": "0.4", "recovered s": "4.0",
        "errors": "50.0% of 8", "worst second": "50% at 0 s", "lost": "1", "duplicated": "0",
    }  # fmt: skip


def test_an_unknown_check_or_no_recovery_fails_a_drill() -> None:
    assert result(VALID).passed
    assert not result(VALID, CheckResult("writes at the fault", None, 0)).passed
    assert not result(VALID, recovered=None).passed


def test_a_drill_that_could_not_be_run_fails_the_report() -> None:
    reasons = {"disk-full": "no process <storage> runs"}
    assert to_json([result(VALID)])["passed"]
    assert to_json([result(VALID)], reasons)["not_run"] == reasons
    assert not to_json([result(VALID)], reasons)["passed"]
    assert "disk-full: no process &lt;storage&gt; runs" in to_html([result(VALID)], reasons)


def test_the_page_is_self_contained_and_escaped() -> None:
    page = to_html([result(VALID, LOST)])
    assert not re.search(r"(src|href)=", page)
    assert "set-full: &lt;content&gt;" in page
    data = re.search(r'id="data">(.*?)</script>', page)
    assert data is not None
    assert json.loads(data[1]) == json.loads(json.dumps(to_json([result(VALID, LOST)])))


def test_a_hang_fails_unless_its_dependency_is_used_again_in_time() -> None:
    def hang(used_again: float | None) -> DrillResult:
        found = result(VALID)
        return replace(
            found,
            hangs=True,
            fault_seconds=130.0,
            measurements=replace(
                found.measurements, served={"create": 0.0, "get": 0.5}, used_again=used_again
            ),
        )

    assert hang(29.0).passed
    assert hang(31.0).problems == ["requests failed for more than 30 s after the hang"]
    assert not hang(None).passed
    assert during(hang(4.0)) == "served during 130 s: create 0%, get 50%; again 4.0 s after"
    assert "again 4.0 s after" in to_html([hang(4.0)])
