"""Threshold monitor: thresholds are reloaded while the pod runs, and exceeded ones are logged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.settings import load
from app.settings.environment import SettingsError
from app.telemetry.load_report import CpuUsage
from app.telemetry.threshold_monitor import Level, ThresholdMonitor, memory_percent
from app.telemetry.thresholds import Thresholds
from infra.settings.loader import parse
from infra.workload.config_maps import thresholds
from tests.infra.rehearsal import configuration
from tests.support.backends import Platform, Process, pod, wait_for

NAMES = Thresholds.__struct_fields__


def declared(**changes: tuple[float, float]) -> str:
    """The file as the platform writes it for production."""
    settings = parse("prod", configuration("prod"))
    logged = thresholds(settings.observability.thresholds)
    for name, (warning, critical) in changes.items():
        logged[name] |= {"warning": warning, "critical": critical}
    return json.dumps(logged)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "thresholds.json"
    file.write_text(declared())
    return file


@pytest.fixture
def values() -> dict[str, float]:
    return dict.fromkeys(NAMES, 0.0)


@pytest.fixture
def alarms(path: Path, values: dict[str, float]) -> ThresholdMonitor:
    def measure(name: str) -> float:
        return values[name]

    return ThresholdMonitor(path, {name: lambda name=name: measure(name) for name in NAMES})


def test_declared_thresholds_are_valid_for_the_pod(alarms: ThresholdMonitor) -> None:
    assert (alarms.thresholds.cpu.warning, alarms.thresholds.cpu.critical) == (80, 90)
    assert (alarms.thresholds.memory.warning, alarms.thresholds.memory.critical) == (80, 95)
    assert (alarms.thresholds.response_time.warning, alarms.thresholds.response_time.critical) == (1, 3)
    assert (alarms.thresholds.error_rate.warning, alarms.thresholds.error_rate.critical) == (5, 10)
    connections = alarms.thresholds.database_connections
    assert (connections.warning, connections.critical) == (80, 95)


def test_level_applies_after_two_consecutive_checks(
    alarms: ThresholdMonitor, values: dict[str, float]
) -> None:
    def seen(cpu: float) -> Level:
        values["cpu"] = cpu
        alarms.check()
        return alarms.level("cpu")

    assert [seen(value) for value in (85, 0, 85, 85)] == [0, 0, 0, Level.WARNING]
    assert [seen(value) for value in (95, 85, 95, 95)] == [1, 1, 1, Level.CRITICAL]
    assert [seen(value) for value in (80, 95, 80, 80)] == [2, 2, 2, Level.NORMAL]
    assert alarms.level("memory") is Level.NORMAL


def test_changed_file_applies_at_the_next_check(
    alarms: ThresholdMonitor, path: Path, values: dict[str, float]
) -> None:
    values["memory"] = 50.0
    alarms.check()
    path.write_text(declared(memory=(40, 60)))
    alarms.check()
    alarms.check()
    assert alarms.level("memory") is Level.WARNING


@pytest.mark.parametrize("spoiled", ["", "{}", declared(cpu=(90, 80)), declared(cpu=(0, 80))])
def test_invalid_file_changes_nothing(alarms: ThresholdMonitor, path: Path, spoiled: str) -> None:
    before = alarms.thresholds
    path.write_text(spoiled)
    alarms.check()
    path.unlink()
    alarms.check()
    assert alarms.thresholds == before
    path.write_text(declared(cpu=(10, 20)))
    alarms.check()
    assert alarms.thresholds.cpu.warning == 10


def test_pod_does_not_start_with_invalid_thresholds(platform: Platform, path: Path) -> None:
    path.write_text(declared(errorRate=(10, 5)))
    with pytest.raises(SettingsError, match="error_rate: warning is 10 and critical is 5"):
        load(platform.settings | {"KINGDOM_THRESHOLDS_FILE": str(path)})


def test_cpu_and_memory_are_measured() -> None:
    processor = CpuUsage()
    while (busy := processor()) < 1:
        sum(range(10_000))
    assert busy <= 100
    assert 0 < memory_percent() < 100


@pytest.fixture
def watched(platform: Platform, path: Path) -> Iterator[Process]:
    process = pod("api", platform.folder, platform.settings | {"KINGDOM_THRESHOLDS_FILE": str(path)})
    process.start()
    platform.wait_until_ready(process)
    yield process
    process.kill()


@pytest.mark.slow
def test_running_pod_applies_changed_thresholds(watched: Process, path: Path) -> None:
    def shown(series: str) -> bool:
        return series in httpx.get(f"http://127.0.0.1:{watched.port}/metrics").text.splitlines()

    pid = watched.pid
    assert shown('kingdom_threshold{level="warning",signal="memory"} 80.0')
    path.write_text(declared(memory=(0.0001, 99)))
    wait_for("the new threshold", lambda: shown('kingdom_threshold_level{signal="memory"} 1.0'))
    assert shown('kingdom_threshold{level="warning",signal="memory"} 0.0001')
    lines = [json.loads(line) for line in watched.log.read_text().splitlines()]
    (logged,) = [line for line in lines if line.get("signal") == "memory"]
    assert (logged["message"], logged["grade"]) == ("threshold exceeded", "warning")
    assert watched.pid == pid
    assert watched.running
