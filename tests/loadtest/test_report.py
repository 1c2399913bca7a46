"""Results of a run: figures, the line at the end, the report, and the commit that was measured."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from loadtest.generator.recorder import decoded
from loadtest.report import commit, machine_class, result_line, to_html, to_json, to_text
from rehearsal.report.page import data_of
from tests.loadtest.factories import run, sample
from tests.rehearsal.review.repositories import Repository


def test_commit_is_named_with_changes_of_its_files_only(tmp_path: Path) -> None:
    assert commit(tmp_path) == ""
    repository = Repository(tmp_path)
    (tmp_path / "untracked").write_text("notes")
    first = commit(tmp_path)
    assert first == repository.git("rev-parse", "HEAD")[:12]
    repository.stack("dev", count=5)
    assert commit(tmp_path) == f"{first}+changes"


def test_commit_is_empty_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit(tmp_path) == ""


def test_machine_is_named_by_processor_cores_and_memory() -> None:
    assert re.fullmatch(r".+, \d+ cores, \d+ GiB", machine_class())


def test_last_line_states_the_missed_targets_or_why_the_run_does_not_count() -> None:
    assert result_line(run()) == "All targets hold"
    assert result_line(run(response=0.3)) == "Targets missed: TGT1 P50"
    late = result_line(run(response=0.3, lateness=0.5))
    assert late.startswith("Invalid run: the scheduler started requests late: P99 50")
    assert "Targets missed" not in late


def test_text_is_a_table_of_the_targets_and_the_result() -> None:
    lines = to_text(run(response=0.3, errors=1)).splitlines()
    assert lines[0] == "| target | measure | limit | measured | |"
    assert "| TGT1 | P50 | < 200 ms | 301 ms | missed |" in lines
    assert "| TGT3 | errors (dropped: 0) | < 1% | 10.00% | missed |" in lines
    assert lines[-1].startswith("Targets missed: TGT1 P50; TGT2 ")


def test_figures_leave_the_warm_up_out() -> None:
    measured = run(30)
    for number in range(50):
        measured.recorder.done("POST /v1/orders", 4.9, 4.9, 9.0 + number / 100, "HTTP 500")
    found = to_json(measured)
    assert (found["format"], found["kind"]) == (2, "run")
    assert found["total"]["errors"] == {}
    assert found["total"]["arrivals"] == 250
    assert found["endpoints"]["POST /v1/orders"]["arrivals"] == 0
    assert found["endpoints"]["GET /v1/feed"]["quantiles"] == found["quantiles"]
    # Every second is listed, the ones of the warm-up too.
    assert [each["arrivals"] for each in found["seconds"]] == [10] * 4 + [60] + [10] * 25
    assert found["users"] == [100.0] * 30


@pytest.mark.parametrize(
    ("seconds", "starts"), [(14, []), (15, [5]), (24, [5]), (25, [5, 15]), (30, [5, 15])]
)
def test_windows_are_whole(seconds: int, starts: list[int]) -> None:
    windows = to_json(run(seconds))["windows"]
    assert [each["at"] for each in windows] == starts
    assert all(each["arrivals"] == 100 for each in windows)


def test_samples_are_timed_from_the_start_and_histograms_can_be_read() -> None:
    measured = run(10, samples=[sample(-3.0), sample(0.5), sample(12.0)])
    found = to_json(measured)
    assert [each["at"] for each in found["platform"]] == [-3.0, 0.5, 12.0]
    counts = {at: each.total_count for at, each in decoded(found["histograms"])["GET /v1/feed"].items()}
    assert counts == dict.fromkeys(range(10), 10)


def page(html: str, title: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in data_of(html)["plots"] if each["title"] == title)
    return found


def test_report_shows_the_seconds_without_a_sample_as_gaps() -> None:
    html = to_html(run(10, samples=[sample(0.5, cpu=None), sample(2.5, replicas={"api": 3})]))
    cpu, replicas = page(html, "CPU of the platform"), page(html, "Ready replicas")
    assert cpu["series"][0]["values"] == [None, None, 0.5, *[None] * 7]
    assert [(each["name"], each["values"][:4]) for each in replicas["series"]] == [
        ("api", [2, None, 3, None]),
        ("worker", [1, None, 0, None]),
    ]
    assert page(html, "Memory of the platform")["series"][0]["values"][2] == 300
    assert "0.50 cores on average" in html
    assert "not observed" in to_html(run(10))


def test_report_marks_the_decisions_of_the_autoscaler_that_changed() -> None:
    samples = [
        sample(1.0), sample(2.0), sample(3.0, desired=4, outcome="scaled up"), sample(4.0, desired=4),
        sample(90.0, desired=9),
    ]  # fmt: skip
    markers = data_of(to_html(run(10, samples=samples)))["markers"]
    assert [each["at"] for each in markers] == [3.0, 4.0]
    assert markers[0]["text"] == "api: scaled up (cpu 60 % of 65 %)"


def rows(html: str) -> list[tuple[bool, str]]:
    """The rows of all tables: whether each is highlighted, and its first cell."""
    return [(bool(failed), name) for failed, name in re.findall(r'<tr( class="bad")?><td>([^<]*)</td>', html)]


def test_report_highlights_missed_targets_and_slow_or_failing_endpoints() -> None:
    measured = run(20, errors=1)
    for second in range(20):
        measured.recorder.done("GET /v1/slow", second, second, second + 0.51)
        measured.recorder.done("GET /v1/<b>", second, second, second + 0.49)
    found = rows(to_html(measured))
    assert (True, "GET /v1/feed") in found
    assert (True, "GET /v1/slow") in found
    assert (False, "GET /v1/&lt;b&gt;") in found
    assert (False, "HTTP 503") in found
    assert found.count((True, "TGT3")) == 1
    assert page(to_html(measured), "Errors by class")["series"] == [{"name": "HTTP 503", "values": [1] * 20}]


@pytest.mark.parametrize(
    ("measured", "status"),
    [
        ({}, "passed"),
        ({"response": 0.3}, "failed"),
        ({"response": 0.3, "lateness": 0.5}, "neutral"),
    ],
)
def test_report_of_an_invalid_run_is_neither_passed_nor_failed(
    measured: dict[str, float], status: str
) -> None:
    found: Any = measured
    html = to_html(run(10, **found))
    assert re.search(rf'class="[^"]*\b{status}\b', html)
    assert "<dt>scale</dt><dd>0.2: one user here stands for 5</dd>" in html
