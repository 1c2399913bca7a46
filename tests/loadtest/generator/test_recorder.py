"""Histograms per second and endpoint: percentiles are those of the recorded times."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.generator.recorder import DROPPED, Recorder, decoded, histogram, merged, record, seconds_at

TIMES = st.lists(st.floats(0.001, 20.0), min_size=1, max_size=60)


@given(TIMES, TIMES)
def test_a_merge_has_the_percentiles_of_all_values(left: list[float], right: list[float]) -> None:
    parts = [histogram(), histogram()]
    for part, values in zip(parts, (left, right), strict=True):
        for value in values:
            record(part, value)
    both = sorted(left + right)
    total = merged(parts)
    assert total.total_count == len(both)
    for percent in (50, 95, 99):
        rank = max(0, -(-len(both) * percent // 100) - 1)
        # The library rounds ranks half up: the value is that of the rank or of a neighbor.
        near = both[max(0, rank - 1) : rank + 2]
        assert any(seconds_at(total, percent) == pytest.approx(each, rel=0.02, abs=0.0002) for each in near)


def test_response_time_counts_from_the_intended_start() -> None:
    recorder = Recorder()
    # Sent 2 s late and served in 0.1 s: in an open-loop test, the response time is 2.1 s.
    recorder.done("/v1/feed", intended=3.2, sent=5.2, ended=5.3)
    window = recorder.window(3, 4)
    assert window.arrivals == 1
    assert window.p50 == pytest.approx(2.1, rel=0.02)
    assert window.service_p95 == pytest.approx(0.1, rel=0.02)
    assert recorder.window(5, 6).completed == 1


def test_dropped_arrivals_are_errors_of_their_own_class_without_a_time() -> None:
    recorder = Recorder()
    recorder.done("/v1/feed", 0.5, 0.5, 0.6)
    recorder.done("/v1/feed", 0.6, 0.6, 0.7, "HTTP 503")
    recorder.dropped("/v1/orders", 0.7)
    window = recorder.window(0, 1)
    assert window.errors == {"HTTP 503": 1, DROPPED: 1}
    assert (window.arrivals, window.good, window.error_share) == (3, 1, pytest.approx(2 / 3))
    assert recorder.window(0, 1, "/v1/orders").errors == {DROPPED: 1}
    assert recorder.endpoints == ["/v1/feed", "/v1/orders"]


def test_encoded_histograms_can_be_read_and_merged_elsewhere() -> None:
    recorder = Recorder()
    for number in range(100):
        recorder.done("/v1/feed", number / 50, number / 50, number / 50 + 0.01 * (number + 1))
    found = decoded(recorder.encoded())
    total = merged(found["/v1/feed"].values())
    assert set(found["/v1/feed"]) == {0, 1}
    assert total.total_count == 100
    assert seconds_at(total, 99) == pytest.approx(recorder.window(0, 2).p99)


def test_merged_recorders_of_processes_are_one_recorder() -> None:
    parts = [Recorder(resolution=10), Recorder(resolution=10)]
    together = Recorder(resolution=10)
    for number in range(200):
        at, error = number / 10, "" if number % 50 else "HTTP 503"
        for recorder in (parts[number % 2], together):
            recorder.done("/v1/feed", at, at, at + 0.01 * (number + 1), error)
            if number % 40 == 0:
                recorder.dropped("/v1/orders", at)
    merged_one = Recorder(resolution=10)
    for part in parts:
        merged_one.add(json.loads(json.dumps(part.to_message())))
    assert merged_one.seconds == together.seconds
    for start, end in ((0, 10), (10, 20), (0, 30)):
        assert merged_one.window(start, end) == together.window(start, end)
        assert merged_one.window(start, end, "/v1/orders") == together.window(start, end, "/v1/orders")
    assert merged_one.window(0, 20).arrivals == 205
