"""Alerts begin after five minutes, end with a notice, and follow thresholds that change."""

from __future__ import annotations

import msgspec

from app.monitoring.signals import Detection, Limits, Signals
from rehearsal.monitoring.alerts import Alert, Alerts
from tests.rehearsal.monitoring.recording import MadeUp

FIRE_SECONDS = Detection().fire_seconds
RECOVER_SECONDS = Detection().recover_seconds


class Watched:
    def __init__(self) -> None:
        self.signals: Signals = MadeUp().signals
        self.notices: list[Alert] = []
        self.alerts = Alerts(lambda: self.signals, self.notices.append)
        self.at = 0.0

    def feed(self, value: float, seconds: float, signal: str = "errors") -> None:
        until = self.at + seconds
        while self.at < until:
            self.at += 15.0
            self.alerts.update(self.at, {self.signals.signals[signal].query: {(): value}})


def test_an_alert_begins_once_and_recovers_once() -> None:
    watched = Watched()
    watched.feed(7.0, FIRE_SECONDS - 30)
    assert watched.notices == []
    watched.feed(7.0, 600)
    (begun,) = watched.notices
    assert (begun.severity, begun.limit, begun.requirement, begun.since) == ("warning", 5.0, "ALR4", 15.0)
    assert watched.alerts.active() == [begun]
    watched.feed(1.0, RECOVER_SECONDS + 60)
    assert [notice.recovered is None for notice in watched.notices] == [True, False]
    assert watched.alerts.active() == []


def test_a_critical_value_is_one_alert_not_two() -> None:
    watched = Watched()
    watched.feed(20.0, 900)
    assert [alert.severity for alert in watched.alerts.active()] == ["critical"]


def test_a_spike_is_not_an_alert() -> None:
    watched = Watched()
    for _ in range(10):
        watched.feed(20.0, 60)
        watched.feed(0.0, 15)
    assert watched.notices == []


def test_without_a_value_an_alert_stays() -> None:
    watched = Watched()
    watched.feed(7.0, 600)
    for _ in range(100):
        watched.at += 15
        watched.alerts.update(watched.at, {})
    assert len(watched.alerts.active()) == 1


def test_a_changed_threshold_applies_without_a_restart() -> None:
    watched = Watched()
    watched.feed(3.0, 900)
    assert watched.notices == []
    errors = msgspec.structs.replace(watched.signals.signals["errors"], threshold=Limits(2, 10))
    watched.signals = msgspec.structs.replace(
        watched.signals, signals={**watched.signals.signals, "errors": errors}
    )
    watched.feed(3.0, 600)
    assert [notice.limit for notice in watched.notices] == [2.0]


def test_the_time_until_an_alert_is_declared_with_the_signals() -> None:
    watched = Watched()
    detection = Detection(fire_seconds=30, recover_seconds=15)
    watched.signals = msgspec.structs.replace(watched.signals, detection=detection)
    watched.feed(7.0, 60)
    watched.feed(1.0, 30)
    assert [(notice.since, notice.recovered) for notice in watched.notices] == [(15.0, None), (15.0, 90.0)]


def test_the_time_of_a_gap_does_not_count() -> None:
    """After a suspend, the first values are those of a start."""
    watched = Watched()
    watched.feed(7.0, 30)
    watched.at += 7200
    watched.feed(7.0, 60)
    assert watched.notices == []
    watched.feed(7.0, FIRE_SECONDS)
    assert [notice.recovered for notice in watched.notices] == [None]
    watched.feed(1.0, 30)
    watched.at += 7200
    watched.feed(1.0, 30)
    assert len(watched.notices) == 1
