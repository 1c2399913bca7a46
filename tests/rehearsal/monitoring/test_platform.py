"""Targets, usage and events from the status of a machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rehearsal.host.status import AutoscalerStatus, HostStatus, ProcessStatus
from rehearsal.monitoring.platform import LocalPlatform


def pod(folder: Path, name: str, revision: str, created: float, image: str = "one") -> ProcessStatus:
    path = folder / "machine" / "pods" / f"kingdom_{name}" / "pod.json"
    path.parent.mkdir(parents=True)
    container = {"name": "api", "image": image, "resources": {"limits": {"cpu": "500m", "memory": "100Mi"}}}
    template = {
        "metadata": {"labels": {"app.kubernetes.io/component": "api"}},
        "spec": {"containers": [container]},
    }
    path.write_text(
        json.dumps({"owner": "x", "revision": revision, "template": template, "created": created})
    )
    return ProcessStatus(
        name=f"pod/kingdom/{name}/api", kind="pod", state="running", ready=True, pid=1, restarts=2,
        port=4000, memory=50 * 2**20, cpu=0.25,
    )  # fmt: skip


def test_usage_has_the_metric_names_of_gke(tmp_path: Path) -> None:
    found = LocalPlatform(tmp_path, "local").observation(
        HostStatus("local", [pod(tmp_path, "api-1", "r1", 1.0)]), 5.0
    )
    values = {dict(labels)["__name__"].partition(":")[2]: value for labels, value in found.gauges.items()}
    assert values == {
        "container_restart_count": 2.0,
        "container_cpu_limit_utilization": pytest.approx(0.5),
        "container_memory_limit_utilization": pytest.approx(0.5),
    }
    (target,) = found.targets
    assert (target.port, target.labels["top_level_controller_name"]) == (4000, "api")


def test_a_new_revision_is_a_deployment_with_what_changed(tmp_path: Path) -> None:
    platform = LocalPlatform(tmp_path, "local")
    first = pod(tmp_path, "api-1", "r1", 1.0)
    assert not platform.observation(HostStatus("local", [first]), 5.0).events
    second = pod(tmp_path, "api-2", "r2", 10.0, image="two")
    (event,) = platform.observation(HostStatus("local", [first, second]), 20.0).events
    assert (event.kind, event.title) == ("deployment", "api: new revision")
    assert event.detail["changes"] == ["spec.containers[0].image"]
    assert not platform.observation(HostStatus("local", [first, second]), 35.0).events


def test_a_scaling_decision_has_its_reason(tmp_path: Path) -> None:
    platform = LocalPlatform(tmp_path, "local")

    def status(desired: int) -> HostStatus:
        scaler = AutoscalerStatus("kingdom/api", 2, desired, 2, 4, ["cpu 130 %"], "scaled up: cpu")
        return HostStatus("local", autoscalers=[scaler])

    assert not platform.observation(status(2), 5.0).events
    (event,) = platform.observation(status(4), 20.0).events
    assert (event.kind, event.title) == ("scaling", "api: 2 to 4 replicas")
    assert event.detail["outcome"] == "scaled up: cpu"


def test_a_machine_that_does_not_run_is_not_observed(tmp_path: Path) -> None:
    assert LocalPlatform(tmp_path, "local").observe(1.0) is None
