"""Calibrations: from the JSON of `kingdom load capacity`, written, read, and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.forecast.calibration import CalibrationError, RedisCost, from_capacity, load, write
from tests.rehearsal.forecast.factories import calibration

# Throughput on two cores with 15 ms of CPU per request: 120 requests/s, 90 % of what the cores could do.
MEASURED = {50.0: (1.0, 50.0), 100.0: (4.0, 100.0), 200.0: (250.0, 120.0)}


IDLE = {"api": 0.06, "redis": 0.012, "mongodb": 0.02}


def step(rate: float, **changes: Any) -> dict[str, Any]:
    """20 s at one rate; beyond `IDLE`, `api` uses 12 ms of CPU per request, Redis 0.5 and MongoDB 2.5."""
    in_flight, completed = MEASURED[rate]
    samples = [
        {
            "at": at + 0.5,
            "cpu": completed * 0.015,
            "cpuByComponent": {
                "api": IDLE["api"] + completed * 0.012,
                "redis": IDLE["redis"] + completed * 0.0005,
                "mongodb": IDLE["mongodb"] + completed * 0.0025,
            },
            "podMemory": {"api": 1000.0},
        }
        for at in range(20)
    ]
    return {
        "rate": rate, "holds": completed == rate, "invalid": list[str](), "cores": 2, "commit": "abc",
        "began": "2026-11-25T23:00:00+00:00", "machine": "test, 2 cores, 8 GiB", "mix": "mixed",
        "seconds": [{"completed": completed, "inFlight": in_flight} for _ in range(20)], "platform": samples,
        "total": {"arrivals": 100}, "quantiles": [0.004 + 0.001 * index for index in range(20)],
        "endpoints": {
            "GET /v1/feed": {"arrivals": 75, "quantiles": [0.005, 0.01, 0.015]},
            "POST /v1/orders": {"arrivals": 25, "quantiles": [0.02, 0.03, 0.04]},
        },
    } | changes  # fmt: skip


def result(*steps: dict[str, Any]) -> dict[str, Any]:
    idle = [{"replicas": {"api": 3, "worker": 2}, "cpuByComponent": IDLE} for _ in range(5)]
    return {"kind": "capacity", "idle": idle, "steps": list(steps) or [step(rate) for rate in MEASURED]}


def test_the_cost_of_a_request_is_its_cpu_beyond_that_without_load() -> None:
    found = from_capacity(result(), job_share=0.05)
    assert found.cpu["api"].mean == pytest.approx(0.012)
    assert found.cpu["redis"].mean == pytest.approx(0.0005)
    assert found.total(0) == pytest.approx(0.015)
    assert found.rates == (50.0, 100.0)
    assert found.memory == 1000.0
    assert found.idle_of("api") == pytest.approx(0.02)
    assert found.idle_of("redis") == pytest.approx(0.012 / 5)


REDIS = {
    "requests": 1000, "recordedSeconds": 30.0, "idleSeconds": 20.0, "idlePods": 5.0,
    "seconds": {"shared": 0.13, "limits": 0.04, "queue": 0.06},
    "idle": {"shared": 0.02, "limits": 0.0, "queue": 0.04},
    "delivery": 0.002,
}  # fmt: skip


def test_the_cost_of_a_busy_redis_is_that_beyond_what_pods_cost_without_load() -> None:
    found = from_capacity(result() | {"redis": REDIS}, job_share=0.05).redis_cost(0)
    assert found is not None
    assert found.request == pytest.approx({"shared": 0.0001, "limits": 0.00004, "queue": 0.0})
    assert found.idle == pytest.approx({"shared": 0.0002, "limits": 0.0, "queue": 0.0004})
    assert found.delivery == pytest.approx(0.000002)


def test_without_a_recording_redis_costs_what_it_cost_under_load() -> None:
    found = from_capacity(result(), job_share=0.05)
    redis = found.redis_cost(0)
    assert redis is not None
    assert redis.request == {"shared": found.cpu["redis"].mean}
    assert redis.idle == {"shared": found.idle_of("redis")}


@pytest.mark.parametrize(
    ("separate", "instance", "rate"),
    [
        # 100 pods: 0.8 of a core, less 100 x 300 µs, for 100 + 40 + 60 + 100 x 1 µs
        ((), "shared", (0.8 - 0.03) / 0.0003),
        (("limits",), "shared", (0.8 - 0.03) / 0.00026),
        (("limits", "queue"), "shared", (0.8 - 0.01) / 0.0002),
    ],
)
def test_the_instance_with_the_highest_cost_limits_redis(
    separate: tuple[str, ...], instance: str, rate: float
) -> None:
    cost = RedisCost(
        {"shared": 0.0001, "limits": 0.00004, "queue": 0.00006},
        {"shared": 0.0001, "limits": 0.0, "queue": 0.0002},
        0.000001,
    )
    assert cost.capacity(separate, 100, 0.8) == (instance, pytest.approx(rate))
    assert cost.utilization(separate, rate, 100) == pytest.approx(0.8)


def test_cpu_without_load_grows_with_the_pods() -> None:
    """Two of the windows have six pods of `api` in place of three, which use 60 mc more without load."""
    busy = step(100.0)
    for sample in busy["platform"]:
        more = sample["at"] >= 10
        sample["replicas"] = {"api": 6 if more else 3, "worker": 2}
        sample["cpuByComponent"]["api"] += 0.06 * more
    found = from_capacity(result(step(50.0), busy, step(200.0)), job_share=0.05)
    assert found.cpu["api"].low == pytest.approx(0.012)
    assert found.cpu["api"].high == pytest.approx(0.012)


def test_the_start_of_a_pod_does_not_count_as_cpu_without_load() -> None:
    starting = [
        {"replicas": {"api": 2, "worker": 2}, "cpuByComponent": {**IDLE, "api": 0.9}},
        *({"replicas": {"api": 3, "worker": 2}, "cpuByComponent": {**IDLE, "api": 0.8}} for _ in range(2)),
    ]
    measured = result()
    found = from_capacity(measured | {"idle": starting + measured["idle"]}, job_share=0.05)
    assert found.idle_of("api") == pytest.approx(0.02)


def test_windows_in_which_replicas_change_have_no_cost() -> None:
    busy = step(100.0)
    for sample in busy["platform"]:
        sample["replicas"] = {"api": 3 if sample["at"] < 7 else 4, "worker": 2}
        sample["cpuByComponent"]["api"] += 0.02 if sample["at"] >= 7 else 0.0
        sample["cpuByComponent"]["api"] += 5.0 if 5 <= sample["at"] < 10 else 0.0
    found = from_capacity(result(step(50.0), busy, step(200.0)), job_share=0.05)
    assert found.cpu["api"].high == pytest.approx(0.012)


def test_a_low_rate_adds_no_noise_to_the_cost() -> None:
    quiet = step(50.0) | {"rate": 10.0}
    for sample in quiet["platform"]:
        sample["cpuByComponent"]["api"] = 0.0
    found = from_capacity(result(quiet, step(100.0), step(50.0), step(200.0)), job_share=0.05)
    assert found.rates == (10.0, 100.0)
    assert found.cpu["api"].low == pytest.approx(0.012)


@pytest.mark.parametrize("job_share", [0.0, 0.05])
def test_the_cpu_of_worker_counts_only_if_the_mix_has_jobs(job_share: float) -> None:
    """`worker` uses the same CPU with and without load."""
    steps = [step(rate) for rate in MEASURED]
    idle = [{"replicas": {"api": 3, "worker": 2}, "cpuByComponent": {**IDLE, "worker": 0.03}}] * 5
    for sample in (sample for each in steps for sample in each["platform"]):
        sample["cpuByComponent"]["worker"] = 0.03
    measured = result(*steps) | {"idle": idle}
    if job_share:
        with pytest.raises(CalibrationError, match=r"^worker used no more CPU under load than without"):
            from_capacity(measured, job_share)
    else:
        assert from_capacity(measured, job_share).cpu["worker"].mean == pytest.approx(0.0)


def test_times_are_those_of_the_lowest_rate() -> None:
    found = from_capacity(result(), job_share=0.05)
    assert found.utilization == pytest.approx(50 * 0.015 / 2)
    assert found.quantiles[0] == 0.004
    assert found.operations["POST /v1/orders"].share == 0.25
    assert found.operations["POST /v1/orders"].median == 0.03
    assert "commit abc, test, 2 cores, 8 GiB, mix mixed at 50 to 100 requests/s" in found.origin


def test_the_law_is_fitted_to_all_steps_and_gives_the_usable_cpu() -> None:
    found = from_capacity(result(), job_share=0.05).scalability
    assert found.law.measured == (1.0, 250.0)
    assert found.usable.low <= found.usable.mean <= found.usable.high
    assert found.usable.mean == pytest.approx(0.9, abs=0.1)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            result(*(step(rate, invalid=["the scheduler lagged"]) for rate in MEASURED)),
            "the scheduler lagged",
        ),
        (
            result(*(step(rate, holds=False) for rate in MEASURED)),
            "held at no rate of the load test: they were",
        ),
        (result(*(step(rate, platform=[]) for rate in MEASURED)), "0 windows of 5 s"),
        (result(step(50.0), step(50.0), step(50.0)), "too few valid steps: .* at least three concurrencies"),
        (result() | {"idle": []}, "did not measure the platform without load"),
        (
            result() | {"idle": [{"replicas": {"api": 3}, "cpuByComponent": {"api": 9.0}}] * 5},
            "used no more CPU under load than without",
        ),
        ({"kind": "run"}, "of the kind 'run': a calibration needs that of `kingdom load capacity"),
    ],
)
def test_a_result_without_cost_is_refused(found: dict[str, Any], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        from_capacity(found, job_share=0.05)


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    write(calibration(), file)
    assert load(file) == calibration()


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"calibration .* is missing"):
        load(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_text('{"date": "2026-11-25"}')
    with pytest.raises(CalibrationError, match="is not a calibration"):
        load(broken)
