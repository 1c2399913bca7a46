"""The HorizontalPodAutoscaler's algorithm, as pure functions.

Rules and constants are those of Kubernetes' ``pkg/controller/podautoscaler`` (``replica_calculator.go``,
``horizontal.go``), documented at https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/.
The core is ``desired = ceil(current * usage / target)``; around it stand a tolerance, a cautious treatment of
pods that are not ready or not measured, stabilisation windows, and rate policies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rehearsal.host.kubernetes.quantities import quantity

DEFAULT_TOLERANCE = 0.1
DEFAULT_DOWN_WINDOW = 300.0


@dataclass(frozen=True)
class Sample:
    """One pod and one metric. `value` None: not measured. `unready`: too young or not ready to be judged."""

    value: float | None
    request: float | None = None
    unready: bool = False


@dataclass(frozen=True)
class Tolerance:
    """The ratio of usage to target may be this far below and above 1 without any change."""

    down: float = DEFAULT_TOLERANCE
    up: float = DEFAULT_TOLERANCE

    def covers(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True)
class Policy:
    """At most `value` pods, or percent of the pods, within `period` seconds."""

    percent: bool
    value: int
    period: float


@dataclass(frozen=True)
class Rules:
    """One direction of `spec.behavior`. `select` is Max, Min or Disabled; `window` is in seconds."""

    policies: tuple[Policy, ...]
    window: float
    select: str = "Max"


UP = Rules((Policy(True, 100, 15), Policy(False, 4, 15)), 0.0)
DOWN = Rules((Policy(True, 100, 15),), DEFAULT_DOWN_WINDOW)


@dataclass(frozen=True)
class Behavior:
    """How fast it may go up and down. The defaults are those of Kubernetes."""

    up: Rules = UP
    down: Rules = DOWN
    tolerance: Tolerance = field(default_factory=Tolerance)

    @classmethod
    def of(cls, declared: Mapping[str, Any]) -> Behavior:
        """From `spec.behavior`."""
        up, down = declared.get("scaleUp") or {}, declared.get("scaleDown") or {}
        tolerance = Tolerance(
            down=float(quantity(down.get("tolerance", str(DEFAULT_TOLERANCE)))),
            up=float(quantity(up.get("tolerance", str(DEFAULT_TOLERANCE)))),
        )
        return cls(_rules(up, UP), _rules(down, DOWN), tolerance)


def _rules(declared: Mapping[str, Any], default: Rules) -> Rules:
    policies = tuple(
        Policy(item["type"] == "Percent", int(item["value"]), float(item["periodSeconds"]))
        for item in declared.get("policies") or []
    )
    window = declared.get("stabilizationWindowSeconds")
    return Rules(
        policies or default.policies,
        default.window if window is None else float(window),
        declared.get("selectPolicy") or "Max",
    )


Ratio = Callable[[Sequence[tuple[float, Sample]]], float]
Assumed = Callable[[Sample], float]


# -- one metric -------------------------------------------------------------------------------------------


def replicas_for_utilization(
    current: int, samples: Sequence[Sample], target: int, tolerance: Tolerance
) -> int | None:
    """For a resource against a percentage of the requests; None when nothing can be said.

    As in Kubernetes the utilisation is a whole percentage, rounded down.
    """
    if any(sample.request is None or sample.request <= 0 for sample in samples):
        return None

    def ratio(pods: Sequence[tuple[float, Sample]]) -> float:
        used = sum(value for value, _ in pods)
        requested = sum(sample.request or 0.0 for _, sample in pods)
        # The millionth keeps 0.57 / 0.1 from being 5.6999.
        return math.floor(used * 100.0 / requested + 1e-6) / target

    def full(sample: Sample) -> float:
        return (sample.request or 0.0) * max(100, target) / 100.0

    return _replicas(current, samples, ratio, full, tolerance)


def replicas_for_average(
    current: int, samples: Sequence[Sample], target: float, tolerance: Tolerance
) -> int | None:
    """For a resource or a pods metric against an average value per pod; None when nothing can be said."""

    def ratio(pods: Sequence[tuple[float, Sample]]) -> float:
        return sum(value for value, _ in pods) / len(pods) / target

    def full(sample: Sample) -> float:
        return target

    return _replicas(current, samples, ratio, full, tolerance)


def _replicas(
    current: int, samples: Sequence[Sample], ratio: Ratio, full: Assumed, tolerance: Tolerance
) -> int | None:
    measured = [(s.value, s) for s in samples if s.value is not None and not s.unready]
    missing = [s for s in samples if s.value is None and not s.unready]
    unready = [s for s in samples if s.unready]
    if not measured:
        return None
    first = ratio(measured)
    up_with_unready = bool(unready) and first > 1.0
    if not up_with_unready and not missing:
        return current if tolerance.covers(first) else _ceil(first * len(measured))
    # Caution: on the way down, who is not measured uses all it asked for; on the way up, nothing.
    assumed = list(measured)
    if first < 1.0:
        assumed += [(full(sample), sample) for sample in missing]
    elif first > 1.0:
        assumed += [(0.0, sample) for sample in missing]
    if up_with_unready:
        assumed += [(0.0, sample) for sample in unready]
    second = ratio(assumed)
    if tolerance.covers(second) or (first < 1.0 < second) or (second < 1.0 < first):
        return current
    wanted = _ceil(second * len(assumed))
    if (second < 1.0 and wanted > current) or (second > 1.0 and wanted < current):
        return current
    return wanted


def replicas_for_value(current: int, ready: int, value: float, target: float, tolerance: Tolerance) -> int:
    """For an object or external metric against a value of the whole."""
    ratio = value / target
    return current if tolerance.covers(ratio) else _ceil(ratio * ready)


def replicas_for_shared(current: int, value: float, target: float, tolerance: Tolerance) -> int:
    """For an object or external metric against an average: the value is shared out among the pods."""
    if current and tolerance.covers(value / (target * current)):
        return current
    return _ceil(value / target)


def _ceil(value: float) -> int:
    """Rounded up, but not for the dust of floating point."""
    return math.ceil(value - 1e-9)


def combined(current: int, proposals: Sequence[int | None]) -> int | None:
    """The largest proposal; None where nothing can be said.

    That is so with all metrics missing, and with one missing where the others would have it go down.
    """
    known = [proposal for proposal in proposals if proposal is not None]
    most = max(known, default=current)
    return None if not known or (len(known) < len(proposals) and most < current) else most


# -- over time --------------------------------------------------------------------------------------------


@dataclass
class History:
    """What an autoscaler has recommended (unstabilised) and done. Times are in seconds, any clock."""

    recommendations: list[tuple[float, int]] = field(default_factory=list)
    ups: list[tuple[float, int]] = field(default_factory=list)
    downs: list[tuple[float, int]] = field(default_factory=list)

    def record(self, now: float, before: int, after: int) -> None:
        """Take note of a change from `before` to `after` replicas."""
        if after > before:
            self.ups.append((now, after - before))
        elif after < before:
            self.downs.append((now, before - after))

    def forget(self, now: float, longest: float) -> None:
        for events in (self.recommendations, self.ups, self.downs):
            events[:] = [(when, count) for when, count in events if now - when <= longest]


def decide(
    now: float, current: int, proposal: int, bounds: tuple[int, int], behavior: Behavior, history: History
) -> int:
    """How many replicas there should be: `proposal` stabilised, paced and kept within `bounds`.

    Adds the proposal to `history`; the caller records the change that it makes.
    """
    least, most = bounds
    if current == 0:
        return 0  # scaled to zero by hand: autoscaling is off
    if current > most:
        return most
    if current < least:
        return least
    stable = _stabilised(now, current, proposal, behavior, history)
    longest = max(behavior.up.window, behavior.down.window, *(p.period for p in _policies(behavior)))
    history.forget(now, longest)
    if stable > current:
        limit = max(current, _limit_up(now, current, behavior.up, history))
        return min(stable, most, limit)
    if stable < current:
        limit = min(current, _limit_down(now, current, behavior.down, history))
        return max(stable, least, limit)
    return current


def _policies(behavior: Behavior) -> Iterable[Policy]:
    return (*behavior.up.policies, *behavior.down.policies)


def _stabilised(now: float, current: int, proposal: int, behavior: Behavior, history: History) -> int:
    """Up only as far as every recent recommendation went, down only as far as none recent forbids."""
    up = down = proposal
    for when, count in history.recommendations:
        if when > now - behavior.up.window:
            up = min(up, count)
        if when > now - behavior.down.window:
            down = max(down, count)
    history.recommendations.append((now, proposal))
    return min(max(current, up), down)


def _limit_up(now: float, current: int, rules: Rules, history: History) -> int:
    if rules.select == "Disabled":
        return current
    limits = []
    for policy in rules.policies:
        start = _at_start(now, current, policy.period, history)
        more = _ceil(start * (1 + policy.value / 100)) if policy.percent else start + policy.value
        limits.append(more)
    return min(limits) if rules.select == "Min" else max(limits)


def _limit_down(now: float, current: int, rules: Rules, history: History) -> int:
    if rules.select == "Disabled":
        return current
    limits = []
    for policy in rules.policies:
        start = _at_start(now, current, policy.period, history)
        less = int(start * (1 - policy.value / 100) + 1e-9) if policy.percent else start - policy.value
        limits.append(less)
    return max(limits) if rules.select == "Min" else min(limits)


def _at_start(now: float, current: int, period: float, history: History) -> int:
    """How many replicas there were when the period began."""
    added = sum(count for when, count in history.ups if when > now - period)
    ended = sum(count for when, count in history.downs if when > now - period)
    return current - added + ended
