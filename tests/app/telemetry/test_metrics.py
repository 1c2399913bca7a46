"""Metrics that autoscalers and dashboards read are exported under the names used by infra/."""

from __future__ import annotations

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.app.conftest import Person
from tests.support.backends import ROOT, Platform, Process, wait_for


def values(process: Process) -> dict[str, float]:
    """Each series without labels, and the sum of those with."""
    text = httpx.get(f"http://127.0.0.1:{process.port}/metrics").text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def gauges(role: str) -> set[str]:
    """The gauges by which the production stack scales a role."""
    stack = yaml.safe_load((ROOT / "stacks/Pulumi.prod.yaml").read_text())
    signals = stack["config"]["kingdom:workload"][role]["signals"]
    return {signal["gauge"] for signal in signals.values()}


@pytest.mark.parametrize("role", ["api", "worker"])
def test_pod_exports_every_gauge_of_its_autoscaler(platform: Platform, role: str) -> None:
    process = {"api": platform.api, "worker": platform.worker}[role]
    wanted = gauges(role)
    assert wanted
    wait_for(f"{wanted} of {role}", lambda: wanted <= values(process).keys())


def test_backlog_is_exported_by_workers_only(platform: Platform) -> None:
    wait_for("one worker", lambda: values(platform.worker).get("kingdom_queue_workers") == 1)
    assert "kingdom_queue_backlog_per_worker" not in values(platform.api)


def test_database_connections_and_commands_are_counted(platform: Platform, ada: Person) -> None:
    ada.client.get("/v1/contents")
    shown = values(platform.api)
    assert 1 <= shown["kingdom_mongodb_connections"] <= shown["kingdom_mongodb_connections_limit"] == 64
    assert shown["kingdom_mongodb_connections_busy"] == 0
    assert shown["kingdom_mongodb_connections_waited_for"] == 0
    assert shown["kingdom_mongodb_command_seconds_count"] >= 1


def test_process_and_machine_metrics_are_exported(platform: Platform) -> None:
    shown = values(platform.api)
    for name in (
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "kingdom_system_cpu_seconds_total",
        "kingdom_system_memory_bytes",
        "kingdom_network_sockets",
    ):
        assert shown[name] > 0, name
    assert {"kingdom_network_bytes_total", "kingdom_disk_bytes_total"} <= shown.keys()
