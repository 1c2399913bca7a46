"""Observation of an autoscaler's target on this machine: its scale, the pods and their metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rehearsal.host.kubernetes.hpa.model import (
    ExternalReadings,
    ObjectReading,
    PodReading,
    PodReadings,
    PodState,
    Reading,
    UnavailableMetric,
)
from rehearsal.host.kubernetes.pod_metrics import Counters, MetricSample, MetricSource
from rehearsal.host.kubernetes.pods import Pod
from rehearsal.host.processes.resource_usage import Usage, together

# metricServerDefaultMetricWindow: custom metrics without a window of their own.
_WINDOW_SECONDS = 60.0
_NO_RESOURCE_METRICS = "unable to fetch metrics from resource metrics API: no metrics returned"
_NO_CUSTOM_METRICS = "no metrics returned from custom metrics API"
_NO_EXTERNAL_METRICS = "no metrics returned from external metrics API"


@dataclass(frozen=True)
class PodSample:
    """One pod with the usage of its containers by name, and its exported metrics by source."""

    pod: Pod
    usage: Mapping[str, Usage | None]
    series: Mapping[MetricSource, Sequence[MetricSample]]

    @classmethod
    def of(cls, pod: Pod, series: Mapping[MetricSource, Sequence[MetricSample]]) -> PodSample:
        """Create the sample of a pod from the usage of its processes over the last interval."""
        return cls(pod, pod.container_usage(), series)


def pod_state(pod: Pod) -> PodState:
    """Return the pod's status as the API server would show it."""
    record = pod.record
    return PodState(
        name=record.name,
        phase=record.phase,
        deleted=pod.terminating,
        # A pod whose containers are not created has no start time.
        started=record.created if pod.processes() else None,
        ready="True" if pod.ready else "False",
        ready_since=record.turned or record.created,
        spec=pod.spec,
    )


def resource_reading(samples: Sequence[PodSample], resource: str, container: str) -> Reading:
    """Return CPU or memory as metrics-server does; pods that are not measured yet are absent."""
    found: dict[str, PodReading] = {}
    for sample in samples:
        usage = sample.usage.get(container) if container else together(list(sample.usage.values()))
        if usage is not None:
            value = usage.cpu * 1000 if resource == "cpu" else usage.memory * 1000
            found[sample.pod.record.name] = PodReading(math.ceil(value), usage.taken, usage.window)
    return PodReadings(found) if found else UnavailableMetric(_NO_RESOURCE_METRICS)


def pods_reading(
    samples: Sequence[PodSample],
    source: MetricSource,
    selector: Mapping[str, str],
    counters: dict[str, Counters],
    now: float,
) -> Reading:
    """Return a metric that pods export, one value per pod."""
    values = _values(samples, source, selector, counters)
    if not values:
        return UnavailableMetric(_NO_CUSTOM_METRICS)
    return PodReadings({name: PodReading(value, now, _WINDOW_SECONDS) for name, value in values.items()})


def shared_reading(
    samples: Sequence[PodSample],
    source: MetricSource,
    selector: Mapping[str, str],
    counters: dict[str, Counters],
    kind: str,
) -> Reading:
    """Return an object or external metric from the series of all pods, in place of a monitoring system."""
    values = list(_values(samples, source, selector, counters).values())
    if not values:
        return UnavailableMetric(_NO_CUSTOM_METRICS if kind == "Object" else _NO_EXTERNAL_METRICS)
    return ObjectReading(sum(values)) if kind == "Object" else ExternalReadings(values)


def _values(
    samples: Sequence[PodSample],
    source: MetricSource,
    selector: Mapping[str, str],
    counters: dict[str, Counters],
) -> dict[str, int]:
    found: dict[str, int] = {}
    for sample in samples:
        name = sample.pod.record.name
        value = counters.setdefault(name, Counters()).value(
            source, selector, list(sample.series.get(source, ()))
        )
        if value is not None:
            # The sixth digit after the milli is an artifact of the division by the interval.
            found[name] = math.ceil(round(value * 1000, 6))
    return found


def selector_string(selector: Mapping[str, Any] | None) -> str:
    """Format a LabelSelector as `metav1.FormatLabelSelector` writes it in `status.selector` of a scale."""
    given = selector or {}
    parts = [(key, f"{key}={value}") for key, value in (given.get("matchLabels") or {}).items()]
    for item in given.get("matchExpressions") or []:
        key, values = item["key"], ",".join(sorted(item.get("values") or []))
        forms = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        parts.append((key, forms.get(item["operator"], f"!{key}")))
    return ",".join(text for _, text in sorted(parts))
