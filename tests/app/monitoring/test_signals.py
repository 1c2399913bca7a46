"""Signals with values filled in; errors name the invalid entry."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.monitoring.signals import SignalsError, decode, resolve

OBSERVABILITY: dict[str, Any] = {
    "thresholds": {"errorPercent": {"warning": 5, "critical": 10}},
    "objectives": {"availabilityPercent": 99.9, "fastPercent": 95, "fastSeconds": 1},
}


def content(**changes: Any) -> dict[str, Any]:
    entry = {"title": "Errors", "unit": "%", "threshold": "errorPercent", "query": 'a{n="$namespace"}'}
    return {
        "signals": {"errors": {**entry, **changes}},
        "dashboards": {"application": [{"title": "Errors", "lines": {"failed": "errors"}}]},
        "objectives": {"latency": 'b{le="$fast_seconds"}[$window]'},
        "detection": {
            "scrape_seconds": 5,
            "examine_seconds": 15,
            "scales": [{"window": 600, "bucket": 5}],
        },
    }


def test_values_of_a_stack_are_filled_in() -> None:
    signals = resolve(content(), "kingdom", OBSERVABILITY)
    assert signals.signals["errors"].query == 'a{n="kingdom"}'
    assert signals.bad_share("latency", "1h") == 'b{le="1.0"}[1h]'
    assert signals.allowed["availability"] == pytest.approx(0.001)
    assert (signals.detection.scrape_seconds, signals.detection.window) == (5.0, 600.0)
    assert decode(msgspec.json.encode(signals)) == signals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": "unknown"}, "unknown"),
        ({"query": "$nonsense"}, "nonsense"),
        ({"load": "nothing"}, "load 'nothing' is not a declared signal"),
        ({"by": "route"}, "cannot be used"),
        ({"age": "nothing"}, "age 'nothing' is not a declared signal"),
        ({"min_change": -1}, "min_change -1 must be 0 or more"),
        ({"min_change": float("nan")}, "min_change nan must be 0 or more"),
    ],
)
def test_invalid_declaration_is_reported(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SignalsError, match=message):
        resolve(content(**changes), "kingdom", OBSERVABILITY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scrape_seconds": 0.5}, "scrape_seconds 0.5 must be 1 or more"),
        ({"examine_seconds": 4}, "examine_seconds 4 not less"),
        ({"history_seconds": 99}, "history_seconds 99 must be 20 times scrape_seconds 5"),
        ({"warm_up_seconds": -1}, "warm_up_seconds must be 0 or more"),
        ({"scales": []}, "scales is empty"),
        ({"scales": [{"window": 95, "bucket": 5}]}, "must have 20 buckets or more"),
        ({"scales": [{"window": 600, "bucket": 4}]}, "not shorter than scrape_seconds 5"),
        ({"scales": [{"window": "1h", "bucket": 5}]}, "cannot be used"),
    ],
)
def test_detection_that_can_find_nothing_is_refused(changes: dict[str, Any], message: str) -> None:
    wrong = content()
    wrong["detection"] |= changes
    with pytest.raises(SignalsError, match=message):
        resolve(wrong, "kingdom", OBSERVABILITY)


def test_a_panel_names_declared_signals() -> None:
    panel = {"title": "Errors", "lines": {"failed": "nothing"}}
    wrong = {**content(), "dashboards": {"application": [panel]}}
    with pytest.raises(SignalsError, match="panel 'Errors': 'nothing' is not a declared signal"):
        resolve(wrong, "kingdom", OBSERVABILITY)


def test_thresholds_are_ordered() -> None:
    wrong = {**OBSERVABILITY, "thresholds": {"errorPercent": {"warning": 10, "critical": 5}}}
    with pytest.raises(SignalsError, match="signal errors: warning 10"):
        resolve(content(), "kingdom", wrong)
