"""Proposals of each kind of metric, and the reasons of invalid ones."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.host.kubernetes.hpa.metric_proposals import (
    InvalidMetricError,
    MetricProposal,
    propose,
    tolerances_of,
)
from rehearsal.host.kubernetes.hpa.model import (
    Behavior,
    ControllerConfig,
    ExternalReadings,
    ObjectReading,
    PodReading,
    PodReadings,
    PodState,
    Reading,
    Scale,
    UnavailableMetric,
)
from rehearsal.host.kubernetes.hpa.replica_calculator import ReplicaCalculator, Tolerances

REQUESTS = {"containers": [{"name": "main", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]}
PODS = [PodState(f"pod-{number}", started=-900.0, spec=REQUESTS) for number in range(2)]
QUEUE = {"name": "queue", "selector": {"matchLabels": {"a": "b"}}}


def proposal(metric: dict[str, Any], reading: Reading, scale: Scale | None = None) -> MetricProposal:
    calculator = ReplicaCalculator(PODS, 0.0, ControllerConfig(), Tolerances(0.1, 0.1))
    return propose(calculator, scale or Scale(2, 2), metric, reading, "default")


def pods(value: int) -> PodReadings:
    return PodReadings({pod.name: PodReading(value) for pod in PODS})


def test_averages_of_resources_and_pods_metrics() -> None:
    target = {"type": "AverageValue", "averageValue": "500m"}
    resource = proposal({"type": "Resource", "resource": {"name": "cpu", "target": target}}, pods(1000))
    assert (resource.replicas, resource.metric) == (4, "cpu resource")
    gauge = proposal({"type": "Pods", "pods": {"metric": {"name": "rate"}, "target": target}}, pods(750))
    assert (gauge.replicas, gauge.status.average) == (3, 750)


def test_a_container_that_no_pod_has_is_invalid() -> None:
    source = {"name": "cpu", "container": "other", "target": {"averageUtilization": 50}}
    with pytest.raises(InvalidMetricError) as caught:
        proposal({"type": "ContainerResource", "containerResource": source}, pods(100))
    assert caught.value.reason == "FailedGetContainerResourceMetric"
    assert "container other not found in Pod pod-0" in caught.value.message


def test_external_and_object_metrics_by_value_and_by_average() -> None:
    value = {"type": "Value", "value": "10"}
    average = {"type": "AverageValue", "averageValue": "10"}
    described = {"kind": "Service", "name": "api"}
    external = proposal(
        {"type": "External", "external": {"metric": QUEUE, "target": value}}, ExternalReadings([30_000])
    )
    assert external.replicas == 6
    each = {"type": "Object", "object": {"metric": QUEUE, "target": average, "describedObject": described}}
    assert proposal(each, ObjectReading(50_000), Scale(2, 5)).replicas == 5
    whole = {"type": "Object", "object": {"metric": QUEUE, "target": value, "describedObject": described}}
    assert proposal(whole, ObjectReading(5_000)).metric == "Service metric queue"


@pytest.mark.parametrize("target", [{"type": "Value"}, {}])
def test_a_target_without_a_value_is_invalid(target: dict[str, Any]) -> None:
    with pytest.raises(InvalidMetricError, match="neither a value target"):
        proposal({"type": "External", "external": {"metric": QUEUE, "target": target}}, ExternalReadings([1]))


def test_an_unavailable_metric_is_named_with_its_error() -> None:
    metric = {"type": "External", "external": {"metric": QUEUE, "target": {"averageValue": "1"}}}
    with pytest.raises(InvalidMetricError) as caught:
        proposal(metric, UnavailableMetric("no metrics returned"))
    assert "unable to get external metric default/queue/&LabelSelector{" in caught.value.message
    assert caught.value.message.endswith(": no metrics returned")


def test_an_unknown_kind_is_invalid() -> None:
    with pytest.raises(InvalidMetricError) as caught:
        proposal({"type": "Moon"}, UnavailableMetric(""))
    assert caught.value.reason == "InvalidMetricSourceType"


def test_unavailable_resource_metric_names_the_kind_of_its_target() -> None:
    for target, step in (({"averageUtilization": 50}, "utilization"), ({"averageValue": "1"}, "usage")):
        metric = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
        with pytest.raises(InvalidMetricError) as caught:
            proposal(metric, UnavailableMetric("down"))
        assert caught.value.error == (
            f"failed to get cpu {step}: unable to get metrics for resource cpu: down"
        )
        assert caught.value.wrapped.startswith("failed to get cpu resource metric value: ")


def test_resource_metric_without_a_target_is_invalid() -> None:
    with pytest.raises(InvalidMetricError, match="neither an average utilization target"):
        proposal({"type": "Resource", "resource": {"name": "cpu"}}, pods(1))


def test_utilization_of_a_container_is_named() -> None:
    source = {"name": "cpu", "container": "main", "target": {"averageUtilization": 50}}
    found = proposal({"type": "ContainerResource", "containerResource": source}, pods(1000))
    assert (found.replicas, found.metric) == (
        4, "cpu container resource utilization (percentage of request)",
    )  # fmt: skip
    assert (found.status.utilization, found.status.average) == (100, 1000)


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"type": "Value"},
        {"type": "AverageValue"},
        {"type": "AverageValue", "value": "1"},
        {"averageValue": "1"},
        {"value": "1"},
    ],
)
def test_object_metric_needs_the_value_of_its_target_type(target: dict[str, Any]) -> None:
    described = {"kind": "Service", "name": "api"}
    source = {"metric": QUEUE, "target": target, "describedObject": described}
    with pytest.raises(InvalidMetricError, match="neither a value target"):
        proposal({"type": "Object", "object": source}, ObjectReading(1))


def test_unavailable_object_metric_names_the_object() -> None:
    for target, prefix in (
        ({"type": "Value", "value": "1"}, "failed to get object metric value: unable"),
        (
            {"type": "AverageValue", "averageValue": "1"},
            "failed to get object metric value: failed to get queue object metric: unable",
        ),
    ):
        source = {"metric": QUEUE, "target": target, "describedObject": {"kind": "Service", "name": "api"}}
        with pytest.raises(InvalidMetricError) as caught:
            proposal({"type": "Object", "object": source}, UnavailableMetric("down"))
        assert caught.value.wrapped.startswith(prefix)
        assert caught.value.error.endswith(" to get metric queue on Service default/api: down")


@pytest.mark.parametrize(
    ("target", "step"),
    [({"value": "1"}, "external metric queue"), ({"averageValue": "1"}, "queue external metric")],
)
def test_unavailable_external_metric_names_its_target(target: dict[str, Any], step: str) -> None:
    with pytest.raises(InvalidMetricError) as caught:
        proposal({"type": "External", "external": {"metric": QUEUE, "target": target}}, pods(1))
    assert f": failed to get {step}: " in caught.value.wrapped
    assert caught.value.error.endswith(": the metrics API returned PodReadings")


def test_tolerances_of_the_behavior_replace_those_of_the_controller() -> None:
    config = ControllerConfig(tolerance=0.1)
    assert tolerances_of(None, config) == Tolerances(0.1, 0.1)
    both = Behavior.parse({"scaleUp": {"tolerance": "200m"}, "scaleDown": {"tolerance": "0"}})
    assert tolerances_of(both, config) == Tolerances(down=0.0, up=0.2)
    assert tolerances_of(Behavior.parse({}), config) == Tolerances(0.1, 0.1)
