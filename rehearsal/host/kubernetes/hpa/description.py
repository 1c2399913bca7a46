"""Describe an autoscaler's last sync with its metric values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.host.kubernetes.hpa.model import AutoscalerSpec, AutoscalerState, MetricStatus, ScalingDecision
from rehearsal.host.kubernetes.hpa.trace import reading_key

_BINARY = ((1 << 40, "Ti"), (1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki"))


def metric_lines(spec: AutoscalerSpec, state: AutoscalerState, decision: ScalingDecision) -> list[str]:
    """Return one line per metric: current value, target, and the replicas that it proposes.

    [] before the first sync that read metrics.
    """
    return [
        f"{_name(metric)}: {_current(metric, status)} of {_target(metric)}"
        + ("" if replicas is None else f", {replicas} replicas")
        for metric, status, replicas in zip(spec.metrics, state.metrics, decision.proposals, strict=False)
    ]


def outcome_line(spec: AutoscalerSpec, state: AutoscalerState, decision: ScalingDecision) -> str:
    """Return one line with the result of the sync, or the condition's reason for no change."""
    if decision.rescaled:
        return f"scaled to {decision.desired}: {decision.reason}"
    if decision.error:
        return f"not scaled: {decision.error}"
    wanted = max((count for count in decision.proposals if count is not None), default=decision.desired)
    stays = f"stays at {decision.desired}"
    if wanted == decision.desired:
        return f"{stays}: the metrics propose the same number"
    for type_ in ("ScalingLimited", "AbleToScale", "ScalingActive"):
        condition = state.condition(type_)
        if condition is not None and condition.reason not in _WITHOUT_REASON:
            return f"{stays}, not {wanted}: {condition.reason}, {condition.message}"
    bounds = f"{spec.min_replicas} to {spec.max_replicas}"
    return f"{stays}, not {wanted}: within {bounds}"


_WITHOUT_REASON = frozenset(
    {"DesiredWithinRange", "ReadyForNewScale", "ValidMetricFound", "SucceededGetScale", "SucceededRescale"}
)


def _name(metric: Mapping[str, Any]) -> str:
    key = reading_key(metric)
    return (
        key.removesuffix("/").replace("/", " of container ") if "metric" not in str(metric["type"]) else key
    )


def _source(metric: Mapping[str, Any]) -> Mapping[str, Any]:
    kind = str(metric["type"])
    found: Mapping[str, Any] = metric[kind[0].lower() + kind[1:]]
    return found


def _target(metric: Mapping[str, Any]) -> str:
    target = _source(metric).get("target") or {}
    if target.get("averageUtilization") is not None:
        return f"{target['averageUtilization']} % of requests"
    if target.get("averageValue") is not None:
        return f"{target['averageValue']} a pod"
    return str(target.get("value", "no target"))


def _current(metric: Mapping[str, Any], status: MetricStatus | None) -> str:
    if status is None:
        return "unknown"
    if status.utilization is not None:
        return f"{status.utilization} %"
    memory = _source(metric).get("name") == "memory"
    value = status.average if status.average is not None else status.value
    return "unknown" if value is None else milli_text(value, binary=memory)


def milli_text(value: int, *, binary: bool = False) -> str:
    """Format thousandths as kubectl shows a quantity: `1500m`, `80`, for integral memory `12Mi`."""
    whole, rest = divmod(value, 1000)
    if rest and not binary:
        return f"{value}m"
    if binary:
        for unit, suffix in _BINARY:
            if whole >= unit:
                return f"{whole / unit:.0f}{suffix}"
    return str(whole)
