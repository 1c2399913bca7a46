"""Text descriptions of an autoscaler's last sync."""

from __future__ import annotations

from typing import Any

import pytest

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


def line_of(metric: dict[str, Any], status: MetricStatus) -> str:
    given = AutoscalerSpec.parse({"maxReplicas": 9, "metrics": [metric]})
    [line] = metric_lines(given, AutoscalerState(metrics=[status]), ScalingDecision(3, proposals=[3]))
    return line


def test_values_are_written_in_the_unit_of_the_metric() -> None:
    memory = {"type": "Resource", "resource": {"name": "memory", "target": {"averageValue": "64Mi"}}}
    assert (
        line_of(memory, MetricStatus(average=12 * 2**20 * 1000)) == "memory: 12Mi of 64Mi a pod, 3 replicas"
    )
    queue = {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"value": "10"}}}
    assert line_of(queue, MetricStatus(value=7_000)) == "queue: 7 of 10, 3 replicas"
    assert line_of(queue, MetricStatus()) == "queue: unknown of 10, 3 replicas"
    untargeted = {"type": "External", "external": {"metric": {"name": "queue"}}}
    assert line_of(untargeted, MetricStatus(average=1)) == "queue: 1m of no target, 3 replicas"
    container = {"name": "cpu", "container": "main", "target": {"averageUtilization": 65}}
    own = {"type": "ContainerResource", "containerResource": container}
    assert line_of(own, MetricStatus(utilization=41)).startswith("cpu of container main: 41 %")


@pytest.mark.parametrize(
    ("value", "binary", "text"),
    [
        (999, False, "999m"),
        (1_000, False, "1"),
        (1_000, True, "1"),
        (1_023_000, True, "1023"),
        (1_024_000, True, "1Ki"),
        (1_536_500, True, "2Ki"),
        (2**30 * 1000, True, "1Gi"),
        (2**40 * 1000, True, "1Ti"),
    ],
)
def test_quantities_have_the_first_unit_that_they_reach(value: int, binary: bool, text: str) -> None:
    assert milli_text(value, binary=binary) == text


def test_the_outcome_without_a_condition_names_the_bounds() -> None:
    state = AutoscalerState()
    for type_, reason in (("ScalingLimited", "DesiredWithinRange"), ("AbleToScale", "ReadyForNewScale")):
        state.set_condition(0.0, type_, True, reason, "")
    line = outcome_line(SPEC, state, ScalingDecision(5, proposals=[3, None]))
    assert line == "stays at 5, not 3: within 2 to 9"
    state.set_condition(0.0, "ScalingLimited", True, "TooManyReplicas", "more than the maximum")
    line = outcome_line(SPEC, state, ScalingDecision(9, proposals=[12]))
    assert line == "stays at 9, not 12: TooManyReplicas, more than the maximum"


def test_the_outcome_without_proposals_is_the_error_or_the_same_number() -> None:
    assert outcome_line(SPEC, AutoscalerState(), ScalingDecision(3, error="down")) == "not scaled: down"
    stays = "stays at 3: the metrics propose the same number"
    assert outcome_line(SPEC, AutoscalerState(), ScalingDecision(3, proposals=[None])) == stays
