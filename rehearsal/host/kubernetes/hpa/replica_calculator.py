"""Replica counts from metrics: `replica_calculator.go` and `metrics/utilization.go`, line by line.

Sums and averages are integers in thousandths (Go's int64), ratios IEEE doubles in upstream's order of
operations, and counts are rounded up with a plain ceiling: 135 % of a target of 65 % with 13 pods is 28,
because 135/65*13 is 27.000000000000004.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rehearsal.host.kubernetes.hpa.model import ControllerConfig, PodReading, PodState, milli_value

_MAX_INT32 = 2**31 - 1
_MAX_INT64 = 2**63 - 1


class MetricError(Exception):
    """A metric that allows no replica count; the message is upstream's."""


@dataclass(frozen=True)
class Tolerances:
    """How far the ratio of usage to target may be below and above 1 without a change, as fractions."""

    down: float
    up: float

    def within(self, ratio: float) -> bool:
        return (1.0 - self.down) <= ratio <= (1.0 + self.up)


@dataclass(frozen=True)
class PodGroups:
    """Pods by group: `ready` is the number of measured pods; the other groups have names."""

    ready: int
    unready: frozenset[str]
    missing: frozenset[str]
    ignored: frozenset[str]


def group_pods(
    pods: Sequence[PodState],
    measured: Collection[str],
    readings: Mapping[str, PodReading],
    resource: str,
    now: float,
    config: ControllerConfig,
) -> PodGroups:
    """Group pods by how their metrics count (`groupPods`). Only CPU readings of unready pods are ignored."""
    ready = 0
    unready, missing, ignored = set[str](), set[str](), set[str]()
    for pod in pods:
        if pod.deleted or pod.phase == "Failed":
            ignored.add(pod.name)
        elif pod.phase == "Pending":
            unready.add(pod.name)
        elif pod.name not in measured:
            missing.add(pod.name)
        elif resource == "cpu" and _cpu_is_initial(pod, readings[pod.name], now, config):
            unready.add(pod.name)
        else:
            ready += 1
    return PodGroups(ready, frozenset(unready), frozenset(missing), frozenset(ignored))


def _cpu_is_initial(pod: PodState, reading: PodReading, now: float, config: ControllerConfig) -> bool:
    if pod.ready is None or pod.started is None:
        return True
    if pod.started + config.cpu_initialization_period > now:
        # A window that began before the last transition contains the CPU use of the start.
        return pod.ready == "False" or reading.taken < pod.ready_since + reading.window
    return pod.ready == "False" and pod.started + config.initial_readiness_delay > pod.ready_since


def pod_requests(pods: Sequence[PodState], container: str, resource: str) -> dict[str, int]:
    """Return the requests of all listed pods in thousandths, terminating ones included (`calculateRequests`).

    Raises MetricError if a container of a pod has no request of `resource`.
    """
    return {pod.name: _pod_request(pod, container, resource) for pod in pods}


# IsPodLevelRequestsSet: resources that may be requested for the pod as a whole.
_POD_LEVEL = frozenset({"cpu", "memory"})


def _pod_request(pod: PodState, container: str, resource: str) -> int:
    level = (pod.spec.get("resources") or {}).get("requests") or {}
    if not container and any(name in _POD_LEVEL or name.startswith("hugepages-") for name in level):
        return _pod_level_request(pod, level, resource)
    total = 0
    for item in _counted_containers(pod.spec):
        if container in {"", item["name"]}:
            requests = (item.get("resources") or {}).get("requests") or {}
            if resource not in requests:
                raise MetricError(
                    f"missing request for {resource} in container {item['name']} of Pod {pod.name}"
                )
            total += milli_value(requests[resource])
        if container == item["name"]:
            return total
    if container:
        raise MetricError(f"container {container} not found in Pod {pod.name}")
    return total


def _pod_level_request(pod: PodState, level: Mapping[str, Any], resource: str) -> int:
    """Return a pod's own request, else the sum of its containers' (`resourcehelpers.PodRequests`)."""
    overhead = pod.spec.get("overhead") or {}
    added = milli_value(overhead.get(resource, 0))
    if resource in level and (resource in _POD_LEVEL or resource.startswith("hugepages-")):
        return milli_value(level[resource]) + added
    total = max_init = restartable = 0
    found = resource in overhead
    for item in pod.spec.get("initContainers") or []:
        requests = (item.get("resources") or {}).get("requests") or {}
        if resource in requests:
            found = True
        value = milli_value(requests.get(resource, 0))
        if item.get("restartPolicy") == "Always":
            restartable += value
            total += value
            max_init = max(max_init, restartable)
        else:
            max_init = max(max_init, value + restartable)
    for item in pod.spec.get("containers") or []:
        requests = (item.get("resources") or {}).get("requests") or {}
        if resource in requests:
            found = True
        total += milli_value(requests.get(resource, 0))
    if not found:
        raise MetricError(f"missing pod-level request for {resource} in Pod {pod.name}")
    return max(total, max_init) + added


def _counted_containers(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    sidecars = [item for item in spec.get("initContainers") or [] if item.get("restartPolicy") == "Always"]
    return [*(spec.get("containers") or []), *sidecars]


@dataclass(frozen=True)
class UtilizationRatio:
    """`utilization` in whole percent of the requests, rounded towards zero; `average` in thousandths."""

    ratio: float
    utilization: int
    average: int


def utilization_ratio(
    readings: Mapping[str, PodReading], requests: Mapping[str, int], target: int
) -> UtilizationRatio:
    """Compare usage with requests and a target in percent. Raises MetricError if no reading has a request."""
    used = requested = entries = 0
    for name, reading in readings.items():
        if name in requests:
            used += reading.value
            requested += requests[name]
            entries += 1
    if requested == 0:
        raise MetricError("no metrics returned matched known pods")
    utilization = int32(_divide(int64(used * 100), requested))
    return UtilizationRatio(utilization / target, utilization, _divide(used, entries))


def usage_ratio(readings: Mapping[str, PodReading], target: int) -> tuple[float, int]:
    """Compare the average with a target, both in thousandths; return ratio and average."""
    average = _divide(sum(reading.value for reading in readings.values()), len(readings))
    return _ratio(average, target), average


def _divide(dividend: int, divisor: int) -> int:
    """Divide integers as Go does: towards zero."""
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def _ratio(value: float, target: float) -> float:
    """Divide doubles as Go does: no error for a divisor of zero."""
    if target != 0:
        return float(value) / float(target)
    return math.nan if value == 0 or math.isnan(value) else math.copysign(math.inf, value)


def int32(value: int) -> int:
    """Convert `value` as Go converts an int64 to an int32."""
    return (value + 2**31) % 2**32 - 2**31


def int64(value: int) -> int:
    """Wrap `value` as Go's int64 overflows."""
    return (value + 2**63) % 2**64 - 2**63


def ceil_int32(value: float) -> int:
    """Return `int32(math.Ceil(value))` as on amd64, where an overflow gives the smallest int32."""
    if not math.isfinite(value) or not -(2**31) <= math.ceil(value) <= _MAX_INT32:
        return -(2**31)
    return math.ceil(value)


@dataclass
class ReplicaCalculator:
    """Calculates replica counts for one sync of one autoscaler."""

    pods: Sequence[PodState]
    now: float
    config: ControllerConfig
    tolerances: Tolerances

    def for_utilization(
        self, current: int, readings: Mapping[str, PodReading], target: int, resource: str, container: str
    ) -> tuple[int, UtilizationRatio]:
        """Compare a resource with a percentage of the requests.

        This is `GetResourceReplicas`. Raises MetricError.
        """
        groups, metrics = self._grouped(readings, resource)
        requests = pod_requests(self.pods, container, resource)
        first = utilization_ratio(metrics, requests, target)
        filled = self._filled(
            metrics, groups, first.ratio, lambda name: _divide(requests[name] * max(100, target), 100)
        )
        if filled is None:
            if self.tolerances.within(first.ratio):
                return current, first
            return ceil_int32(first.ratio * groups.ready), first
        second = utilization_ratio(filled, requests, target)
        return self._checked(current, first.ratio, second.ratio, len(filled)), first

    def for_average(
        self, current: int, readings: Mapping[str, PodReading], target: int, resource: str = ""
    ) -> tuple[int, int]:
        """Compare a resource or pods metric with an average in thousandths (`calcPlainMetricReplicas`).

        Returns the replica count and the average. Raises MetricError.
        """
        groups, metrics = self._grouped(readings, resource)
        first, average = usage_ratio(metrics, target)
        filled = self._filled(metrics, groups, first, lambda name: target)
        if filled is None:
            if self.tolerances.within(first):
                return current, average
            return ceil_int32(first * groups.ready), average
        second, _ = usage_ratio(filled, target)
        return self._checked(current, first, second, len(filled)), average

    def _grouped(
        self, readings: Mapping[str, PodReading], resource: str
    ) -> tuple[PodGroups, dict[str, PodReading]]:
        if not self.pods:
            raise MetricError("no pods returned by selector while calculating replica count")
        groups = group_pods(self.pods, readings.keys(), readings, resource, self.now, self.config)
        excluded = groups.ignored | groups.unready
        metrics = {name: reading for name, reading in readings.items() if name not in excluded}
        if not metrics:
            raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
        return groups, metrics

    @staticmethod
    def _filled(
        metrics: Mapping[str, PodReading], groups: PodGroups, ratio: float, full: Callable[[str], int]
    ) -> dict[str, PodReading] | None:
        """Return the readings with assumed values for pods without one; None if no value is assumed.

        On the way down a missing pod is assumed to use `full(name)`, on the way up nothing; unready pods
        count as idle on the way up.
        """
        up_with_unready = bool(groups.unready) and ratio > 1.0
        if not up_with_unready and not groups.missing:
            return None
        filled = dict(metrics)
        if ratio < 1.0:
            filled |= {name: PodReading(full(name)) for name in groups.missing}
        elif ratio > 1.0:
            filled |= {name: PodReading(0) for name in groups.missing}
        if up_with_unready:
            filled |= {name: PodReading(0) for name in groups.unready}
        return filled

    def _checked(self, current: int, first: float, second: float, count: int) -> int:
        """Return the count for the second ratio, unless assumed values reversed the direction."""
        if self.tolerances.within(second) or (first < 1.0 < second) or (second < 1.0 < first):
            return current
        replicas = ceil_int32(second * count)
        if (second < 1.0 and replicas > current) or (second > 1.0 and replicas < current):
            return current
        return replicas

    def for_value(self, current: int, value: int, target: int) -> int:
        """Compare an object or external metric with a total value (`getUsageRatioReplicaCount`)."""
        ratio = _ratio(value, target)
        if current == 0:
            # From zero the ratio is the count: no pod is ready to multiply with, and no tolerance applies.
            return ceil_int32(ratio)
        if self.tolerances.within(ratio):
            return current
        if not self.pods:
            raise MetricError(
                "unable to calculate ready pods: no pods returned by selector while calculating replica count"
            )
        ready = sum(pod.phase == "Running" and pod.ready == "True" for pod in self.pods)
        replicas = ratio * ready
        return _MAX_INT32 if replicas > _MAX_INT32 else ceil_int32(replicas)

    def for_average_of_object(self, status_replicas: int, value: int, target: int) -> tuple[int, int]:
        """Compare an object metric with an average per pod (`GetObjectPerPodMetricReplicas`).

        Returns the replica count and the average in thousandths. Within the tolerance the count is that of
        `status.replicas`.
        """
        replicas = status_replicas
        if not self.tolerances.within(_ratio(value, float(target) * float(replicas))):
            replicas = ceil_int32(_ratio(value, target))
        return replicas, _ceil_int64(_ratio(value, status_replicas))

    def for_average_of_external(self, status_replicas: int, value: int, target: int) -> tuple[int, int]:
        """Compare an external metric with an average per pod (`GetExternalPerPodMetricReplicas`)."""
        replicas = status_replicas
        if not self.tolerances.within(_ratio(value, float(target) * float(replicas))):
            wanted = _ratio(value, target)
            replicas = _MAX_INT32 if wanted > _MAX_INT32 else ceil_int32(wanted)
        if float(value) >= float(_MAX_INT64):
            return replicas, _MAX_INT64
        return replicas, _ceil_int64(_ratio(value, status_replicas))


def _ceil_int64(value: float) -> int:
    if not math.isfinite(value) or not -(2**63) <= math.ceil(value) <= _MAX_INT64:
        return -(2**63)
    return math.ceil(value)


def sum_for_value(values: Sequence[int]) -> int:
    """Return the sum of an external metric's series, capped at the maximum int64.

    This is `GetExternalMetricReplicas`.
    """
    total = 0
    for value in values:
        if value > 0 and total > _MAX_INT64 - value:
            return _MAX_INT64
        total = int64(total + value)
    return total


def sum_for_average(values: Sequence[int]) -> int:
    """Return the sum of an external metric's series; a negative one counts as an overflow, as upstream."""
    total = 0
    for value in values:
        total = int64(total + value)
        if total < 0:
            return _MAX_INT64
    return total
