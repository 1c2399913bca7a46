"""Comparison with every decision of the table tests of Kubernetes.

`upstream.json` has the inputs and results of each row of `pkg/controller/podautoscaler`;
`tests/cluster/hpa/tables` records it from the pinned version (`go run ./hpa/tables OUTPUT` in tests/cluster).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.kubernetes.hpa.algorithm import ScaleUpdateError, reconcile
from rehearsal.host.kubernetes.hpa.model import (
    AutoscalerSpec,
    AutoscalerState,
    Behavior,
    Condition,
    ControllerConfig,
    ExternalReadings,
    ObjectReading,
    Observation,
    PodReading,
    PodReadings,
    PodState,
    Reading,
    Recommendation,
    Scale,
    ScaleEvent,
    UnavailableMetric,
)
from rehearsal.host.kubernetes.hpa.replica_calculator import (
    MetricError,
    ReplicaCalculator,
    Tolerances,
    group_pods,
    pod_requests,
    sum_for_average,
    sum_for_value,
)
from rehearsal.host.kubernetes.hpa.scaling_limits import (
    scale_down_limit,
    scale_up_limit,
    stabilized,
    stabilized_by_behavior,
    store_scale_event,
    within_limits,
    within_rate,
)

Row = dict[str, Any]
NOW = 1_000_000.0


@cache
def recording() -> dict[str, Any]:
    """The recorded rows with the version that they come from."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / "upstream.json").read_text())
    return found


def rows(kind: str) -> list[Any]:
    """Parameters of all rows of a kind, named after the upstream test."""
    return [
        pytest.param(row, id=f"{index}-{row['test']}")
        for index, row in enumerate(recording()["rows"])
        if row["kind"] == kind and not depends_on_a_disabled_gate(row)
    ]


def depends_on_a_disabled_gate(row: Row) -> bool:
    """Whether a feature gate that is on by default was off, and the row would differ with it on.

    The rehearsal implements the defaults of the version only.
    """
    gates = row["gates"]
    if not gates["HPAConfigurableTolerance"] and "tolerance" in json.dumps(row.get("spec", {})):
        return True
    if gates["HPAScaleToZero"] or row["kind"] != "reconcile":
        return False
    had = any(item["type"] == "ScaledToZero" for item in row["before"]["status"]["conditions"])
    return had or row["spec"].get("minReplicas") == 0


# -- inputs -----------------------------------------------------------------------------------------------


def config(row: Row) -> ControllerConfig:
    given, default = row.get("config") or {}, ControllerConfig()
    return ControllerConfig(
        given.get("tolerance", default.tolerance),
        given.get("downscaleStabilization", default.downscale_stabilization),
        given.get("cpuInitializationPeriod", default.cpu_initialization_period),
        given.get("initialReadinessDelay", default.initial_readiness_delay),
        row.get("scaleUpLimitFactor", default.scale_up_limit_factor),
    )


def pods(row: Row) -> list[PodState]:
    return [
        PodState(
            item["name"],
            item["phase"],
            item["deleted"],
            NOW + item["started"] if "started" in item else None,
            item.get("ready"),
            NOW + item.get("readySince", 0.0),
            item["spec"],
        )
        for item in row.get("pods") or []
    ]


def reading(item: Row) -> Reading:
    if "error" in item:
        return UnavailableMetric(item["error"])
    if "value" in item:
        return ObjectReading(item["value"])
    if "values" in item:
        return ExternalReadings(item["values"] or [])
    return PodReadings(
        {
            name: PodReading(found["value"], NOW + found["taken"], found["window"])
            for name, found in item["pods"].items()
        }
    )


def recommendations(items: list[list[Any]]) -> list[Recommendation]:
    return [Recommendation(replicas, NOW + at) for replicas, at in items]


def events(items: list[list[Any]]) -> list[ScaleEvent]:
    return [ScaleEvent(change, NOW + at, outdated) for change, at, outdated in items]


# -- the whole sync ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows("reconcile"))
def test_sync_decides_as_upstream(row: Row) -> None:
    spec, expected = AutoscalerSpec.parse(row["spec"]), row["result"]
    before, scale = row["before"], row["scale"] or {"error": "no scale was read"}
    known = recommendations(before["recommendations"])
    if before["seeded"] and not known:
        # An empty history, which only tests have, has the effect of one that no window reaches.
        known = [Recommendation(before["status"]["current"], NOW - 1e6)]
    state = AutoscalerState(
        known,
        events(before["scaleUps"]),
        events(before["scaleDowns"]),
        [
            Condition(item["type"], item["status"], item["reason"], item["message"], NOW)
            for item in before["status"]["conditions"]
        ],
        before["status"]["current"],
        before["status"]["desired"],
    )
    readings = [reading(item) for item in row["readings"] or []]
    # A metric whose source is invalid is never read, so that it has no reading in the row.
    for index, metric in enumerate(spec.metrics):
        if not readable(metric):
            readings.insert(index, UnavailableMetric("never read"))
    readings += [UnavailableMetric("never read")] * (len(spec.metrics) - len(readings))
    observed = Observation(
        scale["error"]
        if "error" in scale
        else Scale(scale["spec"], scale["status"], scale["selector"], scale.get("selectorError", "")),
        pods(row),
        readings,
        [("one", row["namespace"]), ("other", row["namespace"])][: row["matching"]],
        row["namespace"],
    )
    written: list[int] = []

    def rescale(replicas: int) -> None:
        attempts = expected["rescale"] or []
        written.append(replicas)
        if attempts[-1]["error"]:
            raise ScaleUpdateError(attempts[-1]["error"])

    decision = reconcile(spec, state, observed, NOW, config(row), rescale)
    assert written == sorted({item["replicas"] for item in expected["rescale"] or []})
    assert decision.desired == expected["status"]["desired"]
    assert state.current_replicas == expected["status"]["current"]
    # The condition exists only where the feature gate is on.
    hidden = set() if row["gates"]["HPAScaleToZero"] else {"ScaledToZero"}
    assert {item.type: shown_condition(item) for item in state.conditions if item.type not in hidden} == {
        item["type"]: (item["status"], item["reason"], message(item["reason"], item["message"]))
        for item in expected["status"]["conditions"]
    }
    assert [(item.type, item.reason) for item in decision.events] == [
        (item["type"], item["reason"]) for item in expected["events"] or []
    ]
    assert bool(decision.error) == bool(expected["error"])
    if written or decision.error == "":
        assert [shown(item) for item in state.metrics] == expected["status"]["metrics"]


def readable(metric: Mapping[str, Any]) -> bool:
    """Whether the controller reads the metric at all, or finds its declaration invalid before."""
    kind = metric["type"]
    source = metric.get(kind[0].lower() + kind[1:])
    if source is None:
        return False
    target = source["target"]
    if kind in {"Resource", "ContainerResource"}:
        return "averageValue" in target or "averageUtilization" in target
    return "value" in target or "averageValue" in target


def shown_condition(condition: Condition) -> tuple[str, str, str]:
    return condition.status, condition.reason, message(condition.reason, condition.message)


def message(reason: str, text: str) -> str:
    """A condition's text; the autoscalers that select the same pods come in any order."""
    return "" if reason == "AmbiguousSelector" else text


def shown(status: Any) -> Row:
    if status is None:
        return {}
    found = {"utilization": status.utilization, "average": status.average, "value": status.value}
    return {name: value for name, value in found.items() if value is not None}


# -- the replica calculator -------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows("calculate"))
def test_replica_calculator_decides_as_upstream(row: Row) -> None:
    given, expected = row["arguments"], row["result"]
    down, up = row["tolerances"]
    calculator = ReplicaCalculator(pods(row), NOW, config(row), Tolerances(down, up))
    found = reading(row["readings"][0])
    if isinstance(found, UnavailableMetric):
        assert found.error in expected["error"]
        return
    if expected["error"]:
        with pytest.raises(MetricError, match=f"^{re.escape(expected['error'])}$"):
            calculate(calculator, row["function"], given, found)
        return
    assert calculate(calculator, row["function"], given, found) == {
        name: value for name, value in expected.items() if name != "error"
    }


def calculate(calculator: ReplicaCalculator, function: str, given: Row, found: Reading) -> Row:
    current, target = given["current"], given["target"]
    if isinstance(found, PodReadings):
        if function == "GetResourceReplicas":
            replicas, ratio = calculator.for_utilization(
                current, found.by_pod, target, given["resource"], given["container"]
            )
            return {"replicas": replicas, "utilization": ratio.utilization, "usage": ratio.average}
        replicas, usage = calculator.for_average(current, found.by_pod, target, given.get("resource", ""))
    elif isinstance(found, ObjectReading):
        if function == "GetObjectMetricReplicas":
            replicas, usage = calculator.for_value(current, found.value, target), found.value
        else:
            replicas, usage = calculator.for_average_of_object(current, found.value, target)
    else:
        assert isinstance(found, ExternalReadings)
        if function == "GetExternalMetricReplicas":
            usage = sum_for_value(found.values)
            replicas = calculator.for_value(current, usage, target)
        else:
            replicas, usage = calculator.for_average_of_external(
                current, sum_for_average(found.values), target
            )
    return {"replicas": replicas, "usage": usage}


@pytest.mark.parametrize("row", rows("group"))
def test_pods_are_grouped(row: Row) -> None:
    found = reading(row["readings"][0])
    assert isinstance(found, PodReadings)
    groups = group_pods(pods(row), found.by_pod.keys(), found.by_pod, row["resource"], NOW, config(row))
    assert {
        "ready": groups.ready,
        "unready": sorted(groups.unready),
        "missing": sorted(groups.missing),
        "ignored": sorted(groups.ignored),
    } == {name: value or [] if name != "ready" else value for name, value in row["result"].items()}


@pytest.mark.parametrize("row", rows("requests"))
def test_requests_are_summed(row: Row) -> None:
    expected = row["result"]
    if expected["error"]:
        with pytest.raises(MetricError, match=f"^{re.escape(expected['error'])}$"):
            pod_requests(pods(row), row["container"], row["resource"])
    else:
        assert pod_requests(pods(row), row["container"], row["resource"]) == expected["requests"]


# -- limits and stabilization -----------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows("limits"))
def test_limits_without_behavior_are_those_of_upstream(row: Row) -> None:
    given = row["arguments"]
    found = within_limits(given["current"], given["desired"], given["min"], given["max"], config(row))
    assert vars(found) == row["result"]


@pytest.mark.parametrize("row", rows("stabilize"))
def test_stabilization_without_behavior_is_that_of_upstream(row: Row) -> None:
    state = AutoscalerState(recommendations(row["recommendations"]))
    assert stabilized(state, row["desired"], NOW, config(row)) == row["result"]["replicas"]
    assert state.recommendations == recommendations(row["result"]["recommendations"])


@pytest.mark.parametrize("row", rows("stabilizeWithBehavior"))
def test_stabilization_with_behavior_is_that_of_upstream(row: Row) -> None:
    given, expected = row["arguments"], row["result"]
    state = AutoscalerState(recommendations(row["recommendations"]))
    found = stabilized_by_behavior(
        state,
        given["CurrentReplicas"],
        given["DesiredReplicas"],
        given["ScaleUpBehavior"]["stabilizationWindowSeconds"],
        given["ScaleDownBehavior"]["stabilizationWindowSeconds"],
        NOW,
    )
    assert (found.replicas, found.reason, found.message) == (
        expected["replicas"],
        expected["reason"],
        expected["message"],
    )
    assert state.recommendations == recommendations(expected["recommendations"])


def behavior_of(up: Row | None, down: Row | None) -> Behavior:
    return Behavior.parse({"scaleUp": up, "scaleDown": down})


@pytest.mark.parametrize("row", rows("rate"))
def test_rate_limits_are_those_of_upstream(row: Row) -> None:
    given = row["arguments"]
    state = AutoscalerState(scale_ups=events(row["scaleUps"]), scale_downs=events(row["scaleDowns"]))
    behavior = behavior_of(given["ScaleUpBehavior"], given["ScaleDownBehavior"])
    found = within_rate(
        state,
        given["CurrentReplicas"],
        given["DesiredReplicas"],
        (given["MinReplicas"], given["MaxReplicas"]),
        behavior.up,
        behavior.down,
        NOW,
    )
    assert vars(found) == row["result"]


@pytest.mark.parametrize("row", rows("limit"))
def test_policies_limit_changes_as_upstream(row: Row) -> None:
    state = AutoscalerState(scale_ups=events(row["scaleUps"]), scale_downs=events(row["scaleDowns"]))
    behavior = behavior_of(row["rules"], row["rules"])
    found = (
        scale_up_limit(state, row["current"], behavior.up, NOW)
        if row["direction"] == "up"
        else scale_down_limit(state, row["current"], behavior.down, NOW)
    )
    assert found == row["result"]["replicas"]


@pytest.mark.parametrize("row", rows("store"))
def test_scale_events_are_stored(row: Row) -> None:
    given, expected = row["arguments"], row["result"]
    state = AutoscalerState(scale_ups=events(row["scaleUps"]), scale_downs=events(row["scaleDowns"]))
    declared = row["behavior"]
    if declared is not None:
        behavior = behavior_of(declared.get("scaleUp"), declared.get("scaleDown"))
        store_scale_event(state, behavior.up, behavior.down, given["before"], given["after"], NOW)
    assert state.scale_ups == events(expected["scaleUps"])
    assert state.scale_downs == events(expected["scaleDowns"])


# -- completeness -----------------------------------------------------------------------------------------

# Rows that depend on a feature gate that is off, which is not the default of the version.
DISABLED_GATES = 9
# Rows of upstream's tables, by test function, counted in its source.
TABLES = {
    "TestReplicaCalcResourceScale": 24,
    "TestReplicaCalcExternalPerPodMetric": 6,
    "TestReplicaCalcPodMetric": 8,
    "TestReplicaCalcObjectMetric": 6,
    "TestReplicaCalcObjectPerPodMetric": 4,
    "TestReplicaCalcExternalMetric": 5,
    "TestReplicaCalcResourceTolerance": 6,
    "TestReplicaCalcResourceMissingMetrics": 15,
    "TestGroupPods": 14,
    "TestCalculateRequests": 9,
    "TestConvertDesiredReplicasWithRules": 5,
    "TestNormalizeDesiredReplicas": 5,
    "TestScalingWithRules": 40,
    "TestStoreScaleEvents": 8,
    "TestNormalizeDesiredReplicasWithBehavior": 11,
    "TestScaleCPU": 13,
    "TestScaleContainerResource": 2,
    "TestScaleUpCM": 5,
    "TestScaleUpCMObject": 6,
    "TestScaleWithOneInvalidMetric": 3,
    "TestScaleDownCM": 9,
    "TestScaleToZeroBehavior": 9,
    "TestTolerance": 6,
    "TestConfigurableTolerance": 4,
    "TestReplicaLimits": 9,
    "TestMetricsEdgeCases": 6,
    "TestConditionFailedGetMetrics": 3,
}


def test_no_row_is_left_out() -> None:
    assert recording()["version"] == "v1.37.2"
    names = {row["test"] for row in recording()["rows"]}
    found = Counter(name.partition("/")[0] for name in names if "/" in name)
    # A table without subtests records each of its rows under the function's own name.
    found.update(row["test"] for row in recording()["rows"] if row["test"] in TABLES)
    # A row may take more than one sync.
    assert {name: count for name, count in TABLES.items() if found[name] < count} == {}
    assert sum(map(depends_on_a_disabled_gate, recording()["rows"])) == DISABLED_GATES
