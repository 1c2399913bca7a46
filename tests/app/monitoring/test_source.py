"""Lines are named by their labels."""

from __future__ import annotations

from app.monitoring.source import TimeSeries


def test_one_label_is_its_value_and_several_are_pairs() -> None:
    assert TimeSeries({}).label == ""
    assert TimeSeries({"route": "/v1/feed"}).label == "/v1/feed"
    assert TimeSeries({"outcome": "hit", "cache": "feed"}).label == "cache=feed, outcome=hit"
