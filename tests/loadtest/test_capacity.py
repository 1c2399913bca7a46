"""The search for the capacity: which steps count, what is measured, and the result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from loadtest import capacity as module
from loadtest.capacity import Capacity, Step, find_capacity
from loadtest.platform import Platform
from loadtest.redis_cost.recording import Recording, ReplayFailedError
from loadtest.run import Run, Settings
from tests.loadtest.factories import run

LAGGED = {"lateness": 0.5}
SLOW = {"response": 0.3}


def step(rate: float, **changes: Any) -> Step:
    return Step(rate, run(10, **changes))


def test_step_holds_if_it_counts_and_all_targets_hold() -> None:
    assert step(50).holds
    assert not step(50, **SLOW).holds
    assert not step(50, **LAGGED).holds


def test_line_of_a_step_states_the_figures_and_the_result() -> None:
    assert step(12.5, errors=1).text() == (
        "12 requests/s offered: 9 good/s, 1.0 in flight, P50 100, P95 100, P99 100 ms, errors 10.00%: missed"
    )
    assert step(50).text().endswith("errors 0.00%: holds")
    assert "invalid (the scheduler started requests late" in step(50, **LAGGED).text()


@pytest.mark.parametrize(
    ("steps", "rate", "invalid"),
    [
        ([], 0.0, False),
        ([step(50, **SLOW)], 0.0, False),
        ([step(50), step(100), step(200, **SLOW)], 100.0, False),
        # The generator ended the search: the platform may serve more.
        ([step(50), step(100, **LAGGED), step(100, **LAGGED)], 50.0, True),
        # The first attempt did not count, the second one did.
        ([step(50), step(100, **LAGGED), step(100)], 100.0, False),
        ([step(50), step(100, **LAGGED), step(75, **SLOW)], 50.0, False),
    ],
)
def test_capacity_is_the_highest_rate_that_holds(steps: list[Step], rate: float, invalid: bool) -> None:
    found = Capacity(steps, [])
    assert (found.rate, found.invalid) == (rate, invalid)
    assert found.text().startswith(f"capacity: {'at least ' if invalid else ''}{rate:.0f} requests/s")


class Measurements:
    """Runs in place of a platform that serves up to ``limit`` requests/s, with what was called in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, limit: float, *, outputs: list[bytes]) -> None:
        self.limit, self.outputs = limit, outputs
        self.invalid_once: set[float] = set()
        self.calls: list[str] = []
        self.settings: list[Settings] = []
        self.prepared: list[int] = []
        monkeypatch.setattr(module, "execute", self.execute)
        monkeypatch.setattr(module, "observe_idle", self.observe_idle)
        monkeypatch.setattr(module, "recorded", self.recorded)

    def execute(self, settings: Settings, platform: Platform, *, prepared: list[Any]) -> Run:
        rate = settings.rates.rate(0.0)
        self.calls.append(f"{rate:g}")
        self.settings.append(settings)
        self.prepared.append(len(prepared))
        lateness = 0.5 if rate in self.invalid_once else 0.0
        self.invalid_once.discard(rate)
        found = run(10, response=0.1 if rate <= self.limit else 0.3, lateness=lateness)
        account: Any = object()
        found.plan.prepared = [account]
        return found

    def observe_idle(self, platform: Platform, seconds: float) -> list[dict[str, Any]]:
        self.calls.append("idle")
        return [{"replicas": {"api": 2, "worker": 1}}, {"replicas": {"api": 3, "worker": 1}}, {}]

    @contextmanager
    def recorded(self, state: Path) -> Iterator[Recording]:
        found = Recording()
        self.calls.append("record")
        yield found
        self.calls.append("recorded")
        found.outputs, found.seconds = self.outputs, 30.0

    def find(self, tmp_path: Path) -> tuple[Capacity, list[str]]:
        platform, notices = Platform("https://127.0.0.1", tmp_path, None, tmp_path, "local"), list[str]()
        return find_capacity(platform, "mixed", {"GET /v1/feed": 1.0}, 10.0, 3, 7, notices.append), notices


def test_search_warms_up_measures_without_load_doubles_and_bisects(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    measurements = Measurements(monkeypatch, 130.0, outputs=[])
    found, notices = measurements.find(tmp_path)
    assert " ".join(measurements.calls) == (
        "50 record idle recorded 12.5 50 100 200 150 125 137.5 record 50 recorded"
    )
    # The warm-up is not a result.
    assert [each.rate for each in found.steps] == [12.5, 50, 100, 200, 150, 125, 137.5]
    assert found.rate == 125
    assert (found.redis, len(found.idle)) == (None, 3)
    assert notices[0] == "warming up"
    assert notices[1].startswith("50 requests/s offered: 10 good/s")
    # The lowest rate has few requests: its step is twice as long.
    assert [each.users.seconds for each in measurements.settings[:3]] == [10.0, 20.0, 10.0]
    assert measurements.prepared == [0] + [1] * 8
    assert len({each.seed for each in measurements.settings[2:]}) == 7


def test_invalid_step_is_measured_again_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measurements = Measurements(monkeypatch, 60.0, outputs=[])
    measurements.invalid_once = {100.0}
    found, _ = measurements.find(tmp_path)
    assert [each.rate for each in found.steps][:4] == [12.5, 50, 100, 100]
    assert [each.holds for each in found.steps][:4] == [True, True, False, False]
    assert not found.invalid


def test_cost_of_redis_is_part_of_the_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def repeated(*_: Recording) -> dict[str, Any]:
        return {"seconds": {"shared": 0.1}}

    monkeypatch.setattr(module, "repeated", repeated)
    monkeypatch.setattr(module, "_BISECTIONS", 1)
    measurements = Measurements(monkeypatch, 60.0, outputs=[b"OK\n"])
    data = measurements.find(tmp_path)[0].as_json()
    assert (data["kind"], data["rate"], data["invalid"]) == ("capacity", 50.0, False)
    # Samples without replicas do not count for the mean; the last response came after the schedule.
    assert data["redis"] == {
        "requests": 99, "recordedSeconds": 30.0, "idleSeconds": 30.0, "idlePods": 3.5,
        "seconds": {"shared": 0.1},
    }  # fmt: skip
    assert [(each["rate"], each["holds"]) for each in data["steps"]] == [
        (12.5, True), (50, True), (100, False), (75, False),
    ]  # fmt: skip


def test_failed_replay_leaves_the_result_without_the_cost_of_redis(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def failing(loaded: Recording, idle: Recording) -> dict[str, Any]:
        raise ReplayFailedError("no Redis at 127.0.0.1:1")

    monkeypatch.setattr(module, "repeated", failing)
    measurements = Measurements(monkeypatch, 60.0, outputs=[b"OK\n"])
    found, notices = measurements.find(tmp_path)
    assert found.redis is None
    assert notices[-1] == "the cost of a busy Redis is not known: no Redis at 127.0.0.1:1"
