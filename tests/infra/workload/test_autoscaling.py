"""Autoscalers of each role: bounds, metrics, behavior and disruption budgets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.rehearsal import Declared, configuration

ROLES = ("api", "worker")


def autoscaler(declared: Declared, role: str) -> dict[str, Any]:
    spec: dict[str, Any] = declared.one("HorizontalPodAutoscaler", f"{role}-scaling")["spec"]
    return spec


@pytest.mark.parametrize("role", ROLES)
def test_hpa_aims_at_cpu_memory_and_every_signal_of_the_settings(declared: Declared, role: str) -> None:
    settings = configuration(declared.stack)["kingdom:workload"][role]
    metrics = autoscaler(declared, role)["metrics"]
    resources = {
        item["resource"]["name"]: item["resource"]["target"]["averageUtilization"]
        for item in metrics
        if item["type"] == "Resource"
    }
    assert resources == {"cpu": settings["cpuPercent"], "memory": settings["memoryPercent"]}
    names = [item["pods"]["metric"]["name"] for item in metrics if item["type"] == "Pods"]
    assert names == [f"autoscaling.gke.io|{role}|{key}" for key in settings["signals"]]


@pytest.mark.parametrize("role", ROLES)
def test_every_pods_metric_is_read_from_a_gauge_of_pods_that_carry_the_label(
    declared: Declared, role: str
) -> None:
    settings = configuration(declared.stack)["kingdom:workload"][role]
    spec = declared.one("AutoscalingMetric", f"{role}-scaling-metrics")["spec"]["metrics"][0]["pod"]
    template = declared.one("Deployment", role)["spec"]["template"]
    assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    # GKE's agent refuses label names with anything but letters, digits, hyphens and underscores.
    assert all(key.replace("-", "").replace("_", "").isalnum() for key in spec["selector"]["matchLabels"])
    container = spec["containers"][0]
    assert container["endpoint"]["port"] == template["spec"]["containers"][0]["ports"][0]["containerPort"]
    gauges = {item["gauge"]["name"]: item["gauge"]["prometheusMetricName"] for item in container["metrics"]}
    assert gauges == {key: signal["gauge"] for key, signal in settings["signals"].items()}


def test_api_of_production_scales_on_cpu_65_memory_75_requests_and_response_time(prod: Declared) -> None:
    found = {
        (item.get("resource") or item["pods"]["metric"])["name"]: item
        for item in autoscaler(prod, "api")["metrics"]
    }
    assert found["cpu"]["resource"]["target"]["averageUtilization"] == 65
    assert found["memory"]["resource"]["target"]["averageUtilization"] == 75
    assert found["autoscaling.gke.io|api|requests"]["pods"]["target"]["averageValue"] == "110"
    assert found["autoscaling.gke.io|api|response-time"]["pods"]["target"]["averageValue"] == "400m"


@pytest.mark.parametrize("role", ROLES)
def test_scale_up_is_fast_and_scale_down_slow(declared: Declared, role: str) -> None:
    behavior = autoscaler(declared, role)["behavior"]
    up, down = behavior["scaleUp"], behavior["scaleDown"]
    assert up["stabilizationWindowSeconds"] == 0
    assert up["selectPolicy"] == "Max"
    assert down["stabilizationWindowSeconds"] >= 300
    assert down["selectPolicy"] == "Min"
    a_minute_up = max(p["value"] * 60 / p["periodSeconds"] for p in up["policies"] if p["type"] == "Percent")
    a_minute_down = min(
        p["value"] * 60 / p["periodSeconds"] for p in down["policies"] if p["type"] == "Percent"
    )
    assert a_minute_up >= 10 * a_minute_down
