"""What autoscalers and dashboards read is there, on the pods, under the names that infra/ uses."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.telemetry.system_metrics import SystemMetrics
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
def test_a_pod_shows_every_gauge_its_autoscaler_names(platform: Platform, role: str) -> None:
    process = {"api": platform.api, "worker": platform.worker}[role]
    wanted = gauges(role)
    assert wanted
    wait_for(f"{wanted} of {role}", lambda: wanted <= values(process).keys())


def test_the_backlog_is_only_shown_by_who_measures_it(platform: Platform) -> None:
    wait_for("one worker", lambda: values(platform.worker).get("kingdom_queue_workers") == 1)
    assert "kingdom_queue_backlog_per_worker" not in values(platform.api)


def test_the_databases_connections_and_commands_are_counted(platform: Platform, ada: Person) -> None:
    ada.client.get("/v1/contents")
    shown = values(platform.api)
    assert 1 <= shown["kingdom_mongodb_connections"] <= shown["kingdom_mongodb_connections_limit"] == 64
    assert shown["kingdom_mongodb_connections_busy"] == 0
    assert shown["kingdom_mongodb_connections_waited_for"] == 0
    assert shown["kingdom_mongodb_command_seconds_count"] >= 1


def test_process_and_machine_are_measured(platform: Platform) -> None:
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


def test_what_the_system_does_not_tell_is_left_out(tmp_path: Path) -> None:
    assert list(SystemMetrics(tmp_path).collect()) == []
    (tmp_path / "meminfo").write_text("MemTotal: 2048 kB\nMemAvailable: 1024 kB\n")
    (family,) = SystemMetrics(tmp_path).collect()
    assert {sample.labels["of"]: sample.value for sample in family.samples} == {
        "total": 2048 * 1024,
        "available": 1024 * 1024,
    }
