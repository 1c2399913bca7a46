"""A recorded trace replays to the decisions that were made."""

from __future__ import annotations

import json

from rehearsal.host.kubernetes.hpa.algorithm import reconcile
from rehearsal.host.kubernetes.hpa.model import (
    AutoscalerSpec,
    AutoscalerState,
    Observation,
    PodReading,
    PodReadings,
    PodState,
    Scale,
)
from rehearsal.host.kubernetes.hpa.trace import recorded_step, replay, started_trace

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
