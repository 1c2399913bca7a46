"""Custom metrics of pods, and the resources that declare where autoscalers read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.desired_state import Desired, DesiredStore
from rehearsal.host.kubernetes.pod_metrics import Counters, MetricSource, UndeclaredMetricError, parse

EXPOSITION = """\
# HELP kingdom_http_requests_per_second Requests a second.
# TYPE kingdom_http_requests_per_second gauge
kingdom_http_requests_per_second{role="api",path="a \\"b\\""} 40.5
kingdom_http_requests_per_second{role="api"} 2
kingdom_http_requests_per_second{role="worker"} 7
kingdom_http_response_p95_seconds NaN
kingdom_http_requests_total{code="200"} 1e3 1700000000000
"""


def source(name: str, **more: Any) -> MetricSource:
    return MetricSource(name, **more)


def value(found: MetricSource, text: str = EXPOSITION, **selector: str) -> float | None:
    return Counters().value(found, selector, parse(text))


def test_series_are_summed_as_the_labels_select_them() -> None:
    name = "kingdom_http_requests_per_second"
    assert value(source(name)) == 49.5
    assert value(source(name, labels=(("role", "api"),))) == 42.5
    assert value(source(name), role="worker") == 7
    assert value(source(name), role="nobody") is None


def test_a_gauge_that_was_never_set_is_not_measured() -> None:
    assert value(source("kingdom_http_response_p95_seconds")) is None


def test_a_counter_is_read_as_a_rate_from_the_second_look_on(monkeypatch: pytest.MonkeyPatch) -> None:
    counters, found, now = Counters(), source("kingdom_http_requests_total"), 100.0
    monkeypatch.setattr("rehearsal.host.kubernetes.pod_metrics.time.monotonic", lambda: now)
    assert counters.value(found, {}, parse(EXPOSITION)) is None
    now = 110.0
    assert counters.value(found, {}, parse("kingdom_http_requests_total 1500")) == 50
    now = 120.0
    assert counters.value(found, {}, parse("kingdom_http_requests_total 3")) is None


@pytest.fixture
def store(tmp_path: Path) -> DesiredStore:
    declared = {
        "apiVersion": "autoscaling.gke.io/v1beta1",
        "kind": "AutoscalingMetric",
        "metadata": {"name": "api", "namespace": "kingdom"},
        "spec": {
            "metrics": [
                {
                    "pod": {
                        "selector": {"matchLabels": {"role": "api"}},
                        "containers": [
                            {
                                "endpoint": {"port": 8080, "path": "/metrics"},
                                "metrics": [
                                    {"gauge": {"name": "plain"}},
                                    {
                                        "gauge": {
                                            "name": "requests",
                                            "prometheusMetricName": "kingdom_http_requests_per_second",
                                            "filter": {"matchLabels": {"role": "api"}},
                                        }
                                    },
                                ],
                            }
                        ],
                    }
                }
            ]
        },
    }
    store = DesiredStore(tmp_path)
    type_ = "kubernetes:autoscaling.gke.io/v1beta1:AutoscalingMetric"
    store.put(Desired("urn:pulumi:local::k::t::api", type_, "kingdom/api", declared))
    return store


def test_a_name_of_gke_leads_to_the_gauge_that_the_custom_resource_declares(store: DesiredStore) -> None:
    found = MetricSource.of("autoscaling.gke.io|api|requests", "kingdom", store)
    role = (("role", "api"),)
    assert found == MetricSource("kingdom_http_requests_per_second", 8080, "/metrics", role, role)
    assert MetricSource.of("autoscaling.gke.io|api|plain", "kingdom", store).name == "plain"


@pytest.mark.parametrize("name", ["api|latency", "worker|requests"])
def test_a_metric_that_no_custom_resource_exposes_is_reported(store: DesiredStore, name: str) -> None:
    with pytest.raises(UndeclaredMetricError, match=name.partition("|")[2 if name.startswith("api") else 0]):
        MetricSource.of(f"autoscaling.gke.io|{name}", "kingdom", store)
