"""Limit ranges: what a namespace asks of every container, pod and claim, held against its workloads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Final

from pulumi_policy import Severity

from policies.model.peak_demand import container_amounts, pod_requests
from policies.model.pods import title
from policies.model.property_tree import Finding, Node
from policies.model.quantities import parse, show
from policies.model.scale_targets import Scaling
from policies.model.stack import Object, Stack
from policies.pack.rule import Settings, stack_rule

_TAGS: Final = ("CIS-GKE:5.7.1", "SOC2:A1.1", "KUB5")
_PAGE: Final = "https://kubernetes.io/docs/concepts/policy/limit-range/"


@stack_rule(
    "limit-range-admits",
    "No pod is refused after the deployment was accepted: workloads keep to their namespace's LimitRange.",
    steps="Bring requests and limits within min, max and maxLimitRequestRatio, or change the LimitRange.",
    severity=Severity.HIGH,
    tags=_TAGS,
    url=_PAGE,
)
def limit_range_admits(stack: Stack, _: Settings) -> Iterator[Finding]:
    ranges: dict[str, list[Object]] = {}
    for item in stack.of_kind("LimitRange"):
        ranges.setdefault(item.namespace, []).append(item)
        for limit in item.node.at("spec", "limits").items():
            yield from _contradictions(limit)
    for namespace, workloads in Scaling(stack).workloads.items():
        own = ranges.get(namespace, [])
        defaults = [limit for item in own for limit in item.node.at("spec", "limits").items()]
        for item, template in workloads:
            with item.node.watched() as unknown:
                whole = pod_requests(template, own)
            for limit in defaults if not unknown else ():
                if limit["type"].like("Pod"):
                    yield from _outside(limit, whole, template.spec["resources"], item.label)
                elif limit["type"].like("Container"):
                    for container in template.containers("initContainers", "containers"):
                        amounts = container_amounts(container, defaults)
                        label = f"{item.label}, {title(container)}"
                        yield from _outside(limit, amounts, container["resources"], label)
    for claim in stack.of_kind("PersistentVolumeClaim"):
        asked = claim.node.at("spec", "resources", "requests", "storage")
        amount = parse(asked.raw) if asked.present and asked.known() else None
        for item in ranges.get(claim.namespace, []) if amount is not None else ():
            for limit in item.node.at("spec", "limits").items():
                if limit["type"].like("PersistentVolumeClaim") and amount is not None:
                    place = claim.node.at("spec", "resources")
                    yield from _outside(limit, {"requests.storage": amount}, place, claim.label)


def _contradictions(limit: Node) -> Iterator[Finding]:
    """Bounds and defaults that no container can keep."""
    order = ("min", "defaultRequest", "default", "max")
    for low_at, low_name in enumerate(order):
        for high_name in order[low_at + 1 :]:
            for key, low in limit[low_name].entries():
                high = limit[high_name][key]
                if high.present and low.known() and high.known():
                    least, most = parse(low.raw), parse(high.raw)
                    if least is not None and most is not None and least > most:
                        yield low.finding(f"{low.raw} is more than the {high.raw} of {high_name}")


def _outside(limit: Node, amounts: Mapping[str, Fraction], place: Node, label: str) -> Iterator[Finding]:
    """Findings at `place` for what `limit` refuses, as the LimitRanger admission plugin does."""
    kind = limit["type"].text()
    for bound, is_too_much in (("min", False), ("max", True)):
        for key, value in limit[bound].entries():
            allowed = parse(value.raw) if value.known() else None
            if allowed is None:
                continue
            for part in ("requests", "limits"):
                amount = amounts.get(f"{part}.{key}")
                if amount is None:
                    # Without a request there is nothing to be at least as large, without a limit no maximum.
                    missing = (part == "requests") != is_too_much
                    if missing and kind != "PersistentVolumeClaim":
                        yield place[part].finding(
                            f"{label} needs {part} of {key}: the LimitRange has a {bound}"
                        )
                elif (amount > allowed) if is_too_much else (amount < allowed):
                    word = "more" if is_too_much else "less"
                    had = f"{part} of {key} {show(key, amount)}"
                    yield place[part].finding(f"{label} has {had}, {word} than the {value.raw} allowed")
    for key, value in limit["maxLimitRequestRatio"].entries():
        most = parse(value.raw) if value.known() else None
        request, ceiling = amounts.get(f"requests.{key}"), amounts.get(f"limits.{key}")
        if most is not None and request and ceiling is not None and ceiling / request > most:
            ratio = float(ceiling / request)
            yield place["limits"].finding(f"{label} has a limit of {key} {ratio:g} times its request")
