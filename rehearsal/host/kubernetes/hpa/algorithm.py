"""One sync of a HorizontalPodAutoscaler (`reconcileAutoscaler` of `horizontal.go`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rehearsal.host.kubernetes.hpa.metric_proposals import InvalidMetricError, propose, tolerances_of
from rehearsal.host.kubernetes.hpa.model import (
    AutoscalerEvent,
    AutoscalerSpec,
    AutoscalerState,
    ControllerConfig,
    MetricStatus,
    Observation,
    Recommendation,
    Scale,
    ScalingDecision,
)
from rehearsal.host.kubernetes.hpa.replica_calculator import (
    ReplicaCalculator,
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
    """Ends the sync with upstream's message."""


@dataclass
class _Sync:
    """The inputs of one sync, and the decision in progress."""

    spec: AutoscalerSpec
    state: AutoscalerState
    observed: Observation
    now: float
    config: ControllerConfig
    rescale: Callable[[int], None]
    decision: ScalingDecision = field(default_factory=lambda: ScalingDecision(0))

    def condition(self, type_: str, status: bool, reason: str, message: str) -> None:
        self.state.set_condition(self.now, type_, status, reason, message)

    def event(self, reason: str, message: str, type_: str = "Warning") -> None:
        self.decision.events.append(AutoscalerEvent(type_, reason, message))


def reconcile(
    spec: AutoscalerSpec,
    state: AutoscalerState,
    observed: Observation,
    now: float,
    config: ControllerConfig | None = None,
    rescale: Callable[[int], None] = _ACCEPTED,
) -> ScalingDecision:
    """Compute the desired replicas, and update `state` as the controller updates the status.

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
    """Return the replica count, the metrics, and whether the scale must be written."""
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
    """Return the proposal after stabilization and limits; set AbleToScale and ScalingLimited."""
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
    """Return the largest valid proposal (`computeReplicasForMetrics`). Raises _SyncError if there is none."""
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
    """Raise _SyncError unless the selector is valid and no other autoscaler selects the same pods."""
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
) -> tuple[int, str, InvalidMetricError | None, int]:
    """Return the largest proposal, its metric, the first invalid metric and the number of invalid ones."""
    replicas, name, invalid = 0, "", 0
    first: InvalidMetricError | None = None
    calculator = ReplicaCalculator(
        sync.observed.pods, sync.now, sync.config, tolerances_of(sync.spec.behavior, sync.config)
    )
    for metric, reading in zip(sync.spec.metrics, sync.observed.readings, strict=True):
        try:
            found = propose(calculator, scale, metric, reading, sync.observed.namespace)
        except InvalidMetricError as error:
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
