"""Proposals of each kind of metric, and the reasons of invalid ones."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.host.kubernetes.hpa.metric_proposals import InvalidMetricError, MetricProposal, propose
from rehearsal.host.kubernetes.hpa.model import (
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
