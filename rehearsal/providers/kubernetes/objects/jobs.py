"""Checks of Jobs and CronJobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from zoneinfo import available_timezones

from policies.api import parse_schedule
from rehearsal.providers.kubernetes.objects.job_failures import job_failure_problems
from rehearsal.providers.kubernetes.pods.validation import pod_problems
from rehearsal.providers.kubernetes.values import known_text, mapping, numbers, one_of, opened, value_at
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

Found = Iterator[Problem]
_SPEC: Final = ("spec",)


def job_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a Job (`ValidateJob`)."""
    spec = mapping(inputs.get("spec"))
    yield from _job_spec(spec, _SPEC)
    if opened(spec.get("selector")) not in (None, UNKNOWN) and opened(spec.get("manualSelector")) in (
        None,
        False,
    ):
        yield problem(("spec", "selector"), "may be set only where manualSelector is true")


def _job_spec(spec: Mapping[str, Any], path: Path) -> Found:
    bounds = (
        "activeDeadlineSeconds",
        "backoffLimit",
        "backoffLimitPerIndex",
        "completions",
        "maxFailedIndexes",
        "parallelism",
        "ttlSecondsAfterFinished",
    )
    yield from numbers(spec, path, dict.fromkeys(bounds, 0))
    yield from one_of(spec, path, "completionMode", ("Indexed", "NonIndexed"))
    # Without both, the server sets both to 1.
    parallel = opened(spec.get("parallelism")) not in (None, UNKNOWN)
    if opened(spec.get("completionMode")) == "Indexed" and parallel and spec.get("completions") is None:
        reason = "required where completionMode is Indexed and parallelism is set"
        yield problem((*path, "completions"), reason)
    manager = known_text(spec.get("managedBy"))
    if manager is not None and "/" not in manager:
        yield problem((*path, "managedBy"), f"{manager!r} is not a path with a domain before a slash")
    yield from job_failure_problems(spec, path)
    yield from pod_problems(
        value_at(spec, "template", "spec"), (*path, "template", "spec"), ("Never", "OnFailure")
    )


def cron_job_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a CronJob: schedule, time zone and the template of its Jobs (`ValidateCronJob`)."""
    spec = mapping(inputs.get("spec"))
    schedule, zone = opened(spec.get("schedule")), opened(spec.get("timeZone"))
    if isinstance(schedule, str):
        try:
            parse_schedule(schedule)
        except ValueError as error:
            named = "TZ" in schedule and schedule is not UNKNOWN
            yield problem(("spec", "schedule"), "names a time zone: use timeZone" if named else f"{error}")
    if isinstance(zone, str) and zone is not UNKNOWN and zone not in available_timezones():
        yield problem(("spec", "timeZone"), f'{zone!r} is not a time zone, such as "Etc/UTC"')
    bounds = ("failedJobsHistoryLimit", "startingDeadlineSeconds", "successfulJobsHistoryLimit")
    yield from numbers(spec, _SPEC, dict.fromkeys(bounds, 0))
    name = value_at(inputs, "metadata", "name")
    if isinstance(name, str) and name is not UNKNOWN and len(name) > 52:
        yield problem(("metadata", "name"), f"has {len(name)} characters; a CronJob's name has at most 52")
    template = mapping(value_at(spec, "jobTemplate", "spec"))
    if opened(template.get("selector")) not in (None, UNKNOWN):
        yield problem(("spec", "jobTemplate", "spec", "selector"), "is generated for each Job: leave it out")
    yield from _job_spec(template, ("spec", "jobTemplate", "spec"))
