"""Findings over a source: the changed signal, the onset, the size, and events near the onset."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from app.monitoring.findings import Finding, Happening, findings
from app.monitoring.signals import Detection, Limits, Scale, Signal, Signals
from app.monitoring.source import TimeSeries
from app.monitoring.trends import Change, detect

END = 36_000.0
SIGNALS = Signals(
    {
        "memory": Signal(
            "memory", "Memory", "%", "memory", worse="above", threshold=Limits(80, 95), trend=True
        ),
        "response": Signal("response", "Response time", "s", "response", ("route",), "above", trend=True),
        "orders": Signal("orders", "Orders", "1", "orders"),
    },
    {},
    {},
    {},
)


class Given:
    """Memory that leaks from 10,000 s on, and one route that is slower from 20,000 s on."""

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        chance = random.Random(query)
        times = [start + step * index for index in range(int((end - start) / step) + 1)]

        def noisy(at: float, value: float) -> float:
            return value * (1 + chance.gauss(0, 0.01))

        if query == "memory":
            return [TimeSeries({}, times, [noisy(at, 30 + max(0.0, at - 10_000) / 1000) for at in times])]
        slow = [noisy(at, 0.05 if at < 20_000 else 0.08) for at in times]
        return [
            TimeSeries({"route": "/v1/feed"}, times, slow),
            TimeSeries({"route": "/v1/orders"}, times, [noisy(at, 0.02) for at in times]),
        ]


def test_each_finding_has_onset_magnitude_and_movers() -> None:
    happenings = [
        Happening(20_100.0, "deployment", "api: new revision", ("spec.containers[0].image",)),
        Happening(30_000.0, "scaling", "api: 2 to 3 replicas"),
    ]
    found = {item.signal: item for item in findings(Given(), SIGNALS, END, happenings)}
    assert set(found) == {"memory", "response"}
    response = found["response"]
    assert (response.line, response.change.kind) == ("/v1/feed", "shift")
    assert abs(response.change.onset - 20_000) <= 300
    assert response.change.relative == pytest.approx(0.6, abs=0.05)
    assert [mover.title for mover in response.movers] == ["api: new revision"]
    memory = found["memory"]
    assert memory.movers == ()
    assert memory.hours is not None
    assert memory.hours[0] <= (80 - 56) * 1000 / 3600 <= (memory.hours[1] or 0)
    assert "reaches 80 % in" in memory.text
    assert memory.to_json()["text"] == memory.text


def test_the_ramp_of_a_shift_follows_from_the_buckets_of_its_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    ramps: set[tuple[float, int]] = set()

    def recorded(
        times: Sequence[float], values: Any, load: Any, worse: str, ramp: int, *more: Any, **options: Any
    ) -> Change | None:
        ramps.add((times[1] - times[0], ramp))
        return detect(times, values, load, worse, ramp, *more, **options)

    monkeypatch.setattr("app.monitoring.findings.detect", recorded)
    findings(Given(), SIGNALS, END)
    assert ramps == {(300.0, 2), (60.0, 6)}


class Sudden:
    """Memory that rises by half 200 s before the end."""

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        times = [start + step * index for index in range(int((end - start) / step) + 1)]
        values = [30 + index % 3 / 10 + (15 if at >= END - 200 else 0) for index, at in enumerate(times)]
        return [TimeSeries({}, times, values)]


def test_the_scales_are_declared_with_the_signals() -> None:
    memory = msgspec.structs.replace(SIGNALS, signals={"memory": SIGNALS.signals["memory"]})
    assert findings(Sudden(), memory, END) == []  # 200 s are four buckets of a minute
    detection = Detection(scrape_seconds=5, scales=(Scale(600, 5),))
    (finding,) = findings(Sudden(), msgspec.structs.replace(memory, detection=detection), END)
    assert (finding.window, finding.evidence["bucket_seconds"]) == (600, 5)
    assert abs(finding.change.onset - (END - 200)) <= 5


class Started:
    """Two roles whose memory rises by half in the ten minutes after a start, 30 minutes before the end."""

    def __init__(self, *roles: str) -> None:
        self.started = roles

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        times = [start + step * index for index in range(int((end - start) / step) + 1)]
        found = []
        for role in ("api", "worker"):
            ages = [at - END + 1800 if role in self.started and at >= END - 1800 else 1e6 for at in times]
            values = ages
            if query == "memory":
                # Before the restart, memory was at the level of a new process.
                values = [100 + min(age, 600) / 12 - 50 * (age == 1e6) for age in ages]
            found.append(TimeSeries({"role": role}, times, values))
        return found


def started(by: tuple[str, ...]) -> Signals:
    memory = Signal("memory", "Memory", "%", "memory", by, "above", trend=True, age="age")
    age = Signal("age", "Age", "s", "age", ("role",))
    detection = Detection(scales=(Scale(3600, 60),), warm_up_seconds=1200)
    return Signals({"memory": memory, "age": age}, {}, {}, {}, detection)


def test_values_of_young_processes_are_not_compared() -> None:
    signals = started(("role",))
    without = msgspec.structs.replace(signals.signals["memory"], age="")
    plain = msgspec.structs.replace(signals, signals={"memory": without})
    assert {item.line for item in findings(Started("api"), plain, END)} == {"api"}
    cold = msgspec.structs.replace(
        signals, detection=Detection(scales=(Scale(3600, 60),), warm_up_seconds=1801)
    )
    assert findings(Started("api"), cold, END) == []
    # After the warm-up, a level above the one before the restart is a finding.
    found = findings(Started("api"), signals, END)
    assert [(item.line, item.change.kind) for item in found] == [("api", "shift")]


class Whole(Started):
    """The maximum over both roles."""

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        lines = super().query_range(query, start, end, step)
        if query != "memory":
            return lines
        return [
            TimeSeries(
                {}, lines[0].times, [max(pair) for pair in zip(*(each.values for each in lines), strict=True)]
            )
        ]


def test_a_line_over_all_roles_has_the_lowest_age() -> None:
    signals = started(())
    cold = msgspec.structs.replace(
        signals, detection=Detection(scales=(Scale(3600, 60),), warm_up_seconds=1801)
    )
    assert findings(Whole("worker"), signals, END)
    assert findings(Whole("worker"), cold, END) == []


def test_a_change_from_zero_has_no_ratio_and_is_valid_json() -> None:
    change = Change("shift", 0.0, 0.0, 30.0, 0.0)
    finding = Finding("queue-age", "Age of the oldest job", "", "s", change, 3600.0)
    assert finding.text == "Age of the oldest job changed from 0 to 30 s"
    assert finding.to_json()["relative"] is None
    assert json.loads(json.dumps(finding.to_json(), allow_nan=False))["change"]["after"] == 30.0
