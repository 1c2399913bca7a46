"""One sync of an autoscaler: several metrics, limits, scale to zero, conditions and events."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.host.kubernetes.hpa.algorithm import ScaleUpdateError, reconcile
from rehearsal.host.kubernetes.hpa.model import (
    AutoscalerSpec,
    AutoscalerState,
    ExternalReadings,
    Observation,
    PodReading,
    PodReadings,
    PodState,
    Reading,
    Scale,
    UnavailableMetric,
)

CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
}
QUEUE = {
    "type": "External",
    "external": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "10"}},
}
CONTAINER = {"containers": [{"name": "main", "resources": {"requests": {"cpu": "1"}}}]}


def spec(*metrics: dict[str, Any], low: int = 1, **more: Any) -> AutoscalerSpec:
    return AutoscalerSpec.parse({"minReplicas": low, "maxReplicas": 100, "metrics": list(metrics), **more})


def observed(replicas: int, *readings: Reading) -> Observation:
    pods = [
        PodState(f"pod-{number}", started=-1000.0, ready_since=-900.0, spec=CONTAINER)
        for number in range(replicas)
    ]
    return Observation(Scale(replicas, replicas), pods, readings)


def cpu(replicas: int, percent: int) -> PodReadings:
    return PodReadings({f"pod-{number}": PodReading(percent * 10) for number in range(replicas)})


def test_the_metric_with_the_highest_proposal_decides() -> None:
    state = AutoscalerState()
    decision = reconcile(spec(CPU, QUEUE), state, observed(4, cpu(4, 50), ExternalReadings([70_000])), 0.0)
    assert (decision.desired, decision.proposals) == (7, [4, 7])
    assert decision.reason == "external metric queue(nil) above target"
    assert [event.reason for event in decision.events] == ["SuccessfulRescale"]


def test_an_invalid_metric_forbids_fewer_replicas_but_not_more() -> None:
    missing = UnavailableMetric("no metrics returned")
    state = AutoscalerState()
    down = reconcile(spec(CPU, QUEUE), state, observed(4, cpu(4, 10), missing), 0.0)
    assert not down.rescaled
    condition = state.condition("ScalingActive")
    assert condition is not None
    assert (condition.status, condition.reason) == ("False", "FailedGetExternalMetric")
    up = reconcile(spec(CPU, QUEUE), AutoscalerState(), observed(4, cpu(4, 90), missing), 0.0)
    assert up.desired == 8
    assert "1 invalid out of 2" in up.error


def test_without_behavior_a_sync_doubles_and_with_it_a_period_does() -> None:
    def run(given: AutoscalerSpec) -> list[int]:
        state, replicas, found = AutoscalerState(), 1, list[int]()
        for now in (0.0, 15.0, 30.0):
            replicas = reconcile(given, state, observed(replicas, cpu(replicas, 5000)), now).desired
            found.append(replicas)
        return found

    assert run(spec(CPU)) == [4, 8, 16]
    assert run(spec(CPU, behavior={})) == [5, 10, 20]


def test_without_behavior_an_earlier_higher_recommendation_counts_on_the_way_up() -> None:
    state, given = AutoscalerState(), spec(CPU)
    assert reconcile(given, state, observed(5, cpu(5, 400)), 0.0).desired == 10
    assert reconcile(given, state, observed(10, cpu(10, 45)), 15.0).desired == 20
    assert reconcile(given, state, observed(20, cpu(20, 23)), 30.0).desired == 40


def test_it_scales_to_zero_and_back_by_a_shared_metric() -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    given, state = spec(QUEUE, low=0, behavior=behavior), AutoscalerState()
    assert reconcile(given, state, observed(2, ExternalReadings([0])), 0.0).desired == 0
    condition = state.condition("ScaledToZero")
    assert condition is not None
    assert condition.status == "True"
    assert reconcile(given, state, observed(0, ExternalReadings([25_000])), 15.0).desired == 3


def test_zero_replicas_by_hand_disable_it() -> None:
    state = AutoscalerState()
    decision = reconcile(spec(QUEUE), state, observed(0, ExternalReadings([25_000])), 0.0)
    assert not decision.rescaled
    condition = state.condition("ScalingActive")
    assert condition is not None
    assert condition.reason == "ScalingDisabled"


@pytest.mark.parametrize(
    ("replicas", "wanted", "which"), [(150, 100, "above Spec.Max"), (1, 3, "below Spec.Min")]
)
def test_outside_its_bounds_no_metric_is_read(replicas: int, wanted: int, which: str) -> None:
    decision = reconcile(spec(CPU, low=3), AutoscalerState(), observed(replicas), 0.0)
    assert decision.desired == wanted
    assert which in decision.reason


def test_pods_of_two_autoscalers_are_not_scaled() -> None:
    found = observed(2, cpu(2, 500))
    both = Observation(found.scale, found.pods, found.readings, [("a", "default"), ("b", "default")])
    state = AutoscalerState()
    decision = reconcile(spec(CPU), state, both, 0.0)
    assert not decision.rescaled
    condition = state.condition("ScalingActive")
    assert condition is not None
    assert condition.reason == "AmbiguousSelector"


def test_a_scale_that_cannot_be_written_is_a_condition() -> None:
    def refuse(replicas: int) -> None:
        raise ScaleUpdateError(f"{replicas} are too many")

    state = AutoscalerState()
    decision = reconcile(spec(CPU), state, observed(2, cpu(2, 100)), 0.0, None, refuse)
    assert decision.error == "failed to rescale: 4 are too many"
    condition = state.condition("AbleToScale")
    assert condition is not None
    assert condition.reason == "FailedUpdateScale"
