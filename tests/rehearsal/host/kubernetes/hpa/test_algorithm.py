"""One sync of an autoscaler: several metrics, limits, scale to zero, conditions and events."""

from __future__ import annotations

import copy
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
    swapped = observed(4, ExternalReadings([70_000]), cpu(4, 50))
    assert reconcile(spec(QUEUE, CPU), AutoscalerState(), swapped, 0.0).desired == 7
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


def test_workload_is_scaled_to_zero_and_back_by_a_shared_metric() -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    given, state = spec(QUEUE, low=0, behavior=behavior), AutoscalerState()
    assert reconcile(given, state, observed(2, ExternalReadings([0])), 0.0).desired == 0
    condition = state.condition("ScaledToZero")
    assert condition is not None
    assert condition.status == "True"
    assert reconcile(given, state, observed(0, ExternalReadings([25_000])), 15.0).desired == 3


def test_a_workload_at_zero_without_a_valid_metric_is_reported_as_inactive() -> None:
    given, state = (
        spec(QUEUE, low=0, behavior={"scaleDown": {"stabilizationWindowSeconds": 0}}),
        AutoscalerState(),
    )
    assert reconcile(given, state, observed(2, ExternalReadings([0])), 0.0).desired == 0
    decision = reconcile(given, state, observed(0, UnavailableMetric("down")), 15.0)
    condition = state.condition("ScalingActive")
    assert condition is not None
    assert condition.status == "False"
    assert [event.reason for event in decision.events][-1] == "FailedComputeMetricsReplicas"


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


def condition(state: AutoscalerState, type_: str) -> tuple[str, str]:
    found = state.condition(type_)
    assert found is not None
    return found.status, found.reason


def test_unchanged_count_has_no_reason() -> None:
    state = AutoscalerState()
    decision = reconcile(spec(CPU), state, observed(4, cpu(4, 50)), 0.0)
    assert (decision.desired, decision.rescaled, decision.reason, decision.events) == (4, False, "", [])
    assert (state.current_replicas, state.desired_replicas, state.last_scale) == (4, 4, None)
    assert condition(state, "AbleToScale") == ("True", "ReadyForNewScale")
    assert condition(state, "ScalingLimited") == ("False", "DesiredWithinRange")


@pytest.mark.parametrize(
    ("percent", "reason"),
    [
        (90, "cpu resource utilization (percentage of request) above target"),
        (10, "All metrics below target"),
    ],
)
def test_changed_count_has_the_reason_of_its_direction(percent: int, reason: str) -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    state = AutoscalerState()
    decision = reconcile(spec(CPU, behavior=behavior), state, observed(4, cpu(4, percent)), 5.0)
    assert (decision.rescaled, decision.reason) == (True, reason)
    assert (state.last_scale, state.desired_replicas) == (5.0, decision.desired)
    assert condition(state, "ScaledToZero") == ("False", "NotScaledToZero")


def test_limit_of_the_count_is_a_condition() -> None:
    state = AutoscalerState()
    assert reconcile(spec(CPU), state, observed(4, cpu(4, 1000)), 0.0).desired == 8
    assert condition(state, "ScalingLimited") == ("True", "ScaleUpLimit")


def test_window_of_the_behavior_holds_back_scaling_up() -> None:
    given = spec(CPU, behavior={"scaleUp": {"stabilizationWindowSeconds": 60}})
    state = AutoscalerState()
    wanted = [
        reconcile(given, state, observed(4, cpu(4, 90)), now).desired for now in (0.0, 30.0, 59.0, 61.0)
    ]
    assert wanted == [4, 4, 4, 8]


def test_window_of_the_behavior_replaces_the_default_for_scaling_down() -> None:
    cases: list[tuple[dict[str, Any], float]] = [
        ({}, 301.0),
        ({"scaleDown": {"stabilizationWindowSeconds": 60}}, 61.0),
    ]
    for behavior, after in cases:
        given, state = spec(CPU, behavior=behavior), AutoscalerState()
        wanted = [
            reconcile(given, state, observed(4, cpu(4, 10)), now).desired for now in (0.0, after - 2, after)
        ]
        assert wanted == [4, 4, 1], behavior


def test_stabilized_count_is_a_condition() -> None:
    state = AutoscalerState()
    reconcile(spec(CPU), state, observed(4, cpu(4, 10)), 0.0)
    assert condition(state, "AbleToScale") == ("True", "ScaleDownStabilized")
    state = AutoscalerState()
    reconcile(spec(CPU, behavior={}), state, observed(4, cpu(4, 10)), 0.0)
    assert condition(state, "AbleToScale") == ("True", "ScaleDownStabilized")


def test_own_selector_alone_is_not_ambiguous() -> None:
    found = observed(4, cpu(4, 90))
    alone = Observation(found.scale, found.pods, found.readings, [("a", "default")])
    decision = reconcile(spec(CPU), AutoscalerState(), alone, 0.0)
    assert (decision.desired, decision.selector_read) == (8, True)


def test_invalid_selectors_are_conditions() -> None:
    for scale, reason in (
        (Scale(2, 2, ""), "InvalidSelector"),
        (Scale(2, 2, "a b", "malformed"), "InvalidSelector"),
    ):
        state = AutoscalerState()
        found = observed(2, cpu(2, 500))
        decision = reconcile(spec(CPU), state, Observation(scale, found.pods, found.readings), 0.0)
        assert (decision.rescaled, decision.selector_read) == (False, False)
        assert condition(state, "ScalingActive") == ("False", reason)
    assert decision.events[0].message.endswith(": malformed")


def test_unreadable_scale_is_a_condition() -> None:
    state = AutoscalerState(desired_replicas=3)
    decision = reconcile(spec(CPU), state, Observation("not found"), 0.0)
    assert (decision.desired, decision.error) == (3, "failed to query scale subresource: not found")
    assert condition(state, "AbleToScale") == ("False", "FailedGetScale")


def test_lower_or_equal_proposal_of_a_later_metric_does_not_count() -> None:
    given = spec(CPU, QUEUE, low=0)
    found = reconcile(given, AutoscalerState(), observed(1, cpu(1, 50), ExternalReadings([0])), 0.0)
    assert (found.desired, found.proposals) == (1, [1, 0])
    found = reconcile(given, AutoscalerState(), observed(4, cpu(4, 75), ExternalReadings([60_000])), 0.0)
    assert found.proposals == [6, 6]
    assert found.reason.startswith("cpu resource utilization")


@pytest.mark.parametrize(("low", "disabled"), [(0, True), (1, False), (2, False)])
def test_resource_metric_scales_from_zero_only_with_a_minimum(low: int, disabled: bool) -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    state = AutoscalerState()
    reconcile(spec(QUEUE, low=0, behavior=behavior), state, observed(2, ExternalReadings([0])), 0.0)
    reconcile(spec(CPU, low=low), state, observed(0, UnavailableMetric("no pods")), 15.0)
    assert (condition(state, "ScalingActive") == ("False", "ScalingDisabled")) is disabled


def test_last_replica_is_removed_by_a_shared_metric() -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    state = AutoscalerState()
    given = spec(QUEUE, low=0, behavior=behavior)
    assert reconcile(given, state, observed(1, ExternalReadings([0])), 0.0).desired == 0
    assert condition(state, "ScaledToZero") == ("True", "ScaledToZero")


def test_only_a_shared_metric_scales_to_zero_by_itself() -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    state = AutoscalerState()
    decision = reconcile(spec(CPU, low=0, behavior=behavior), state, observed(2, cpu(2, 0)), 0.0)
    assert decision.desired == 0
    assert condition(state, "ScaledToZero") == ("False", "NotScaledToZero")
    assert not reconcile(spec(CPU, low=0, behavior=behavior), state, observed(0), 15.0).rescaled


def test_raised_minimum_ends_the_scale_to_zero() -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    state = AutoscalerState()
    reconcile(spec(QUEUE, low=0, behavior=behavior), state, observed(2, ExternalReadings([0])), 0.0)
    for low, desired in ((3, 3), (1, 1)):
        given = spec(QUEUE, low=low, behavior=behavior)
        found = reconcile(given, copy.deepcopy(state), observed(0, ExternalReadings([10_000])), 15.0)
        assert found.desired == desired
    for low in (1, 2):
        found = reconcile(
            spec(QUEUE, low=low, behavior=behavior),
            copy.deepcopy(state),
            observed(0, ExternalReadings([0])),
            15.0,
        )
        assert (found.desired, found.reason) == (low, "Current number of replicas below Spec.MinReplicas")


def test_error_of_an_invalid_metric_is_reported_beside_the_decision() -> None:
    missing = UnavailableMetric("no metrics returned")
    same = reconcile(spec(CPU, QUEUE), AutoscalerState(), observed(4, cpu(4, 50), missing), 0.0)
    assert (same.desired, same.rescaled) == (4, False)
    assert same.error.startswith("invalid metrics (1 invalid out of 2), first error is: ")
    none = reconcile(spec(CPU, QUEUE), AutoscalerState(), observed(4, missing, missing), 0.0)
    assert "invalid metrics (2 invalid out of 2)" in none.error
    assert "cpu" in none.error, "the first error"
    assert reconcile(spec(CPU), AutoscalerState(), observed(4, cpu(4, 90)), 0.0).error == ""


def test_bounds_themselves_are_allowed() -> None:
    given = AutoscalerSpec.parse({"minReplicas": 4, "maxReplicas": 4, "metrics": [CPU]})
    decision = reconcile(given, AutoscalerState(), observed(4, cpu(4, 50)), 0.0)
    assert (decision.rescaled, decision.proposals) == (False, [4])
