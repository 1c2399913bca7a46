"""Checks of HorizontalPodAutoscalers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.kubernetes.objects.cluster import positive_quantity
from rehearsal.providers.kubernetes.values import (
    integer,
    items,
    known_text,
    mapping,
    numbers,
    one_of,
    opened,
    scalar,
    value_at,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

Found = Iterator[Problem]

_SPEC: Final = ("spec",)
_METRIC_SOURCES: Final = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_TARGET_VALUES: Final = {
    "AverageValue": "averageValue",
    "Utilization": "averageUtilization",
    "Value": "value",
}


def autoscaler_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a HorizontalPodAutoscaler (`ValidateHorizontalPodAutoscaler`)."""
    spec = mapping(inputs.get("spec"))
    low, high = integer(spec.get("minReplicas", 1)), integer(spec.get("maxReplicas"))
    yield from numbers(spec, _SPEC, {"minReplicas": 0, "maxReplicas": 1})
    kinds = {scalar(mapping(metric).get("type")) for metric in items(spec.get("metrics"))}
    if (
        low == 0
        and opened(spec.get("metrics")) is not UNKNOWN
        and not kinds & {"Object", "External", None, UNKNOWN}
    ):
        yield problem(("spec", "minReplicas"), "may be 0 only with a metric of type Object or External")
    yield from _target(mapping(spec.get("scaleTargetRef")), ("spec", "scaleTargetRef"))
    if low is not None and high is not None and high >= 1 and high < low:
        yield problem(("spec", "maxReplicas"), f"{high} is less than minReplicas ({low})")
    for number, metric in enumerate(items(spec.get("metrics"))):
        if isinstance(metric, Mapping):
            yield from _metric(metric, ("spec", "metrics", number))
    for direction in ("scaleUp", "scaleDown"):
        rules = mapping(value_at(spec, "behavior", direction))
        yield from _scaling_rules(rules, ("spec", "behavior", direction))


def _target(target: Mapping[str, Any], path: Path) -> Found:
    for name in ("kind", "name"):
        text = known_text(target.get(name))
        if text is not None and (text in (".", "..") or {"/", "%"} & {*text}):
            yield problem((*path, name), f"{text!r} cannot be part of a path")
        elif text == "":
            yield problem((*path, name), "must not be empty")
    version = known_text(target.get("apiVersion"))
    if version is not None and version.count("/") > 1:
        yield problem((*path, "apiVersion"), f'{version!r} is not a version, such as "apps/v1"')


def _scaling_rules(rules: Mapping[str, Any], at: Path) -> Found:
    yield from numbers(rules, at, {"stabilizationWindowSeconds": 0}, 3600)
    tolerance = known_text(rules.get("tolerance"))
    if tolerance is not None and tolerance.startswith("-"):
        yield problem((*at, "tolerance"), f"{tolerance} is out of range: at least 0")
    if opened(rules.get("policies")) == []:
        yield problem((*at, "policies"), "at least one policy is required")
    for number, policy in enumerate(items(rules.get("policies"))):
        if isinstance(policy, Mapping):
            yield from numbers(policy, (*at, "policies", number), {"value": 1})
            yield from numbers(policy, (*at, "policies", number), {"periodSeconds": 1}, 1800)


def _metric(metric: Mapping[str, Any], path: Path) -> Found:
    name = _METRIC_SOURCES.get(str(opened(metric.get("type"))))
    if name is None:
        return
    source = opened(metric.get(name))
    if source is None:
        yield problem((*path, name), f"required where type is {metric['type']}")
        return
    target, at = value_at(source, "target"), (*path, name, "target")
    if not isinstance(target, Mapping):
        return
    yield from one_of(target, at, "type", tuple(_TARGET_VALUES))
    yield from numbers(target, at, {"averageUtilization": 1})
    for value in ("averageValue", "value"):
        yield from positive_quantity(target.get(value), (*at, value))
    given = {value for value in _TARGET_VALUES.values() if target.get(value) is not None}
    alone = _EXCLUSIVE_TARGETS.get(name)
    if alone is not None and given >= alone:
        yield problem(at, f"only one of {', '.join(sorted(alone))} may be set")
    elif alone is not None and not given & alone:
        yield problem(at, f"one of {', '.join(sorted(alone))} must be set")
        return
    if name == "pods" and opened(target.get("type")) in ("Utilization", "Value"):
        yield problem((*at, "type"), "must be AverageValue for a metric of pods")
    needed = _TARGET_VALUES.get(str(opened(target.get("type"))))
    if needed and target.get(needed) is None:
        yield problem(at, f"{needed} is required where type is {target['type']}")


_EXCLUSIVE_TARGETS: Final[Mapping[str, set[str]]] = {
    "containerResource": {"averageUtilization", "averageValue"},
    "external": {"averageValue", "value"},
    "resource": {"averageUtilization", "averageValue"},
}
