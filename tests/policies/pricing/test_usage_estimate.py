"""Usage-based costs follow from the load that a stack's autoscalers allow."""

from __future__ import annotations

from typing import Any

import pytest

from policies.model.stack import Stack
from policies.pricing.cost_estimate import monthly
from policies.pricing.usage_estimate import sustained_load, usage
from policies.testing import ResourceFixture, resources_of

GATEWAY = ResourceFixture(
    "kubernetes:gateway.networking.k8s.io/v1:Gateway", {"spec": {"listeners": [{"port": 443}]}}, "g"
)
ARMOR = ResourceFixture(
    "gcp:compute/securityPolicy:SecurityPolicy", {"name": "p", "rules": [{}, {}]}, "armor"
)
SECONDS = 730 * 3600


def scaler(min_replicas: int, max_replicas: int, rate: str) -> ResourceFixture:
    """An autoscaler of pods that serve `rate` requests a second each."""
    metric: dict[str, Any] = {
        "type": "Pods",
        "pods": {
            "metric": {"name": "x|api|requests"},
            "target": {"type": "AverageValue", "averageValue": rate},
        },
    }
    spec = {"minReplicas": min_replicas, "maxReplicas": max_replicas, "metrics": [metric]}
    inputs = {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "api"}, "spec": spec}
    return ResourceFixture("kubernetes:autoscaling/v2:HorizontalPodAutoscaler", inputs, "api")


def stack(*given: ResourceFixture) -> Stack:
    return Stack.of(resources_of(given))


def test_the_sustained_load_is_half_of_what_the_pods_serve_at_their_target() -> None:
    load = sustained_load(stack(scaler(5, 100, "110")))
    assert (load.minimum, load.maximum) == (275, 5500)


def test_cloud_armor_is_paid_by_policy_rule_and_request() -> None:
    found = {item.urn: item for item in usage(stack(scaler(2, 10, "100"), GATEWAY, ARMOR))}
    fixed, million = 5 + 2 * 1, SECONDS / 1e6 * 0.75
    assert found[ARMOR.urn].minimum == pytest.approx(fixed + 100 * million)
    assert found[ARMOR.urn].maximum == pytest.approx(fixed + 500 * million)


def test_estimates_are_lines_of_their_own_and_part_of_the_maximum() -> None:
    without = monthly(stack(GATEWAY, ARMOR))
    costs = monthly(stack(scaler(2, 10, "100"), GATEWAY, ARMOR))
    estimates = [line for line in costs.lines if line.what.startswith("estimate: ")]
    assert len(estimates) == 3
    assert costs.maximum == pytest.approx(without.maximum + sum(line.maximum for line in estimates))


def test_a_stack_that_does_not_scale_on_requests_has_no_estimate() -> None:
    assert list(usage(stack(GATEWAY, ARMOR))) == []
