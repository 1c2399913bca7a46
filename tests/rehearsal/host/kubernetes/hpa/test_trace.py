"""A recorded trace replays to the decisions that were made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.host.kubernetes.hpa.algorithm import reconcile
from rehearsal.host.kubernetes.hpa.model import (
    AutoscalerSpec,
    AutoscalerState,
    ControllerConfig,
    ExternalReadings,
    ObjectReading,
    Observation,
    PodReading,
    PodReadings,
    PodState,
    Reading,
    Scale,
    UnavailableMetric,
)
from rehearsal.host.kubernetes.hpa.trace import (
    config_of,
    reading_key,
    recorded_step,
    replay,
    started_trace,
)

SPEC = {
    "minReplicas": 1,
    "maxReplicas": 50,
    "scaleTargetRef": {"kind": "Deployment", "name": "api"},
    "metrics": [
        {
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
        }
    ],
}
BEGAN = 1_700_000_000.25


def test_a_recorded_trace_replays_to_the_same_decisions() -> None:
    spec, state, replicas = AutoscalerSpec.parse(SPEC), AutoscalerState(), 2
    made: list[int] = []
    steps = []
    for number, percent in enumerate((90, 120, 40, 10)):
        now = BEGAN + 15 * number
        pods = [
            PodState(
                f"pod-{index}",
                started=now - 400,
                ready_since=now - 390,
                spec={
                    "containers": [{"name": "main", "image": "any", "resources": {"requests": {"cpu": "1"}}}]
                },
            )
            for index in range(replicas)
        ]
        readings = PodReadings({pod.name: PodReading(percent * 10, now - 3, 15.0) for pod in pods})
        observed = Observation(Scale(replicas, replicas), pods, [readings])
        steps.append((now, recorded_step(spec, observed, now)))
        replicas = reconcile(spec, state, observed, now).desired
        made.append(replicas)
    trace = json.loads(json.dumps(started_trace("default/api", SPEC, 15.0, steps)))
    assert [step.spec_replicas for step in replay(trace)] == made
    assert made[0] > 2
    assert "image" not in json.dumps(trace)


def step(**fields: Any) -> dict[str, Any]:
    pod = {"name": "pod-0", "phase": "Running", "started": -900.0, "ready": "True", "readySince": -800.0}
    return {"specReplicas": 1, "statusReplicas": 1, "pods": [pod], **fields}


def trace_of(metric: dict[str, Any], *steps: dict[str, Any]) -> dict[str, Any]:
    spec = {"minReplicas": 1, "maxReplicas": 50, "metrics": [metric]}
    return {"config": {"period": 15}, "spec": spec, "steps": list(steps)}


def external(target: dict[str, str]) -> dict[str, Any]:
    return {"type": "External", "external": {"metric": {"name": "queue"}, "target": target}}


def replicas(trace: dict[str, Any]) -> list[int]:
    return [found.spec_replicas for found in replay(trace)]


def test_every_kind_of_reading_is_replayed() -> None:
    metric = external({"type": "AverageValue", "averageValue": "10"})
    described = {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "10"}}
    whole = {"type": "Object", "object": described | {"describedObject": {"kind": "Service", "name": "api"}}}
    each = {"type": "Pods", "pods": {"metric": {"name": "queue"}, "target": {"averageValue": "10"}}}
    reading = {"value": 30_000, "taken": 0.0, "window": 15.0}
    assert replicas(trace_of(metric, step(readings={"queue": {"values": [10_000, 20_000]}}))) == [3]
    assert replicas(trace_of(whole, step(readings={"queue": {"value": 30_000}}))) == [3]
    assert replicas(trace_of(each, step(readings={"queue": {"pods": {"pod-0": reading}}}))) == [3]


def test_missing_readings_and_errors_are_replayed() -> None:
    metric = external({"type": "AverageValue", "averageValue": "10"})
    steps = [
        step(readings={"queue": {"error": "the API is down"}}),
        step(),
        {"statusReplicas": 0, "scaleError": "not found"},
    ]
    errors = [found.decision.error for found in replay(trace_of(metric, *steps))]
    assert [text.rpartition(": ")[2] for text in errors] == [
        "the API is down",
        "no reading queue",
        "not found",
    ]


def test_scale_that_could_not_be_written_stays() -> None:
    metric = external({"type": "AverageValue", "averageValue": "10"})
    queue = {"queue": {"values": [30_000]}}
    steps = [step(readings=queue, updateError="conflict"), {**step(readings=queue), "specReplicas": None}]
    assert replicas(trace_of(metric, *steps)) == [1, 3]


def test_second_autoscaler_of_the_pods_counts_from_the_second_step() -> None:
    metric = external({"type": "AverageValue", "averageValue": "10"})
    readings = {"queue": {"values": [30_000]}}
    first, second, third = (
        step(readings=readings, ambiguous=True),
        step(readings=readings),
        step(readings=readings),
    )
    assert replicas(trace_of(metric, first, second, third | {"ambiguous": True})) == [3, 3, 1]
    assert replicas(trace_of(metric, first, second | {"ambiguous": True})) == [3, 1]


def test_flags_of_the_controller_are_those_of_the_trace() -> None:
    assert config_of({}) == ControllerConfig()
    given = {
        "tolerance": 0.2,
        "downscaleStabilization": 1,
        "cpuInitializationPeriod": 2,
        "initialReadinessDelay": 3,
    }
    assert config_of({"config": given}) == ControllerConfig(0.2, 1, 2, 3)


def test_observation_is_recorded_with_times_relative_to_the_sync() -> None:
    pod = PodState(
        "pod-0",
        started=990.0,
        ready_since=995.0,
        spec={
            "containers": [{"name": "main", "resources": {"requests": {"cpu": "1"}}}, {"name": "bare"}],
            "initContainers": [{"name": "proxy", "restartPolicy": "Always"}],
        },
    )
    unstarted = PodState("pod-1", phase="Pending", ready=None)
    reading = PodReadings({"pod-0": PodReading(7, 999.0, 15.0)})
    observed = Observation(Scale(2, 2), [pod, unstarted], [reading], [("a", "n"), ("b", "n")])
    found = recorded_step(AutoscalerSpec.parse(SPEC), observed, 1000.0)
    assert found["ambiguous"] is True
    first, second = found["pods"]
    assert (first["started"], first["readySince"], first["ready"]) == (-10.0, -5.0, "True")
    assert (second["started"], second["ready"]) == (None, "")
    assert [item["resources"]["requests"] for item in first["spec"]["containers"]] == [{"cpu": "1"}, {}]
    assert first["spec"]["initContainers"][0]["restartPolicy"] == "Always"
    assert "restartPolicy" not in first["spec"]["containers"][0]
    assert found["readings"] == {"cpu/": {"pods": {"pod-0": {"value": 7, "taken": -1.0, "window": 15.0}}}}
    placed = started_trace("n/api", SPEC, 15.0, [(985.0, found), (1000.0, found)])
    assert placed["recorded"] == 985.0
    assert placed["steps"][1]["pods"][0]["started"] == 5.0
    assert placed["steps"][1]["pods"][1]["started"] is None
    assert placed["steps"][1]["readings"]["cpu/"]["pods"]["pod-0"]["taken"] == 14.0
    assert "scaleTargetRef" not in placed["spec"]
    assert started_trace("n/api", SPEC, 15.0, [])["recorded"] is None


def test_unreadable_scale_is_recorded() -> None:
    found = recorded_step(AutoscalerSpec.parse(SPEC), Observation("not found"), 0.0)
    assert found == {"statusReplicas": 0, "scaleError": "not found"}
    placed = started_trace("n/api", SPEC, 15.0, [(0.0, found)])
    assert [item.decision.error for item in replay(placed)] == [
        "failed to query scale subresource: not found"
    ]


@pytest.mark.parametrize(
    ("reading", "recorded"),
    [
        (ObjectReading(7), {"value": 7}),
        (ExternalReadings([7, 8]), {"values": [7, 8]}),
        (UnavailableMetric("down"), {"error": "down"}),
    ],
)
def test_shared_readings_are_recorded(reading: Reading, recorded: dict[str, Any]) -> None:
    spec = AutoscalerSpec.parse({**SPEC, "metrics": [external({"averageValue": "1"})]})
    found = recorded_step(spec, Observation(Scale(1, 1), [], [reading]), 0.0)
    assert found["readings"] == {"queue": recorded}
    assert found["ambiguous"] is False


@pytest.mark.parametrize(("autoscalers", "ambiguous"), [(0, False), (1, False), (2, True)])
def test_pods_of_several_autoscalers_are_recorded_as_ambiguous(autoscalers: int, ambiguous: bool) -> None:
    spec = AutoscalerSpec.parse(SPEC)
    selecting = [("a", "n"), ("b", "n")][:autoscalers]
    observed = Observation(Scale(1, 1), [], [UnavailableMetric("down")], selecting)
    assert recorded_step(spec, observed, 0.0)["ambiguous"] is ambiguous


def test_readings_have_a_key_per_metric() -> None:
    container = {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "main"}}
    assert reading_key(container) == "cpu/main"
    assert reading_key({"type": "Resource", "resource": {"name": "memory"}}) == "memory/"
    assert reading_key(external({})) == "queue"
