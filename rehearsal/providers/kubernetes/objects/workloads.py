"""Checks of workloads that run for an unlimited time, and of disruption budgets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.kubernetes.objects.cluster import claim_problems
from rehearsal.providers.kubernetes.pods.scheduling import selector_problems
from rehearsal.providers.kubernetes.pods.validation import pod_problems
from rehearsal.providers.kubernetes.values import (
    dns_label,
    integer,
    items,
    mapping,
    missing,
    numbers,
    one_of,
    opened,
    scalar,
    value_at,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

Found = Iterator[Problem]

_PERCENT: Final = re.compile(r"\d+%")
_SPEC: Final = ("spec",)
_TEMPLATE: Final = ("spec", "template", "spec")


def _count_or_percent(value: Any, path: Path, *, up_to_all: bool = True) -> Found:
    """Check a number of at least 0 or a percentage, which `up_to_all` limits to 100 %."""
    value = opened(value)
    if (number := integer(value)) is not None:
        if number < 0:
            yield problem(path, f"{number} is out of range: at least 0")
    elif isinstance(value, str) and value is not UNKNOWN:
        if not _PERCENT.fullmatch(value):
            yield problem(path, f'{value!r} is neither a number nor a percentage, such as "25%"')
        elif up_to_all and int(value[:-1]) > 100:
            yield problem(path, f"{value} is more than 100%")


def deployment_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a Deployment: bounds, its deadline and its strategy (`ValidateDeployment`)."""
    spec = mapping(inputs.get("spec"))
    yield from numbers(spec, _SPEC, {"replicas": 0, "minReadySeconds": 0, "revisionHistoryLimit": 0})
    yield from numbers(spec, _SPEC, {"progressDeadlineSeconds": 1})
    ready, deadline = (
        integer(spec.get(name, default))
        for name, default in (("minReadySeconds", 0), ("progressDeadlineSeconds", 600))
    )
    if ready is not None and deadline is not None and 0 < deadline <= ready:
        reason = f"{deadline} is not more than minReadySeconds ({ready})"
        yield problem(("spec", "progressDeadlineSeconds"), reason)
    strategy = mapping(spec.get("strategy"))
    rolling, path = mapping(strategy.get("rollingUpdate")), ("spec", "strategy", "rollingUpdate")
    if rolling and opened(strategy.get("type")) == "Recreate":
        yield problem(path, "must not be set where strategy.type is Recreate")
    surge, unavailable = opened(rolling.get("maxSurge", 1)), opened(rolling.get("maxUnavailable", 1))
    yield from _count_or_percent(surge, (*path, "maxSurge"), up_to_all=False)
    yield from _count_or_percent(unavailable, (*path, "maxUnavailable"))
    if surge in (0, "0%") and unavailable in (0, "0%"):
        yield problem(
            (*path, "maxUnavailable"), "must not be 0 where maxSurge is 0: nothing could be updated"
        )
    yield from _template(inputs)


def _template(inputs: Mapping[str, Any], template: Any = None) -> Found:
    """Problems of a workload's selector, and of the pods that it runs for an unlimited time."""
    selector = opened(mapping(inputs.get("spec")).get("selector"))
    if isinstance(selector, Mapping):
        if missing(selector.get("matchLabels")) and missing(selector.get("matchExpressions")):
            yield problem(("spec", "selector"), "must not be empty")
        yield from selector_problems(selector, ("spec", "selector"))
    pod = value_at(inputs, *_TEMPLATE) if template is None else template
    yield from pod_problems(pod, _TEMPLATE, ("Always",))
    if opened(mapping(pod).get("activeDeadlineSeconds")) not in (None, UNKNOWN):
        yield problem((*_TEMPLATE, "activeDeadlineSeconds"), "may be set only for pods of a Job")


def stateful_set_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a StatefulSet: strategy, retention and claim templates (`ValidateStatefulSet`)."""
    spec = mapping(inputs.get("spec"))
    yield from numbers(spec, _SPEC, {"replicas": 0, "minReadySeconds": 0})
    yield from one_of(spec, _SPEC, "podManagementPolicy", ("OrderedReady", "Parallel"))
    strategy = mapping(spec.get("updateStrategy"))
    at = ("spec", "updateStrategy")
    yield from one_of(strategy, at, "type", ("OnDelete", "RollingUpdate"))
    if opened(strategy.get("type")) == "OnDelete" and opened(strategy.get("rollingUpdate")) not in (
        None,
        UNKNOWN,
    ):
        yield problem((*at, "rollingUpdate"), "may be set only where type is RollingUpdate")
    yield from numbers(mapping(strategy.get("rollingUpdate")), (*at, "rollingUpdate"), {"partition": 0})
    yield from numbers(mapping(spec.get("ordinals")), ("spec", "ordinals"), {"start": 0})
    retention = mapping(spec.get("persistentVolumeClaimRetentionPolicy"))
    for event in ("whenDeleted", "whenScaled"):
        below = ("spec", "persistentVolumeClaimRetentionPolicy")
        yield from one_of(retention, below, event, ("Delete", "Retain"))
    template = dict(mapping(value_at(inputs, *_TEMPLATE)))
    claims = [
        scalar(value_at(claim, "metadata", "name")) for claim in items(spec.get("volumeClaimTemplates"))
    ]
    for number, claim in enumerate(items(spec.get("volumeClaimTemplates"))):
        at = ("spec", "volumeClaimTemplates", number)
        yield from dns_label(value_at(claim, "metadata", "name"), (*at, "metadata", "name"))
        if isinstance(claim, Mapping) and opened(claim.get("spec")) is not UNKNOWN:
            yield from claim_problems(mapping(claim.get("spec")), (*at, "spec"))
    volumes = items(template.get("volumes"))
    # A claim replaces the volume of the same name.
    named = {scalar(value_at(volume, "name")) for volume in volumes}
    added = [claim for claim in claims if claim is UNKNOWN or (claim is not None and claim not in named)]
    template["volumes"] = [*volumes, *({"name": claim} for claim in added)]
    yield from _template(inputs, template)


def daemon_set_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a DaemonSet (`ValidateDaemonSet`)."""
    yield from replica_set_problems(inputs)
    strategy = mapping(value_at(inputs, "spec", "updateStrategy"))
    yield from one_of(strategy, ("spec", "updateStrategy"), "type", ("OnDelete", "RollingUpdate"))
    for name in ("maxSurge", "maxUnavailable"):
        amount = mapping(strategy.get("rollingUpdate")).get(name)
        yield from _count_or_percent(amount, ("spec", "updateStrategy", "rollingUpdate", name))
    rolling, path = value_at(inputs, "spec", "updateStrategy", "rollingUpdate"), ("spec", "updateStrategy")
    if isinstance(rolling, Mapping):
        surge, unavailable = opened(rolling.get("maxSurge", 0)), opened(rolling.get("maxUnavailable", 1))
        none = [value in (0, "0%") for value in (surge, unavailable)]
        if UNKNOWN not in (surge, unavailable) and none[0] == none[1]:
            reason = "exactly one of maxSurge and maxUnavailable must be 0 (maxUnavailable is 1 by default)"
            yield problem((*path, "rollingUpdate", "maxSurge"), reason)


def replica_set_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a ReplicaSet (`ValidateReplicaSet`)."""
    yield from numbers(mapping(inputs.get("spec")), _SPEC, {"minReadySeconds": 0, "revisionHistoryLimit": 0})
    yield from _template(inputs)


def disruption_budget_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a PodDisruptionBudget (`ValidatePodDisruptionBudget`)."""
    spec = mapping(inputs.get("spec"))
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield problem(("spec", "maxUnavailable"), "conflicts with minAvailable: set only one of them")
    for name in ("minAvailable", "maxUnavailable"):
        yield from _count_or_percent(spec.get(name), ("spec", name))
    yield from selector_problems(spec.get("selector"), ("spec", "selector"))
