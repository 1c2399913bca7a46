"""Events are counted, and only the most recent are retained."""

from __future__ import annotations

from rehearsal.host.kubernetes.events import EventLog


def test_the_same_event_again_raises_its_count() -> None:
    log = EventLog()
    for _ in range(3):
        log.record("Pod a/b", "Warning", "FailedScheduling", "Insufficient cpu")
    log.record("Pod a/b", "Normal", "Scheduled", "placed")
    assert [(event.reason, event.count) for event in log.recent()] == [
        ("FailedScheduling", 3),
        ("Scheduled", 1),
    ]


def test_old_events_are_dropped() -> None:
    log = EventLog()
    for number in range(500):
        log.record("Pod a/b", "Normal", "Tick", str(number))
    assert len(log.recent()) == 200
    assert [event.message for event in log.recent(2)] == ["498", "499"]
