"""Inputs, state and results of the autoscaling algorithm. Times are in seconds, values in thousandths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from typing import Any

from rehearsal.host.kubernetes.quantities import quantity

# autoscaling.DefaultCPUUtilization: the target of an autoscaler that declares no metrics, in percent.
_DEFAULT_CPU_UTILIZATION = 80


@dataclass(frozen=True)
class ControllerConfig:
    """Flags of kube-controller-manager that the algorithm depends on, with their defaults.

    `tolerance` is a fraction of the target; the periods are in seconds; the scale-up limit of an autoscaler
    without `spec.behavior` is max(`scale_up_limit_factor` * replicas, `scale_up_limit_minimum`) per sync.
    """

    tolerance: float = 0.1
    downscale_stabilization: float = 300.0
    cpu_initialization_period: float = 300.0
    initial_readiness_delay: float = 30.0
    scale_up_limit_factor: float = 2.0
    scale_up_limit_minimum: float = 4.0


def milli_value(value: str | float) -> int:
    """Convert a Kubernetes quantity to thousandths, rounded away from zero as `Quantity.MilliValue` does."""
    return int((quantity(value) * 1000).to_integral_value(rounding=ROUND_UP))


def approximate_float(value: str | float) -> float:
    """Convert a quantity as `Quantity.AsApproximateFloat64` does for the API server's canonical text."""
    amount = quantity(value).quantize(Decimal("1e-9"), rounding=ROUND_UP)
    for scale, factor in ((0, 1.0), (-3, 1e-3), (-6, 1e-6)):
        mantissa = amount.scaleb(-scale)
        if mantissa == mantissa.to_integral_value():
            return float(int(mantissa)) * factor if scale else float(int(mantissa))
    return float(int(amount.scaleb(9))) * 1e-9


# -- pods and metrics -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PodState:
    """Fields of a pod that the algorithm reads.

    `ready` is the status of its Ready condition (True, False or Unknown), None without one; `ready_since` the
    time of the condition's last transition. `spec` is the pod's spec as declared.
    """

    name: str
    phase: str = "Running"
    deleted: bool = False
    started: float | None = None
    ready: str | None = "True"
    ready_since: float = 0.0
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PodReading:
    """One pod's value of a metric in thousandths; time and window of the measurement in seconds."""

    value: int
    taken: float = 0.0
    window: float = 60.0


@dataclass(frozen=True)
class PodReadings:
    """A resource or pods metric: readings by pod name. Pods without one are missing."""

    by_pod: Mapping[str, PodReading]


@dataclass(frozen=True)
class ObjectReading:
    """The value of an object metric in thousandths."""

    value: int


@dataclass(frozen=True)
class ExternalReadings:
    """All series of an external metric, in thousandths."""

    values: Sequence[int]


@dataclass(frozen=True)
class UnavailableMetric:
    """A metric that the metrics API did not return; `error` is its message."""

    error: str


Reading = PodReadings | ObjectReading | ExternalReadings | UnavailableMetric


# -- the declared autoscaler ------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScalingPolicy:
    """At most `value` pods, or percent of the pods, within `period` seconds."""

    type: str
    value: int
    period: int


@dataclass(frozen=True)
class ScalingRules:
    """One direction of `spec.behavior`.

    `window` is the stabilization window in seconds and `tolerance` a fraction, None for the controller's own;
    `select` is Max, Min or Disabled.
    """

    policies: tuple[ScalingPolicy, ...]
    window: float | None = None
    select: str = "Max"
    tolerance: float | None = None

    @property
    def max_period(self) -> int:
        """Return the seconds for which an event can affect one of the policies."""
        return max((policy.period for policy in self.policies), default=0)


_UP = ScalingRules((ScalingPolicy("Pods", 4, 15), ScalingPolicy("Percent", 100, 15)), 0.0)
_DOWN = ScalingRules((ScalingPolicy("Percent", 100, 15),))


@dataclass(frozen=True)
class Behavior:
    """`spec.behavior` with the API's defaults filled in (`SetDefaults_HorizontalPodAutoscalerBehavior`)."""

    up: ScalingRules = _UP
    down: ScalingRules = _DOWN

    @classmethod
    def parse(cls, declared: Mapping[str, Any]) -> Behavior:
        """Parse the object under `spec.behavior`."""
        return cls(_rules(declared.get("scaleUp"), _UP), _rules(declared.get("scaleDown"), _DOWN))


def _rules(declared: Mapping[str, Any] | None, default: ScalingRules) -> ScalingRules:
    if declared is None:
        return default
    policies, window = declared.get("policies"), declared.get("stabilizationWindowSeconds")
    tolerance = declared.get("tolerance")
    return ScalingRules(
        default.policies
        if policies is None
        else tuple(ScalingPolicy(p["type"], int(p["value"]), int(p["periodSeconds"])) for p in policies),
        default.window if window is None else float(window),
        declared.get("selectPolicy") or default.select,
        None if tolerance is None else approximate_float(tolerance),
    )


@dataclass(frozen=True)
class AutoscalerSpec:
    """The spec of a HorizontalPodAutoscaler (autoscaling/v2) with defaults filled in.

    `behavior` None selects upstream's path for autoscalers without `spec.behavior`, which is not the same as
    an empty behavior.
    """

    min_replicas: int
    max_replicas: int
    metrics: tuple[Mapping[str, Any], ...]
    behavior: Behavior | None

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> AutoscalerSpec:
        """Parse the declared `spec`."""
        declared, low = spec.get("behavior"), spec.get("minReplicas")
        return cls(
            1 if low is None else int(low),
            int(spec["maxReplicas"]),
            tuple(spec.get("metrics") or [_DEFAULT_METRIC]),
            None if declared is None else Behavior.parse(declared),
        )


_DEFAULT_METRIC = {
    "type": "Resource",
    "resource": {
        "name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": _DEFAULT_CPU_UTILIZATION},
    },
}


# -- one sync ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scale:
    """The target's scale subresource. `selector` is its label selector as text; `selector_error` states why
    that text cannot be parsed."""

    spec_replicas: int
    status_replicas: int
    selector: str = "app"
    selector_error: str = ""


@dataclass(frozen=True)
class Observation:
    """Input of one sync: the scale (or why it cannot be read), pods, and one reading per declared metric.

    `selecting` names the autoscalers whose selectors match these pods, as (name, namespace).
    """

    scale: Scale | str
    pods: Sequence[PodState] = ()
    readings: Sequence[Reading] = ()
    selecting: Sequence[tuple[str, str]] = ()
    namespace: str = "default"


@dataclass(frozen=True)
class AutoscalerEvent:
    """A Kubernetes event: type is Normal or Warning."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True)
class Condition:
    """A condition of the autoscaler's status; `since` is when its status last changed."""

    type: str
    status: str
    reason: str
    message: str
    since: float


@dataclass(frozen=True)
class MetricStatus:
    """`status.currentMetrics`: percent of the requests, and values in thousandths; None where not given."""

    utilization: int | None = None
    average: int | None = None
    value: int | None = None


@dataclass(frozen=True)
class Recommendation:
    """An unstabilized recommendation."""

    replicas: int
    at: float


@dataclass(frozen=True)
class ScaleEvent:
    """A change of the replica count by `change` (not negative)."""

    change: int
    at: float
    outdated: bool = False


@dataclass
class AutoscalerState:
    """State of one autoscaler between syncs, and its status."""

    recommendations: list[Recommendation] = field(default_factory=list)
    scale_ups: list[ScaleEvent] = field(default_factory=list)
    scale_downs: list[ScaleEvent] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    current_replicas: int = 0
    desired_replicas: int = 0
    metrics: list[MetricStatus | None] = field(default_factory=list)
    last_scale: float | None = None

    def condition(self, type_: str) -> Condition | None:
        """Return the condition of that type, None if the controller never set it."""
        return next((item for item in self.conditions if item.type == type_), None)

    def set_condition(self, now: float, type_: str, status: bool, reason: str, message: str) -> None:
        """Add or replace a condition; `since` moves only when the status changes."""
        text = "True" if status else "False"
        for index, item in enumerate(self.conditions):
            if item.type == type_:
                since = item.since if item.status == text else now
                self.conditions[index] = Condition(type_, text, reason, message, since)
                return
        self.conditions.append(Condition(type_, text, reason, message, now))


@dataclass
class ScalingDecision:
    """The result of one sync.

    `selector_read`: the sync came as far as the pods' selector, which counts from then on when another
    autoscaler looks for overlaps. `proposals` holds each metric's replica count, None for an invalid one.
    `rescaled`: the scale was written; `desired` is `status.desiredReplicas`; `reason` why it was
    changed; `error` what the sync failed with.
    """

    desired: int
    rescaled: bool = False
    selector_read: bool = False
    reason: str = ""
    error: str = ""
    proposals: list[int | None] = field(default_factory=list)
    events: list[AutoscalerEvent] = field(default_factory=list)


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """Format a label selector as Go's `%+v` prints `*metav1.LabelSelector`, for upstream's messages."""
    if selector is None:
        return "nil"
    labels = selector.get("matchLabels") or {}
    pairs = "".join(f"{key}: {labels[key]}," for key in sorted(labels))
    requirements = "".join(
        f"LabelSelectorRequirement{{Key:{item['key']},Operator:{item['operator']},"
        f"Values:[{' '.join(item.get('values') or [])}],}},"
        for item in selector.get("matchExpressions") or []
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{pairs}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{requirements}}},}}"
    )
