"""One sync of a HorizontalPodAutoscaler (`reconcileAutoscaler` of `horizontal.go`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.host.kubernetes.hpa.model import (
    AutoscalerSpec,
    AutoscalerState,
    Behavior,
    ControllerConfig,
    Decision,
    Event,
    ExternalReadings,
    MetricStatus,
    ObjectReading,
    Observation,
    PodReadings,
    Reading,
    Recommendation,
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
from rehearsal.host.kubernetes.hpa.scaling_limits import (
    stabilized,
    stabilized_by_behavior,
    store_scale_event,
    within_limits,
    within_rate,
)

_ACTIVE, _ABLE, _LIMITED, _ZERO = "ScalingActive", "AbleToScale", "ScalingLimited", "ScaledToZero"
_ACCEPTED: Callable[[int], None] = lambda replicas: None  # noqa: E731


class ScaleUpdateError(Exception):
    """The scale could not be written; the message is the API's."""


class _SyncError(Exception):
    """The sync ends here; the message is upstream's."""


@dataclass(frozen=True)
class _Proposal:
    replicas: int
    metric: str
    status: MetricStatus


@dataclass(frozen=True)
class _InvalidMetricError(Exception):
    """`error` is the metric's own, `reason` the condition's; `prefix` is put in front by the caller."""

    reason: str
    error: str
    prefix: str

    @property
    def message(self) -> str:
        return f"the HPA was unable to compute the replica count: {self.error}"

    @property
    def wrapped(self) -> str:
        return f"{self.prefix}: {self.error}" if self.prefix else self.error


@dataclass
class _Sync:
    """The inputs of one sync, and the decision as it forms."""

    spec: AutoscalerSpec
    state: AutoscalerState
    observed: Observation
    now: float
    config: ControllerConfig
    rescale: Callable[[int], None]
    decision: Decision = field(default_factory=lambda: Decision(0))

    def condition(self, type_: str, status: bool, reason: str, message: str) -> None:
        self.state.set_condition(self.now, type_, status, reason, message)

    def event(self, reason: str, message: str, type_: str = "Warning") -> None:
        self.decision.events.append(Event(type_, reason, message))


def reconcile(
    spec: AutoscalerSpec,
    state: AutoscalerState,
    observed: Observation,
    now: float,
    config: ControllerConfig | None = None,
    rescale: Callable[[int], None] = _ACCEPTED,
) -> Decision:
    """Decide how many replicas there should be, and update `state` as the controller updates the status.

    `now` is in seconds of any clock that the observed times share. `rescale` writes the new replica count and
    raises ScaleUpdateError if it cannot.
    """
    sync = _Sync(spec, state, observed, now, config or ControllerConfig(), rescale)
    sync.decision.desired = state.desired_replicas
    try:
        _reconcile(sync)
    except _SyncError as error:
        sync.decision.error = str(error)
    return sync.decision


def _reconcile(sync: _Sync) -> None:
    scale, state, decision = sync.observed.scale, sync.state, sync.decision
    if isinstance(scale, str):
        sync.event("FailedGetScale", scale)
        sync.condition(
            _ABLE,
            False,
            "FailedGetScale",
            f"the HPA controller was unable to get the target's current scale: {scale}",
        )
        raise _SyncError(f"failed to query scale subresource: {scale}")
    sync.condition(
        _ABLE, True, "SucceededGetScale", "the HPA controller was able to get the target's current scale"
    )
    current = scale.spec_replicas
    if not state.recommendations:
        # Without it, a restart of the controller would scale down at once (kubernetes#68826).
        state.recommendations.append(Recommendation(current, sync.now))
    desired, statuses, rescale = _desired(sync, scale)
    if rescale:
        _rescale(sync, current, desired, statuses)
    else:
        desired = current
    decision.desired, decision.rescaled = desired, rescale
    _set_status(sync, current, desired, statuses)
    if rescale:
        state.last_scale = sync.now


def _set_status(sync: _Sync, current: int, desired: int, statuses: list[MetricStatus | None]) -> None:
    sync.state.current_replicas, sync.state.desired_replicas = current, desired
    sync.state.metrics = statuses


def _desired(sync: _Sync, scale: Scale) -> tuple[int, list[MetricStatus | None], bool]:
    """The replica count, what the metrics were, and whether the scale is to be written."""
    spec, current, decision = sync.spec, scale.spec_replicas, sync.decision
    from_zero = _was_scaled_to_zero(sync)
    if current == 0:
        if not ((spec.min_replicas != 0 and from_zero) or (from_zero and _has_shared_metric(spec))):
            sync.condition(
                _ACTIVE,
                False,
                "ScalingDisabled",
                "scaling is disabled since the replica count of the target is zero",
            )
            return 0, [], False
    elif current > spec.max_replicas:
        decision.reason = "Current number of replicas above Spec.MaxReplicas"
        return spec.max_replicas, [], True
    elif current < spec.min_replicas:
        decision.reason = "Current number of replicas below Spec.MinReplicas"
        return spec.min_replicas, [], True
    proposed, metric, statuses = _proposal(sync, scale)
    desired, by = (proposed, metric) if proposed > 0 else (0, "")
    if desired > current:
        decision.reason = f"{by} above target"
    elif desired < current:
        decision.reason = "All metrics below target"
    desired = _normalized(sync, current, desired)
    if current == 0 and spec.min_replicas != 0 and from_zero and desired < spec.min_replicas:
        desired = spec.min_replicas
        decision.reason = decision.reason or "Current number of replicas below Spec.MinReplicas"
    return desired, statuses, desired != current


def _was_scaled_to_zero(sync: _Sync) -> bool:
    condition = sync.state.condition(_ZERO)
    return condition is not None and condition.status == "True"


def _has_shared_metric(spec: AutoscalerSpec) -> bool:
    return any(metric["type"] in {"Object", "External"} for metric in spec.metrics)


def _rescale(sync: _Sync, current: int, desired: int, statuses: list[MetricStatus | None]) -> None:
    spec, state, reason = sync.spec, sync.state, sync.decision.reason
    try:
        sync.rescale(desired)
    except ScaleUpdateError as error:
        sync.event("FailedRescale", f"New size: {desired}; reason: {reason}; error: {error}")
        sync.condition(
            _ABLE,
            False,
            "FailedUpdateScale",
            f"the HPA controller was unable to update the target scale: {error}",
        )
        _set_status(sync, current, state.desired_replicas, statuses)
        raise _SyncError(f"failed to rescale: {error}") from error
    sync.condition(
        _ABLE,
        True,
        "SucceededRescale",
        f"the HPA controller was able to update the target scale to {desired}",
    )
    sync.event("SuccessfulRescale", f"New size: {desired}; reason: {reason}", "Normal")
    if spec.behavior is not None:
        store_scale_event(state, spec.behavior.up, spec.behavior.down, current, desired, sync.now)
    if current > 0 and desired == 0 and spec.min_replicas == 0 and _has_shared_metric(spec):
        sync.condition(_ZERO, True, "ScaledToZero", "the HPA controller scaled the workload to zero")
    else:
        sync.condition(
            _ZERO, False, "NotScaledToZero", "the HPA controller did not scale the workload to zero"
        )


# -- limits -----------------------------------------------------------------------------------------------


def _normalized(sync: _Sync, current: int, proposal: int) -> int:
    """The proposal, stabilized and limited; sets AbleToScale and ScalingLimited."""
    spec, state, config = sync.spec, sync.state, sync.config
    if spec.behavior is None:
        stable = stabilized(state, proposal, sync.now, config)
        reason = "ScaleDownStabilized"
        message = (
            "recent recommendations were higher than current one, applying the highest recent recommendation"
        )
        limited = within_limits(current, stable, spec.min_replicas, spec.max_replicas, config)
    else:
        up, down = spec.behavior.up, spec.behavior.down
        default = config.downscale_stabilization
        found = stabilized_by_behavior(
            state,
            current,
            proposal,
            up.window or 0.0,
            default if down.window is None else down.window,
            sync.now,
        )
        stable, reason, message = found.replicas, found.reason, found.message
        bounds = (spec.min_replicas, spec.max_replicas)
        limited = within_rate(state, current, stable, bounds, up, down, sync.now)
    if stable == proposal:
        reason, message = "ReadyForNewScale", "recommended size matches current size"
    sync.condition(_ABLE, True, reason, message)
    sync.condition(_LIMITED, limited.replicas != stable, limited.reason, limited.message)
    return limited.replicas


# -- metrics ----------------------------------------------------------------------------------------------


def _proposal(sync: _Sync, scale: Scale) -> tuple[int, str, list[MetricStatus | None]]:
    """The largest valid proposal (`computeReplicasForMetrics`). Raises _SyncError without one to act on."""
    current, metrics = scale.spec_replicas, sync.spec.metrics
    statuses: list[MetricStatus | None] = []
    try:
        _check_selector(sync, scale)
        replicas, name, first, invalid = _proposals(sync, scale, statuses)
        if first is not None and (invalid >= len(metrics) or replicas < current):
            sync.condition(_ACTIVE, False, first.reason, first.message)
            raise _SyncError(
                f"invalid metrics ({invalid} invalid out of {len(metrics)}), first error is: {first.wrapped}"
            )
    except _SyncError as error:
        _set_status(sync, current, sync.state.desired_replicas, statuses)
        sync.event("FailedComputeMetricsReplicas", str(error))
        raise _SyncError(
            f"failed to compute desired number of replicas based on listed metrics: {error}"
        ) from error
    if first is not None:
        # The valid metrics propose no fewer replicas: scale by them, and still report the first error.
        sync.decision.error = (
            f"invalid metrics ({invalid} invalid out of {len(metrics)}), first error is: {first.wrapped}"
        )
    sync.condition(
        _ACTIVE,
        True,
        "ValidMetricFound",
        f"the HPA was able to successfully calculate a replica count from {name}",
    )
    return replicas, name, statuses


def _check_selector(sync: _Sync, scale: Scale) -> None:
    """Raises _SyncError unless the selector is valid and no other autoscaler selects the same pods."""
    if not scale.selector:
        sync.event("SelectorRequired", "selector is required")
        sync.condition(_ACTIVE, False, "InvalidSelector", "the HPA target's scale is missing a selector")
        raise _SyncError("selector is required")
    reason, message = "", ""
    sync.decision.selector_read = not scale.selector_error
    if scale.selector_error:
        reason = "InvalidSelector"
        message = (
            "couldn't convert selector into a corresponding internal selector object: " + scale.selector_error
        )
    elif len(sync.observed.selecting) > 1:
        keys = " ".join(f"{{{name} {namespace}}}" for name, namespace in sync.observed.selecting[:2])
        reason = "AmbiguousSelector"
        message = f"pods by selector {scale.selector} are controlled by more than one HPA (e.g. [{keys}])"
    if message:
        sync.event(reason, message)
        sync.condition(_ACTIVE, False, reason, message)
        raise _SyncError(message)


def _proposals(
    sync: _Sync, scale: Scale, statuses: list[MetricStatus | None]
) -> tuple[int, str, _InvalidMetricError | None, int]:
    """The largest proposal, its metric, the first invalid metric and how many are invalid."""
    replicas, name, invalid = 0, "", 0
    first: _InvalidMetricError | None = None
    for metric, reading in zip(sync.spec.metrics, sync.observed.readings, strict=True):
        try:
            found = _evaluate(sync, scale, metric, reading)
        except _InvalidMetricError as error:
            sync.event(error.reason, error.error)
            first, invalid = first or error, invalid + 1
            statuses.append(None)
            sync.decision.proposals.append(None)
            continue
        statuses.append(found.status)
        sync.decision.proposals.append(found.replicas)
        if replicas == 0 or found.replicas > replicas:
            replicas, name = found.replicas, found.metric
    return replicas, name, first, invalid


def _evaluate(sync: _Sync, scale: Scale, metric: Mapping[str, Any], reading: Reading) -> _Proposal:
    """One metric's proposal (`computeReplicasForMetric`). Raises _InvalidMetricError."""
    calculator = ReplicaCalculator(
        sync.observed.pods, sync.now, sync.config, _tolerances(sync.spec.behavior, sync.config)
    )
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
            return _object(calculator, scale, metric["object"], reading, sync.observed.namespace)
        case "External":
            return _external(calculator, scale, metric["external"], reading, sync.observed.namespace)
        case unknown:
            raise _InvalidMetricError(
                "InvalidMetricSourceType", f'unknown metric source type "{unknown}"', ""
            )


def _tolerances(behavior: Behavior | None, config: ControllerConfig) -> Tolerances:
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
) -> _Proposal:
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
            return _Proposal(replicas, f"{name} resource", MetricStatus(average=value))
        if utilization is None:
            raise _InvalidMetricError(
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
        raise _InvalidMetricError(reason, f"failed to get {name} {step}: {error}", prefix) from error
    what = "container resource" if container else "resource"
    return _Proposal(
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
) -> _Proposal:
    name = str(source["metric"]["name"])
    try:
        readings = _pod_readings(reading, f"unable to get metric {name}")
        replicas, average = calculator.for_average(
            scale.spec_replicas, readings.by_pod, milli_value(source["target"]["averageValue"])
        )
    except MetricError as error:
        raise _InvalidMetricError(
            "FailedGetPodsMetric", str(error), "failed to get pods metric value"
        ) from error
    return _Proposal(replicas, f"pods metric {name}", MetricStatus(average=average))


def _object(
    calculator: ReplicaCalculator, scale: Scale, source: Mapping[str, Any], reading: Reading, namespace: str
) -> _Proposal:
    name, target, described = str(source["metric"]["name"]), source["target"], source["describedObject"]
    reason, prefix = "FailedGetObjectMetric", "failed to get object metric value"
    by_value = target.get("type") == "Value" and target.get("value") is not None
    if not by_value and (target.get("type") != "AverageValue" or target.get("averageValue") is None):
        raise _InvalidMetricError(
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
            return _Proposal(
                replicas, f"{described['kind']} metric {name}", MetricStatus(value=reading.value)
            )
        replicas, average = calculator.for_average_of_object(
            scale.status_replicas, reading.value, milli_value(target["averageValue"])
        )
    except MetricError as error:
        # The condition names the metric's error alone; only the sync's error says which metric it was.
        wrapped = prefix if by_value else f"{prefix}: failed to get {name} object metric"
        raise _InvalidMetricError(reason, str(error), wrapped) from error
    return _Proposal(
        replicas,
        f"external metric {name}({selector_text(source['metric'].get('selector'))})",
        MetricStatus(average=average),
    )


def _external(
    calculator: ReplicaCalculator, scale: Scale, source: Mapping[str, Any], reading: Reading, namespace: str
) -> _Proposal:
    name, target, selector = str(source["metric"]["name"]), source["target"], source["metric"].get("selector")
    reason, prefix = "FailedGetExternalMetric", f"failed to get {name} external metric value"
    label = f"external metric {name}({selector_text(selector)})"
    average, value = target.get("averageValue"), target.get("value")
    if average is None and value is None:
        raise _InvalidMetricError(
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
            return _Proposal(replicas, label, MetricStatus(average=each))
        total = sum_for_value(reading.values)
        replicas = calculator.for_value(scale.spec_replicas, total, milli_value(value))
    except MetricError as error:
        raise _InvalidMetricError(reason, str(error), wrapped) from error
    return _Proposal(replicas, label, MetricStatus(value=total))
