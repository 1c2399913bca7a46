from __future__ import annotations

import random

import pytest

from app.telemetry.http_metrics import HttpMetrics


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_rate_covers_api_requests_of_the_last_30_seconds() -> None:
    clock = Clock()
    traffic = HttpMetrics(clock)
    for _ in range(100):
        clock.now += 1
        for _ in range(20):
            traffic.record("GET", "/v1/feed", 200, 0.01)
        traffic.record("GET", "/livez", 200, 0.01)
    assert traffic.rate() == pytest.approx(20)
    clock.now += 60
    assert (traffic.rate(), traffic.quantile(0.95)) == (0.0, 0.0)


def test_quantile_is_accurate_to_a_quarter_of_its_value() -> None:
    traffic = HttpMetrics(Clock())
    choices = random.Random(7)
    times = [choices.lognormvariate(-3, 1) for _ in range(5_000)]
    for seconds in times:
        traffic.record("GET", "/v1/feed", 200, seconds)
    assert traffic.quantile(0.95) == pytest.approx(sorted(times)[4_750], rel=0.25)


def test_stream_counts_as_a_request_without_response_time() -> None:
    traffic = HttpMetrics(Clock())
    traffic.record("GET", "/v1/contents/{content_id}/events", 200, 25.0, streamed=True)
    assert traffic.rate() > 0
    assert traffic.quantile(0.95) == 0


def test_error_rate_is_the_share_of_failed_responses() -> None:
    traffic = HttpMetrics(Clock())
    for status in (200, 404, 429, 503):
        traffic.record("GET", "/v1/feed", status, 0.01)
    assert traffic.errors() == 0.25
