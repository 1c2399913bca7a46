"""LimitRanges: the bounds of a namespace against the containers, pods and claims of its workloads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pulumi_policy import Severity

from policies.model.limit_range_defaults import (
    Bounds,
    Defaults,
    contradiction,
    defaults_by_namespace,
    quantities,
)
from policies.model.peak_demand import container_amounts, pod_requests
from policies.model.pods import PodTemplate, claim_templates, title
from policies.model.property_tree import Finding, Node
from policies.model.quantities import show
from policies.model.scale_targets import Scaling
from policies.model.stack import Object, Stack
from policies.pack.rule import Settings, rule

CONCERN: Final = "limit-ranges"
_TAGS: Final = ("CIS-GKE:5.7.1", "SOC2:A1.1", "KUB5")
_PAGE: Final = "https://kubernetes.io/docs/concepts/policy/limit-range/"


@rule(
    "limit-range-admits",
    "Workloads must comply with the LimitRange of their namespace. "
    "Their pods are rejected otherwise, after the Deployment was accepted.",
    concern=CONCERN,
    scope="stack",
    remediation=(
        "Bring requests and limits within min, max and maxLimitRequestRatio, or change the LimitRange."
    ),
    severity=Severity.HIGH,
    tags=_TAGS,
    url=_PAGE,
)
def limit_range_admits(stack: Stack, _: Settings) -> Iterator[Finding]:
    for item in stack.of_kind("LimitRange"):
        for limit in item.node.at("spec", "limits").items():
            yield from _contradictions(limit)
            _mark_unproven(limit, item.namespace, Scaling.of(stack))
    defaults = defaults_by_namespace(stack)
    for namespace, workloads in Scaling.of(stack).workloads.items():
        own = defaults.get(namespace, Defaults())
        for item, template in workloads:
            yield from _refused(item, template, own)
            for claim in claim_templates(item, template):
                yield from _claim_refused(f"{item.label}, volume claim template,", claim["spec"], own)
    for item in stack.of_kind("PersistentVolumeClaim"):
        own = defaults.get(item.namespace, Defaults())
        yield from _claim_refused(item.label, item.node["spec"], own)


def _mark_unproven(limit: Node, namespace: str, scaling: Scaling) -> None:
    """Note the custom resources whose pods or claims a limit also bounds, since they are not declared."""
    claims = limit["type"].is_one_of("PersistentVolumeClaim")
    names = scaling.creator_names(namespace, pods_only=not claims)
    if names:
        what = "claims" if claims else "pods"
        limit.mark_unevaluated(f"is not proven for the {what} that {names} may create")


def _claim_refused(label: str, spec: Node, defaults: Defaults) -> Iterator[Finding]:
    place = spec["resources"]
    amounts = {f"requests.{key}": amount for key, amount in quantities(place["requests"]).items()}
    if place["requests"].known() and place.at("requests", "storage").known():
        for part, reason in defaults.violations("PersistentVolumeClaim", amounts):
            yield place[part].finding(f"{label} {reason}")


def _refused(item: Object, template: PodTemplate, defaults: Defaults) -> Iterator[Finding]:
    """Yield pods of one workload that the API server rejects after LimitRanges set defaults."""
    if not defaults.bounds:
        return
    with item.node.track_unknowns() as unknown:
        whole = pod_requests(template, defaults)
    if unknown:
        return
    for part, reason in defaults.violations("Pod", whole):
        yield template.spec["resources"][part].finding(f"{item.label} {reason}")
    for container in template.containers("initContainers", "containers"):
        amounts = container_amounts(container, defaults)
        label = f"{item.label}, {title(container)}"
        for part, reason in defaults.violations("Container", amounts):
            yield container.at("resources", part).finding(f"{label} {reason}")
        for key, reason in contradiction(amounts):
            written = [container.at("resources", part, key).present for part in ("requests", "limits")]
            # Values that are invalid without a LimitRange are found by requests-and-limits.
            if not all(written):
                yield container.at("resources", "requests" if written[0] else "limits").finding(
                    f"{label} {reason}; the LimitRange filled in the other value"
                )


def _contradictions(limit: Node) -> Iterator[Finding]:
    """Yield bounds and defaults that the API server rejects (``ValidateLimitRange``)."""
    bound = Bounds.of(limit)
    order = (
        ("min", bound.min),
        ("defaultRequest", bound.default_request),
        ("default", bound.default),
        ("max", bound.max),
    )
    for low_at, (low_name, lows) in enumerate(order):
        for high_name, highs in order[low_at + 1 :]:
            for key, low in lows.items():
                high = highs.get(key)
                # Only if both are declared: a default value would repeat another finding.
                if high is None or low <= high or not _written(limit, key, low_name, high_name):
                    continue
                place = limit[low_name][key] if limit[low_name][key].present else limit[high_name]
                yield place.finding(
                    f"{low_name} of {key} {show(key, low)} is more than the {show(key, high)} of {high_name}"
                )
    for key, ratio in bound.max_ratio.items():
        if ratio < 1:
            yield limit["maxLimitRequestRatio"][key].finding(f"{ratio} is less than 1")
        minimum, maximum = bound.min.get(key), bound.max.get(key)
        if minimum and maximum is not None and ratio > maximum / minimum:
            yield limit["maxLimitRequestRatio"][key].finding(f"{ratio} is more than max / min of {key}")


def _written(limit: Node, key: str, *names: str) -> bool:
    return all(limit[name][key].present for name in names)
