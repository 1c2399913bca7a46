"""Observations of a target: pods, their metrics, and selectors as the API writes them."""

from __future__ import annotations

from typing import Any

from rehearsal.host.kubernetes.hpa.model import (
    ExternalReadings,
    ObjectReading,
    PodReading,
    PodReadings,
    UnavailableMetric,
)
from rehearsal.host.kubernetes.hpa.observation import (
    PodSample,
    pod_state,
    pods_reading,
    resource_reading,
    selector_string,
    shared_reading,
)
from rehearsal.host.kubernetes.pod_metrics import MetricSample, MetricSource
from rehearsal.host.processes.resource_usage import Usage
from tests.rehearsal.host.kubernetes.objects import FakePod, record


def test_a_label_selector_is_formatted_as_in_the_scale_status() -> None:
    selector = {
        "matchLabels": {"role": "api", "app": "kingdom"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["b", "a"]},
            {"key": "zone", "operator": "Exists"},
            {"key": "old", "operator": "DoesNotExist"},
        ],
    }
    assert selector_string(selector) == "app=kingdom,!old,role=api,tier in (a,b),zone"
    assert selector_string(None) == ""


API = {"metadata": {"labels": {"app": "api"}}}


def pod_of(number: int, **fields: Any) -> Any:
    return FakePod(None, record(f"api-{number}", created=10.0, template=API, **fields))


def usage(cpu: float, memory: int) -> Usage:
    return Usage(cpu, memory, taken=50.0, window=15.0)


def test_pod_without_a_transition_has_its_condition_since_its_creation() -> None:
    assert pod_state(pod_of(0)).ready_since == 10.0
    assert pod_state(pod_of(0, turned=25.0, ready=True)).ready_since == 25.0
    found = pod_state(pod_of(0, ready=True))
    assert (found.ready, found.started, found.phase, found.deleted) == ("True", 10.0, "Pending", False)
    assert pod_state(pod_of(0)).ready == "False"


def test_resource_readings_are_of_a_container_or_of_the_pod() -> None:
    samples = [
        PodSample(pod_of(0), {"main": usage(0.25, 1024), "proxy": usage(0.05, 512)}, {}),
        PodSample(pod_of(1), {"main": None, "proxy": usage(0.05, 512)}, {}),
    ]
    main = resource_reading(samples, "cpu", "main")
    assert main == PodReadings({"api-0": PodReading(250, 50.0, 15.0)}), "api-1 is not measured yet"
    memory = resource_reading(samples, "memory", "proxy")
    assert isinstance(memory, PodReadings)
    assert {name: item.value for name, item in memory.by_pod.items()} == {"api-0": 512_000, "api-1": 512_000}
    whole = resource_reading(samples[:1], "cpu", "")
    assert isinstance(whole, PodReadings)
    assert whole.by_pod["api-0"].value == 300
    unmeasured = resource_reading(samples[1:], "cpu", "main")
    assert isinstance(unmeasured, UnavailableMetric)
    assert "resource metrics API" in unmeasured.error


def test_custom_metrics_are_of_each_pod_or_of_all() -> None:
    source = MetricSource("queue")
    samples = [
        PodSample(pod_of(number), {}, {source: [MetricSample("queue", {}, value)]})
        for number, value in enumerate((1.5, 2.0))
    ]
    assert pods_reading(samples, source, {}, {}, 7.0) == PodReadings(
        {"api-0": PodReading(1500, 7.0, 60.0), "api-1": PodReading(2000, 7.0, 60.0)}
    )
    assert shared_reading(samples, source, {}, {}, "Object") == ObjectReading(3500)
    assert shared_reading(samples, source, {}, {}, "External") == ExternalReadings([1500, 2000])


def test_metric_that_no_pod_exposes_is_unavailable() -> None:
    source = MetricSource("queue")
    samples = [PodSample(pod_of(0), {}, {})]
    messages = {
        "pods": pods_reading(samples, source, {}, {}, 7.0),
        "object": shared_reading(samples, source, {}, {}, "Object"),
        "external": shared_reading(samples, source, {}, {}, "External"),
    }
    assert messages == {
        "pods": UnavailableMetric("no metrics returned from custom metrics API"),
        "object": UnavailableMetric("no metrics returned from custom metrics API"),
        "external": UnavailableMetric("no metrics returned from external metrics API"),
    }
