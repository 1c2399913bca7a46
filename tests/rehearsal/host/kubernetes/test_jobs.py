"""Jobs and CronJobs: pods up to the completions, the backoff limit, due runs and history limits."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from rehearsal.host.desired_state import Desired
from rehearsal.host.kubernetes import jobs
from rehearsal.host.kubernetes.admission import AdmissionError
from tests.rehearsal.host.kubernetes.objects import FakePod, declared, record

NOW = dt.datetime(2026, 5, 4, 12, 30, 15)
MINUTE = "202605041230"


class Workloads:
    """Creates pods in memory; `rejection` refuses them."""

    def __init__(self) -> None:
        self.pods: list[FakePod] = []
        self.ended: list[FakePod] = []
        self.rejection = ""
        self.refused: list[str] = []
        self.wakes: list[float] = []

    def of(self, desired: Desired) -> list[FakePod]:
        return [pod for pod in self.pods if pod not in self.ended]

    def create(self, desired: Desired, template: dict[str, Any], revision: str, prefix: str) -> FakePod:
        if self.rejection:
            raise AdmissionError(self.rejection)
        name = f"{prefix}-{len(self.pods)}"
        pod = FakePod(None, record(name, revision, template=template))
        self.pods.append(pod)
        return pod

    def end(self, pod: FakePod) -> None:
        self.ended.append(pod)

    def refuse(self, desired: Desired, error: AdmissionError) -> None:
        self.refused.append(str(error))

    def wake_at(self, urn: str, when: float) -> None:
        self.wakes.append(when)


@pytest.fixture
def workloads() -> Any:
    return Workloads()


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return NOW if tz is None else NOW.replace(tzinfo=dt.UTC).astimezone(tz)

    monkeypatch.setattr(jobs.dt, "datetime", Clock)


def job(**spec: Any) -> Desired:
    return declared("Job", {"template": {"spec": {"containers": []}}, **spec}, "migrate", api="batch/v1")


def cron_job(schedule: str = "30 12 * * *", **spec: Any) -> Desired:
    template: dict[str, Any] = {"spec": {"template": {"spec": {}}, "backoffLimit": 0}}
    return declared(
        "CronJob", {"schedule": schedule, "jobTemplate": template, **spec}, "clean", api="batch/v1"
    )


def finish(workloads: Any, phase: str, *pods: FakePod) -> None:
    for pod in pods or workloads.pods:
        pod.record.phase = phase


# -- Job -----------------------------------------------------------------------------------------------


def test_pods_run_up_to_the_parallelism_and_the_completions(workloads: Any) -> None:
    desired = job(completions=3, parallelism=2)
    jobs.sync_job(desired, workloads)
    jobs.sync_job(desired, workloads)
    assert len(workloads.pods) == 2
    assert {pod.record.template["spec"]["restartPolicy"] for pod in workloads.pods} == {"Never"}
    finish(workloads, "Succeeded")
    jobs.sync_job(desired, workloads)
    assert len(workloads.pods) == 3
    readiness = jobs.readiness(desired, workloads)
    assert readiness.reasons == ["2 of 3 pods have succeeded"]
    finish(workloads, "Succeeded")
    jobs.sync_job(desired, workloads)
    assert len(workloads.pods) == 3
    assert jobs.readiness(desired, workloads).ready


@pytest.mark.parametrize(("limit", "failures", "failed"), [(1, 1, False), (1, 2, True), (0, 1, True)])
def test_job_fails_beyond_its_backoff_limit(workloads: Any, limit: int, failures: int, failed: bool) -> None:
    desired = job(backoffLimit=limit)
    for _ in range(failures):
        jobs.sync_job(desired, workloads)
        finish(workloads, "Failed")
    jobs.sync_job(desired, workloads)
    assert len(workloads.pods) == failures + (not failed)
    assert jobs.readiness(desired, workloads).failed == failed


def test_restarts_in_place_count_as_failures(workloads: Any) -> None:
    desired = job(backoffLimit=2)
    jobs.sync_job(desired, workloads)
    [pod] = workloads.pods
    pod.restarts = 2
    jobs.sync_job(desired, workloads)
    assert workloads.ended == []
    pod.restarts = 3
    jobs.sync_job(desired, workloads)
    assert workloads.ended == [pod]


def test_pods_of_another_template_are_terminated(workloads: Any) -> None:
    jobs.sync_job(job(), workloads)
    jobs.sync_job(job(template={"spec": {"containers": [{"name": "other"}]}}), workloads)
    first, second = workloads.pods
    assert workloads.ended == [first]
    assert first.record.revision != second.record.revision


def test_rejected_pod_is_reported(workloads: Any) -> None:
    workloads.rejection = "exceeded quota"
    jobs.sync_job(job(parallelism=3, completions=3), workloads)
    assert workloads.refused == ["exceeded quota"]


# -- CronJob -------------------------------------------------------------------------------------------


def test_due_run_is_started_once(workloads: Any) -> None:
    jobs.sync_cron_job(cron_job(), workloads)
    jobs.sync_cron_job(cron_job(), workloads)
    [pod] = workloads.pods
    assert pod.record.revision == MINUTE
    assert workloads.wakes[0] == NOW.replace(day=5, second=0).timestamp()


@pytest.mark.parametrize("desired", [cron_job("31 12 * * *"), cron_job(suspend=True)])
def test_run_that_is_not_due_or_suspended_is_not_started(workloads: Any, desired: Desired) -> None:
    jobs.sync_cron_job(desired, workloads)
    assert workloads.pods == []
    assert workloads.wakes


@pytest.mark.parametrize(("zone", "runs"), [("Asia/Tokyo", 0), ("UTC", 1)])
def test_schedule_is_in_its_time_zone(workloads: Any, zone: str, runs: int) -> None:
    jobs.sync_cron_job(cron_job(timeZone=zone), workloads)
    assert len(workloads.pods) == runs


@pytest.mark.parametrize(
    ("policy", "created", "ended"), [("Allow", 2, 0), ("Forbid", 1, 0), ("Replace", 2, 1)]
)
def test_concurrency_policy_decides_on_an_overlapping_run(
    workloads: Any, policy: str, created: int, ended: int
) -> None:
    workloads.pods.append(FakePod(None, record("clean-202605041229-0", "202605041229")))
    jobs.sync_cron_job(cron_job(concurrencyPolicy=policy), workloads)
    assert (len(workloads.pods), len(workloads.ended)) == (created, ended)


def test_finished_run_does_not_forbid_the_next(workloads: Any) -> None:
    workloads.pods.append(FakePod(None, record("clean-202605041229-0", "202605041229", phase="Failed")))
    jobs.sync_cron_job(cron_job(concurrencyPolicy="Forbid"), workloads)
    assert len(workloads.pods) == 2


def test_old_runs_are_deleted_beyond_the_history_limits(workloads: Any) -> None:
    for minute in range(5):
        for phase, hour in (("Succeeded", 10), ("Failed", 11)):
            revision = f"20260504{hour}0{minute}"
            workloads.pods.append(FakePod(None, record(f"clean-{revision}-0", revision, phase=phase)))
    jobs.sync_cron_job(cron_job("0 0 1 1 *", successfulJobsHistoryLimit=2), workloads)
    left = {pod.record.revision for pod in workloads.pods if pod not in workloads.ended}
    assert left == {"202605041003", "202605041004", "202605041104"}


def test_run_of_the_current_minute_is_retained(workloads: Any) -> None:
    jobs.sync_cron_job(cron_job(), workloads)
    finish(workloads, "Succeeded")
    jobs.sync_cron_job(cron_job(successfulJobsHistoryLimit=0), workloads)
    assert workloads.ended == []
    assert len(workloads.pods) == 1
