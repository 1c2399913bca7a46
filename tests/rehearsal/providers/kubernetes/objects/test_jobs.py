"""Jobs and CronJobs: bounds, completion modes and schedules."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.objects.jobs import cron_job_problems, job_problems
from rehearsal.pulumi.properties import UNKNOWN

POD = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}


def job(**spec: Any) -> dict[str, Any]:
    """Return a Job of one container with the other fields of its `spec`."""
    return {"spec": {"template": {"spec": POD}, **spec}}


def cron_job(*, name: str = "j", template: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a CronJob; `template` are fields of its Jobs."""
    jobs = {"spec": job(**(template or {}))["spec"]}
    return {"metadata": {"name": name}, "spec": {"schedule": "0 3 * * *", "jobTemplate": jobs, **spec}}


def paths(problems: Any) -> list[str]:
    return [one.path for one in problems]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"parallelism": -1}, "spec.parallelism"),
        ({"ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished"),
        ({"completionMode": "Some"}, "spec.completionMode"),
        ({"completionMode": "Indexed", "parallelism": 2}, "spec.completions"),
        ({"managedBy": "me"}, "spec.managedBy"),
        ({"selector": {"matchLabels": {"a": "b"}}}, "spec.selector"),
        ({"template": {"spec": {**POD, "restartPolicy": "Always"}}}, "spec.template.spec.restartPolicy"),
    ],
)
def test_job_that_the_server_refuses(spec: dict[str, Any], path: str) -> None:
    assert paths(job_problems(job(**spec))) == [path]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"managedBy": "example.com/controller"},
        {"selector": {"matchLabels": {"a": "b"}}, "manualSelector": True},
        {"selector": {"matchLabels": {"a": "b"}}, "manualSelector": UNKNOWN},
        {"completionMode": "Indexed", "parallelism": 2, "completions": 4},
        # Without both, one pod runs.
        {"completionMode": "Indexed"},
        {"completionMode": "Indexed", "parallelism": UNKNOWN},
    ],
)
def test_job_that_the_server_accepts(spec: dict[str, Any]) -> None:
    assert paths(job_problems(job(**spec))) == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"schedule": "0 24 * * *"}, "spec.schedule"),
        ({"timeZone": "Local"}, "spec.timeZone"),
        ({"startingDeadlineSeconds": -1}, "spec.startingDeadlineSeconds"),
        ({"name": "j" * 53}, "metadata.name"),
        ({"template": {"selector": {"matchLabels": {"a": "b"}}}}, "spec.jobTemplate.spec.selector"),
        ({"template": {"backoffLimit": -1}}, "spec.jobTemplate.spec.backoffLimit"),
    ],
)
def test_cron_job_that_the_server_refuses(changes: dict[str, Any], path: str) -> None:
    assert paths(cron_job_problems(cron_job(**changes))) == [path]


def test_a_time_zone_in_a_schedule_is_refused_with_the_remedy() -> None:
    (found,) = cron_job_problems(cron_job(schedule="TZ=UTC 0 3 * * *"))
    assert (found.path, found.reason) == ("spec.schedule", "names a time zone: use timeZone")


@pytest.mark.parametrize(
    "changes",
    [{"schedule": "@daily"}, {"schedule": UNKNOWN}, {"timeZone": "Europe/Berlin"}, {"name": "j" * 52}],
)
def test_cron_job_that_the_server_accepts(changes: dict[str, Any]) -> None:
    assert paths(cron_job_problems(cron_job(**changes))) == []
