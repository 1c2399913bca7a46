"""Text descriptions of an autoscaler's last sync."""

from __future__ import annotations

from rehearsal.host.kubernetes.hpa.description import metric_lines, milli_text, outcome_line
from rehearsal.host.kubernetes.hpa.model import (
    AutoscalerSpec,
    AutoscalerState,
    MetricStatus,
    ScalingDecision,
)

SPEC = AutoscalerSpec.parse(
    {
        "minReplicas": 2,
        "maxReplicas": 9,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 65}},
            },
            {
                "type": "Pods",
                "pods": {
                    "metric": {"name": "rate"},
                    "target": {"type": "AverageValue", "averageValue": "80"},
                },
            },
        ],
    }
)


def test_each_metric_has_its_value_its_target_and_its_replicas() -> None:
    state = AutoscalerState(metrics=[MetricStatus(utilization=41, average=82), None])
    lines = metric_lines(SPEC, state, ScalingDecision(3, proposals=[3, None]))
    assert lines == ["cpu: 41 % of 65 % of requests, 3 replicas", "rate: unknown of 80 a pod"]


def test_the_outcome_names_the_reason_for_no_change() -> None:
    state = AutoscalerState()
    state.set_condition(0.0, "AbleToScale", True, "ScaleDownStabilized", "recent recommendations were higher")
    line = outcome_line(SPEC, state, ScalingDecision(5, proposals=[3, 2]))
    assert line == "stays at 5, not 3: ScaleDownStabilized, recent recommendations were higher"
    assert outcome_line(SPEC, state, ScalingDecision(3, proposals=[3, 2])).startswith("stays at 3: ")
    assert (
        outcome_line(SPEC, state, ScalingDecision(3, rescaled=True, reason="cpu above target"))
        == "scaled to 3: cpu above target"
    )


def test_quantities_are_written_as_kubectl_writes_them() -> None:
    assert (milli_text(1500), milli_text(80_000)) == ("1500m", "80")
    assert milli_text(12 * 2**20 * 1000, binary=True) == "12Mi"
