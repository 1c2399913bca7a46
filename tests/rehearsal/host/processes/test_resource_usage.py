"""CPU and memory over intervals, by the rules of metrics-server."""

from __future__ import annotations

import os
import time

import pytest

from rehearsal.host.processes.resource_usage import Meter, Point, Usage, measure, together


def point(taken: float, seconds: float, *, started: float = 0.0, memory: int = 10) -> Point:
    return Point(taken, started, seconds, memory)


def test_a_rate_is_over_the_time_between_two_points() -> None:
    meter = Meter()
    meter.take(point(100, 20))
    assert meter.usage() is None
    meter.take(point(115, 23, memory=30))
    assert meter.usage() == Usage(cpu=0.2, memory=30, taken=115, window=15)


def test_a_restart_resets_the_measurement() -> None:
    meter = Meter()
    for item in (point(100, 20), point(115, 23), point(130, 0.1, started=125)):
        meter.take(item)
    assert meter.usage() is None
    meter.take(point(145, 1.6, started=125))
    usage = meter.usage()
    assert usage is not None
    assert usage.cpu == pytest.approx(0.1)


@pytest.mark.parametrize(("age", "known"), [(5, False), (12, True), (40, False)])
def test_one_that_has_just_started_is_measured_from_its_start_on(age: float, known: bool) -> None:
    meter = Meter()
    meter.take(point(1000, 6, started=1000 - age))
    assert (meter.usage() is not None) is known


def test_stopped_process_has_no_usage() -> None:
    meter = Meter()
    for item in (point(100, 20), point(115, 23), None):
        meter.take(item)
    assert meter.usage() is None


def test_a_pod_is_measured_once_all_its_containers_are() -> None:
    one, other = Usage(0.5, 10, 100, 15), Usage(0.25, 20, 90, 10)
    assert together([one, None]) is None
    assert together([]) is None
    assert together([one, other]) == Usage(0.75, 30, 90, 10)


def test_measured_cpu_is_that_of_the_process() -> None:
    before = measure(os.getpid(), 0, 0)
    assert before is not None
    ends = time.process_time() + 0.1
    while time.process_time() < ends:
        pass
    after = measure(os.getpid(), 0, 1)
    assert after is not None
    assert 0.05 < after.seconds - before.seconds < 2
    assert after.memory > 1_000_000
    assert measure(2**22 + 1, 0, 0) is None
