"""Controllers of Jobs and CronJobs."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from policies.api import parse_schedule
from rehearsal.host.component import READY, Readiness
from rehearsal.host.desired_state import Desired
from rehearsal.host.kubernetes.admission import AdmissionError
from rehearsal.host.kubernetes.cron import is_due, next_run
from rehearsal.host.kubernetes.pods import Pod

if TYPE_CHECKING:
    from rehearsal.host.kubernetes.controllers import Workloads


def sync_job(desired: Desired, workloads: Workloads) -> None:
    """Run pods up to the parallelism until enough have succeeded or the backoff limit is reached."""
    _advance(desired, desired.spec, _digest(desired.spec), desired.name, workloads)


def _advance(
    desired: Desired, spec: dict[str, Any], revision: str, prefix: str, workloads: Workloads
) -> None:
    own = [pod for pod in workloads.of(desired) if pod.record.revision == revision]
    for pod in workloads.of(desired):
        # A Job's template is immutable, so pods of another template belong to an earlier Job of this name.
        if pod.record.revision != revision and desired.kind == "Job":
            workloads.end(pod)
    succeeded = _count(own, "Succeeded")
    if is_complete(spec, own) or _has_failed(spec, own):
        for pod in own:
            if not pod.finished:
                workloads.end(pod)
        return
    active = [pod for pod in own if not pod.finished]
    wanted = min(int(spec.get("parallelism", 1)), int(spec.get("completions", 1)) - succeeded)
    template = copy.deepcopy(spec.get("template") or {})
    template.setdefault("spec", {}).setdefault("restartPolicy", "Never")
    for _ in range(max(0, wanted - len(active))):
        try:
            workloads.create(desired, template, revision, prefix)
        except AdmissionError as error:
            workloads.refuse(desired, error)
            return


def is_complete(spec: dict[str, Any], own: Sequence[Pod]) -> bool:
    return _count(own, "Succeeded") >= int(spec.get("completions", 1))


def _has_failed(spec: dict[str, Any], own: Sequence[Pod]) -> bool:
    max_failures = int(spec.get("backoffLimit", 6))
    return _count(own, "Failed") > max_failures or sum(_restarts(pod) for pod in own) > max_failures


def _restarts(pod: Pod) -> int:
    return sum(process.restarts for process in pod.processes())


def _count(own: Sequence[Pod], phase: str) -> int:
    return sum(pod.record.phase == phase for pod in own)


def readiness(desired: Desired, workloads: Workloads) -> Readiness:
    """Return the readiness: a Job is ready when complete, as in Pulumi's await logic."""
    revision = _digest(desired.spec)
    own = [pod for pod in workloads.of(desired) if pod.record.revision == revision]
    if is_complete(desired.spec, own):
        return READY
    reasons = [f"{_count(own, 'Succeeded')} of {desired.spec.get('completions', 1)} pods have succeeded"]
    reasons += [reason for pod in own[-2:] for reason in pod.trouble()]
    return Readiness(ready=False, reasons=reasons, failed=_has_failed(desired.spec, own))


def sync_cron_job(desired: Desired, workloads: Workloads) -> None:
    """Start the run that is due, once, unless `concurrencyPolicy` forbids it while another is active."""
    spec = desired.spec
    runs: dict[str, list[Pod]] = {}
    for pod in workloads.of(desired):
        runs.setdefault(pod.record.revision, []).append(pod)
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    for revision, own in runs.items():
        _advance(desired, job, revision, own[0].record.name.rpartition("-")[0], workloads)
    _delete_old_runs(spec, job, runs, workloads)
    zone = ZoneInfo(spec["timeZone"]) if spec.get("timeZone") else None
    now = dt.datetime.now(zone)
    schedule = parse_schedule(str(spec["schedule"]))
    if is_due(schedule, now) and not spec.get("suspend"):
        minute = now.strftime("%Y%m%d%H%M")
        busy = [own for revision, own in runs.items() if not _over(job, own) and revision != minute]
        policy = spec.get("concurrencyPolicy", "Allow")
        if minute not in runs and not (busy and policy == "Forbid"):
            if policy == "Replace":
                for pod in (pod for own in busy for pod in own):
                    workloads.end(pod)
            _advance(desired, job, minute, f"{desired.name}-{minute}", workloads)
    upcoming = next_run(schedule, now)
    if upcoming is not None:
        workloads.wake_at(desired.urn, upcoming.timestamp())


def _over(job: dict[str, Any], own: Sequence[Pod]) -> bool:
    return is_complete(job, own) or _has_failed(job, own)


def _delete_old_runs(
    spec: dict[str, Any], job: dict[str, Any], runs: dict[str, list[Pod]], workloads: Workloads
) -> None:
    """Delete finished runs beyond the history limits."""
    done = sorted(revision for revision, own in runs.items() if _over(job, own))
    good = [revision for revision in done if is_complete(job, runs[revision])]
    bad = [revision for revision in done if revision not in good]
    limits = int(spec.get("successfulJobsHistoryLimit", 3)), int(spec.get("failedJobsHistoryLimit", 1))
    this_minute = dt.datetime.now().strftime("%Y%m%d%H%M")  # noqa: DTZ005, RUF100 (local, as schedules are)
    for revisions, max_runs in ((good, limits[0]), (bad, limits[1])):
        for revision in revisions[: max(0, len(revisions) - max_runs)]:
            # The run of the current minute is retained: otherwise it would be started again.
            if revision != this_minute:
                for pod in runs[revision]:
                    workloads.end(pod)


def _digest(spec: dict[str, Any]) -> str:
    content = json.dumps(spec.get("template") or {}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:10]
