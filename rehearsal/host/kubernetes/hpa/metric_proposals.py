"""Replica counts proposed by each kind of metric (`computeReplicasForMetric` of `horizontal.go`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.host.kubernetes.hpa.model import (
    Behavior,
    ControllerConfig,
    ExternalReadings,
    MetricStatus,
    ObjectReading,
    PodReadings,
    Reading,
    Scale,
    UnavailableMetric,
    milli_value,
    selector_text,
)
from rehearsal.host.kubernetes.hpa.replica_calculator import (
    MetricError,
    ReplicaCalculator,
    Tolerances,
    sum_for_average,
    sum_for_value,
)


@dataclass(frozen=True)
class MetricProposal:
    replicas: int
    metric: str
    status: MetricStatus


@dataclass(frozen=True)
class InvalidMetricError(Exception):
    """An invalid metric.

    `error` is the metric's own, `reason` the condition's; the caller prepends `prefix`.
    """

    reason: str
    error: str
    prefix: str

    @property
    def message(self) -> str:
        return f"the HPA was unable to compute the replica count: {self.error}"

    @property
    def wrapped(self) -> str:
        return f"{self.prefix}: {self.error}" if self.prefix else self.error


def propose(
    calculator: ReplicaCalculator, scale: Scale, metric: Mapping[str, Any], reading: Reading, namespace: str
) -> MetricProposal:
    """Compute one metric's proposal (`computeReplicasForMetric`). Raises InvalidMetricError."""
    match metric["type"]:
        case "Resource":
            source = metric["resource"]
            return _resource(calculator, scale, source, "", reading, "FailedGetResourceMetric")
        case "ContainerResource":
            source = metric["containerResource"]
            return _resource(
                calculator, scale, source, source["container"], reading, "FailedGetContainerResourceMetric"
            )
        case "Pods":
            return _pods(calculator, scale, metric["pods"], reading)
        case "Object":
            return _object(calculator, scale, metric["object"], reading, namespace)
        case "External":
            return _external(calculator, scale, metric["external"], reading, namespace)
        case unknown:
            raise InvalidMetricError("InvalidMetricSourceType", f'unknown metric source type "{unknown}"', "")


def tolerances_of(behavior: Behavior | None, config: ControllerConfig) -> Tolerances:
    up = down = None
    if behavior is not None:
        up, down = behavior.up.tolerance, behavior.down.tolerance
    return Tolerances(config.tolerance if down is None else down, config.tolerance if up is None else up)


def _resource(
    calculator: ReplicaCalculator,
    scale: Scale,
    source: Mapping[str, Any],
    container: str,
    reading: Reading,
    reason: str,
) -> MetricProposal:
    name, target = str(source["name"]), source.get("target") or {}
    kind = "container" if container else "resource"
    prefix = f"failed to get {container or name} {kind} metric value"
    average, utilization = target.get("averageValue"), target.get("averageUtilization")
    try:
        if average is not None:
            readings = _pod_readings(reading, f"unable to get metrics for resource {name}")
            replicas, value = calculator.for_average(
                scale.spec_replicas, readings.by_pod, milli_value(average), name
            )
            return MetricProposal(replicas, f"{name} resource", MetricStatus(average=value))
        if utilization is None:
            raise InvalidMetricError(
                reason,
                "invalid resource metric source: neither an average utilization target nor an average value "
                "(usage) target was set",
                prefix,
            )
        readings = _pod_readings(reading, f"unable to get metrics for resource {name}")
        replicas, found = calculator.for_utilization(
            scale.spec_replicas, readings.by_pod, int(utilization), name, container
        )
    except MetricError as error:
        step = "utilization" if average is None else "usage"
        raise InvalidMetricError(reason, f"failed to get {name} {step}: {error}", prefix) from error
    what = "container resource" if container else "resource"
    return MetricProposal(
        replicas,
        f"{name} {what} utilization (percentage of request)",
        MetricStatus(utilization=found.utilization, average=found.average),
    )


def _pod_readings(reading: Reading, what: str) -> PodReadings:
    if isinstance(reading, PodReadings):
        return reading
    raise MetricError(f"{what}: {_error_of(reading)}")


def _error_of(reading: Reading) -> str:
    if isinstance(reading, UnavailableMetric):
        return reading.error
    return f"the metrics API returned {type(reading).__name__}"


def _pods(
    calculator: ReplicaCalculator, scale: Scale, source: Mapping[str, Any], reading: Reading
) -> MetricProposal:
    name = str(source["metric"]["name"])
    try:
        readings = _pod_readings(reading, f"unable to get metric {name}")
        replicas, average = calculator.for_average(
            scale.spec_replicas, readings.by_pod, milli_value(source["target"]["averageValue"])
        )
    except MetricError as error:
        raise InvalidMetricError(
            "FailedGetPodsMetric", str(error), "failed to get pods metric value"
        ) from error
    return MetricProposal(replicas, f"pods metric {name}", MetricStatus(average=average))


def _object(
    calculator: ReplicaCalculator, scale: Scale, source: Mapping[str, Any], reading: Reading, namespace: str
) -> MetricProposal:
    name, target, described = str(source["metric"]["name"]), source["target"], source["describedObject"]
    reason, prefix = "FailedGetObjectMetric", "failed to get object metric value"
    by_value = target.get("type") == "Value" and target.get("value") is not None
    if not by_value and (target.get("type") != "AverageValue" or target.get("averageValue") is None):
        raise InvalidMetricError(
            reason,
            "invalid object metric source: neither a value target nor an average value target was set",
            prefix,
        )
    try:
        if not isinstance(reading, ObjectReading):
            where = f"{described['kind']} {namespace}/{described['name']}"
            raise MetricError(f"unable to get metric {name} on {where}: {_error_of(reading)}")
        if by_value:
            replicas = calculator.for_value(scale.spec_replicas, reading.value, milli_value(target["value"]))
            return MetricProposal(
                replicas, f"{described['kind']} metric {name}", MetricStatus(value=reading.value)
            )
        replicas, average = calculator.for_average_of_object(
            scale.status_replicas, reading.value, milli_value(target["averageValue"])
        )
    except MetricError as error:
        # The condition holds the metric's error alone; only the sync's error names the metric.
        wrapped = prefix if by_value else f"{prefix}: failed to get {name} object metric"
        raise InvalidMetricError(reason, str(error), wrapped) from error
    return MetricProposal(
        replicas,
        f"external metric {name}({selector_text(source['metric'].get('selector'))})",
        MetricStatus(average=average),
    )


def _external(
    calculator: ReplicaCalculator, scale: Scale, source: Mapping[str, Any], reading: Reading, namespace: str
) -> MetricProposal:
    name, target, selector = str(source["metric"]["name"]), source["target"], source["metric"].get("selector")
    reason, prefix = "FailedGetExternalMetric", f"failed to get {name} external metric value"
    label = f"external metric {name}({selector_text(selector)})"
    average, value = target.get("averageValue"), target.get("value")
    if average is None and value is None:
        raise InvalidMetricError(
            reason,
            "invalid external metric source: neither a value target nor an average value target was set",
            prefix,
        )
    wrapped = (
        f"{prefix}: failed to get external metric {name}"
        if average is None
        else f"{prefix}: failed to get {name} external metric"
    )
    try:
        if not isinstance(reading, ExternalReadings):
            where = f"{namespace}/{name}/{selector_text(selector)}"
            raise MetricError(f"unable to get external metric {where}: {_error_of(reading)}")
        if average is not None:
            replicas, each = calculator.for_average_of_external(
                scale.status_replicas, sum_for_average(reading.values), milli_value(average)
            )
            return MetricProposal(replicas, label, MetricStatus(average=each))
        total = sum_for_value(reading.values)
        replicas = calculator.for_value(scale.spec_replicas, total, milli_value(value))
    except MetricError as error:
        raise InvalidMetricError(reason, str(error), wrapped) from error
    return MetricProposal(replicas, label, MetricStatus(value=total))
