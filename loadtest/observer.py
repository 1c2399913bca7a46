"""``python -m loadtest.observer FOLDER``: samples of the platform during a run, one JSON object per second.

A separate process, so that reading metrics does not delay the generator. It ends when its output is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import psutil

from rehearsal.host.client import Machine
from rehearsal.host.errors import MachineError
from rehearsal.host.kubernetes.pod_metrics import MetricSample, scrape
from rehearsal.host.status import HostStatus, ProcessStatus

_INTERVAL_SECONDS: Final = 1.0
# Metrics of pods are read less often, because a scrape uses CPU of the service.
_SCRAPE_EVERY: Final = 5
_HITS: Final = frozenset({"memory", "redis", "stale"})


Spent = dict[tuple[str, int], float]
"""CPU seconds by component (`api`, `redis`, …) and process id."""


def cpu_seconds(processes: Iterable[ProcessStatus]) -> Spent:
    """Return the CPU seconds of each process of the platform, with its children."""
    spent: Spent = {}
    for status in processes:
        if status.pid is None:
            continue
        with contextlib.suppress(psutil.Error):
            leader = psutil.Process(status.pid)
            for process in (leader, *leader.children(recursive=True)):
                spent[component(status), process.pid] = _seconds(process)
    return spent


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def used(before: Spent, after: Spent) -> dict[str, float]:
    """Return the CPU seconds by component between two readings; without processes that ended in between."""
    found: dict[str, float] = {}
    for key, seconds in after.items():
        found[key[0]] = found.get(key[0], 0.0) + seconds - before.get(key, 0.0)
    return found


def component(status: ProcessStatus) -> str:
    """Return the workload of a pod; for any other process its kind, such as `redis`."""
    return workload(status.name) if status.kind == "pod" else status.kind


def replicas(status: HostStatus) -> dict[str, int]:
    """Return the ready pods by workload."""
    found: dict[str, int] = {}
    for item in status.processes:
        if item.kind == "pod":
            name = workload(item.name)
            found[name] = found.get(name, 0) + item.ready
    return found


def pod_memory(status: HostStatus) -> dict[str, float]:
    """Return the mean resident bytes of a ready pod by workload."""
    found: dict[str, list[int]] = {}
    for item in status.processes:
        if item.kind == "pod" and item.ready:
            found.setdefault(workload(item.name), []).append(item.memory)
    return {name: sum(values) / len(values) for name, values in found.items()}


def workload(process: str) -> str:
    """Return the Deployment of a process named pod/NAMESPACE/DEPLOYMENT-HASH-SUFFIX/CONTAINER."""
    _, _, pod, _ = process.split("/")
    return pod.rsplit("-", 2)[0]


def competing_seconds(nice: int, processes: Path = Path("/proc")) -> Spent:
    """Return the CPU time of all processes with at least the priority `nice` on Linux; empty elsewhere.

    Processes with a lower priority do not count, because the platform preempts them.
    """
    found: Spent = {}
    for file in processes.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            # The command, in parentheses, may contain spaces: proc_pid_stat(5).
            fields = file.read_text().rpartition(")")[2].split()
            if int(fields[16]) <= nice:
                ticks = int(fields[11]) + int(fields[12])
                found["others", int(file.parent.name)] = ticks / os.sysconf("SC_CLK_TCK")
    return found


def cache_hits(series: Iterable[MetricSample]) -> tuple[float, float]:
    """Return the hits and reads of all caches since the pod started."""
    hits = reads = 0.0
    for item in series:
        if item.name == "kingdom_cache_reads_total":
            outcome = item.labels.get("outcome")
            hits += item.value if outcome in _HITS else 0.0
            reads += item.value if outcome in {*_HITS, "loads"} else 0.0
    return hits, reads


def queue_depth(series: Iterable[MetricSample]) -> float | None:
    """Return the jobs that are ready to run, from the metrics of one worker; None if it exports none."""
    ready = [
        item.value
        for item in series
        if item.name == "kingdom_queue_jobs"
        and any(label.startswith("ready") for label in item.labels.values())
    ]
    return sum(ready) if ready else None


class Observer:
    """Reads the platform once per second."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        # The observer is a child of the load generator.
        self._load = {os.getppid(), os.getpid()}
        self._cpu: Spent = {}
        self._others: Spent = {}
        self._at = 0.0
        self._caches: dict[str, tuple[float, float]] = {}

    async def sample(self, number: int) -> dict[str, Any]:
        """Return a sample: time, replicas, CPU in cores, memory in bytes, autoscalers; sometimes metrics."""
        status = self._machine.status()
        now = time.monotonic()
        cpu = cpu_seconds(status.processes)
        others = self._competing(status, {pid for _, pid in cpu})
        spent, seconds, first = used(self._cpu, cpu), now - self._at, not self._cpu
        found: dict[str, Any] = {
            "at": time.time(),
            "replicas": replicas(status),
            "memory": sum(item.memory for item in status.processes),
            "podMemory": pod_memory(status),
            "cpu": None if first else sum(spent.values()) / seconds,
            "cpuByComponent": {} if first else {name: each / seconds for name, each in spent.items()},
            "cpuOfOthers": None if first else used(self._others, others).get("others", 0.0) / seconds,
            "autoscalers": [
                {
                    "name": item.name,
                    "current": item.current,
                    "desired": item.desired,
                    "metrics": item.metrics,
                    "outcome": item.outcome,
                }
                for item in status.autoscalers
            ],
        }
        self._cpu, self._others, self._at = cpu, others, now
        if number % _SCRAPE_EVERY == 0:
            found.update(await self._metrics(status))
        return found

    def _competing(self, status: HostStatus, platform: set[int]) -> Spent:
        """Return the CPU time of processes outside of the load test that compete with the platform."""
        nice = 0
        for item in status.processes:
            if item.kind == "pod" and item.pid is not None:
                with contextlib.suppress(psutil.Error):
                    nice = psutil.Process(item.pid).nice()
        ours = platform | self._load
        return {key: seconds for key, seconds in competing_seconds(nice).items() if key[1] not in ours}

    async def _metrics(self, status: HostStatus) -> dict[str, Any]:
        depth, hits, reads = None, 0.0, 0.0
        for item in status.processes:
            if item.kind != "pod" or not item.ready or item.port is None:
                continue
            series = await scrape(item.port)
            if workload(item.name) == "worker" and depth is None:
                depth = queue_depth(series)
            now = cache_hits(series)
            before = self._caches.get(item.name, now)
            self._caches[item.name] = now
            hits, reads = hits + max(0.0, now[0] - before[0]), reads + max(0.0, now[1] - before[1])
        return {"queue": depth, "cacheHits": hits / reads if reads else None}


async def main(folder: Path) -> None:
    """Print samples until the reader closes the pipe."""
    machine = Machine.find(folder)
    if machine is None:
        return
    observer, number = Observer(machine), 0
    while True:
        began = time.monotonic()
        with contextlib.suppress(MachineError):
            print(json.dumps(await observer.sample(number)), flush=True)
        number += 1
        await asyncio.sleep(max(0.0, _INTERVAL_SECONDS - (time.monotonic() - began)))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        asyncio.run(main(Path(sys.argv[1])))
