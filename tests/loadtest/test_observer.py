"""The observer derives its samples from the status and the metrics of the platform."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loadtest.observer import (
    cache_hits,
    competing_seconds,
    cpu_seconds,
    pod_memory,
    queue_depth,
    replicas,
    used,
    workload,
)
from rehearsal.host.kubernetes.pod_metrics import parse
from rehearsal.host.status import HostStatus, ProcessStatus

METRICS = """
kingdom_cache_reads_total{cache="feed",outcome="memory"} 60
kingdom_cache_reads_total{cache="feed",outcome="redis"} 20
kingdom_cache_reads_total{cache="feed",outcome="loads"} 20
kingdom_cache_reads_total{cache="feed",outcome="waits"} 7
kingdom_queue_jobs{state="ready_high"} 3
kingdom_queue_jobs{state="ready_low"} 4
kingdom_queue_jobs{state="leased"} 5
"""


def pod(name: str, ready: bool = True, memory: int = 100, pid: int | None = None) -> ProcessStatus:
    return ProcessStatus(name, "pod", "running", ready, pid, 0, 18000, memory, 0.0)


STATUS = HostStatus(
    "local",
    [
        pod("pod/kingdom/api-5d9c-x1/api", memory=100),
        pod("pod/kingdom/api-5d9c-x2/api", memory=300),
        pod("pod/kingdom/api-5d9c-x3/api", ready=False, memory=900),
        pod("pod/kingdom/worker-77aa-y1/worker", memory=50),
        ProcessStatus("redis/kingdom", "redis", "running", True, os.getpid(), 0, 6379, 10, 0.0),
    ],
)


def test_ready_pods_are_counted_by_workload() -> None:
    assert replicas(STATUS) == {"api": 2, "worker": 1}
    assert pod_memory(STATUS) == {"api": 200.0, "worker": 50.0}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pod/kingdom/api-5d9c-x1/api", "api"),
        ("pod/kingdom/load-shedder-5d9c-x1/api", "load-shedder"),
    ],
)
def test_the_workload_of_a_pod_is_its_name_without_hashes(name: str, expected: str) -> None:
    assert workload(name) == expected


def test_hits_are_reads_without_a_load() -> None:
    assert cache_hits(parse(METRICS)) == (80.0, 100.0)


def test_the_queue_depth_is_the_jobs_that_are_ready() -> None:
    assert queue_depth(parse(METRICS)) == 7.0
    assert queue_depth([]) is None


def test_cpu_is_that_of_processes_by_component() -> None:
    before = cpu_seconds(STATUS.processes)
    assert {name for name, _ in before} >= {"redis"}
    after = {key: seconds + 0.5 for key, seconds in before.items()} | {("api", 1): 0.25}
    assert used(before, after)["redis"] == pytest.approx(0.5 * len(before))
    assert used(before, after)["api"] == 0.25


def test_processes_that_give_way_to_the_platform_do_not_compete(tmp_path: Path) -> None:
    for pid, nice in ((1, -10), (2, 0), (3, 5)):
        (tmp_path / str(pid)).mkdir()
        fields = ["S", *["0"] * 10, "200", "100", "0", "0", "20", str(nice), "1"]
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a name) with parens) {' '.join(fields)}\n")
    ticks = os.sysconf("SC_CLK_TCK")
    assert competing_seconds(0, tmp_path) == {("others", 1): 300 / ticks, ("others", 2): 300 / ticks}
    assert competing_seconds(-10, tmp_path) == {("others", 1): 300 / ticks}
