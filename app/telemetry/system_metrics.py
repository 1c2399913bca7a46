"""System metrics of the machine and this process: CPU, memory, network, disk, sockets.

``prometheus_client`` exports the process's CPU, memory and open files (``process_…``); this module adds the
rest. Values are read from ``/proc`` on each scrape; unavailable ones (other systems than Linux, a restricted
container) are omitted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_PROC: Final = Path("/proc")
_MODES: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_KIB: Final = 1024


class SystemMetrics(Collector):
    """Reads from ``proc``, which tests may replace."""

    def __init__(self, proc: Path = _PROC) -> None:
        self._proc = proc

    def collect(self) -> Iterator[Metric]:
        for read in (self._cpu, self._wait, self._memory, self._network, self._disk, self._sockets):
            try:
                yield from read()
            except (OSError, ValueError, IndexError, KeyError):
                continue

    def _cpu(self) -> list[Metric]:
        ticks = self._lines("stat")[0].split()[1:]
        family = CounterMetricFamily(
            "kingdom_system_cpu_seconds",
            "CPU time of the machine by mode, summed over all processors.",
            labels=("mode",),
        )
        for mode, count in zip(_MODES, ticks, strict=False):
            family.add_metric((mode,), int(count) / os.sysconf("SC_CLK_TCK"))
        return [family]

    def _wait(self) -> list[Metric]:
        """Return the time that the main thread waited for a CPU, from the second field of `schedstat`.

        `self` in ``/proc`` is the main thread, which runs the event loop.
        """
        waited = int(self._lines("self/schedstat")[0].split()[1])
        return [
            CounterMetricFamily(
                "kingdom_cpu_wait_seconds",
                "Time for which the main thread was ready to run and waited for a CPU.",
                value=waited / 1e9,
            )
        ]

    def _memory(self) -> list[Metric]:
        sizes = dict(line.split(":", 1) for line in self._lines("meminfo"))
        family = GaugeMetricFamily(
            "kingdom_system_memory_bytes",
            "Memory of the machine: total and available.",
            labels=("of",),
        )
        for of, name in (("total", "MemTotal"), ("available", "MemAvailable")):
            family.add_metric((of,), int(sizes[name].split()[0]) * _KIB)
        return [family]

    def _network(self) -> list[Metric]:
        received = sent = 0
        for line in self._lines("self/net/dev")[2:]:
            name, counts = line.split(":", 1)
            if name.strip() != "lo":
                columns = counts.split()
                received, sent = received + int(columns[0]), sent + int(columns[8])
        family = CounterMetricFamily(
            "kingdom_network_bytes", "Network bytes of the pod, without loopback.", labels=("direction",)
        )
        family.add_metric(("received",), received)
        family.add_metric(("sent",), sent)
        return [family]

    def _disk(self) -> list[Metric]:
        counts = dict(line.split(": ", 1) for line in self._lines("self/io"))
        family = CounterMetricFamily(
            "kingdom_disk_bytes", "Bytes this process read from and wrote to disk.", labels=("direction",)
        )
        family.add_metric(("read",), int(counts["read_bytes"]))
        family.add_metric(("written",), int(counts["write_bytes"]))
        return [family]

    def _sockets(self) -> list[Metric]:
        count = 0
        for entry in (self._proc / "self/fd").iterdir():
            try:
                count += str(entry.readlink()).startswith("socket:")
            except OSError:  # closed after it was listed
                continue
        return [GaugeMetricFamily("kingdom_network_sockets", "Open sockets of this process.", value=count)]

    def _lines(self, name: str) -> list[str]:
        return (self._proc / name).read_text().splitlines()
