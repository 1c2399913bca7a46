"""Metrics of connections and commands, from PyMongo's monitoring events.

The listeners run on the event loop within each command, so they only update counters. Expensive work, such as
explaining a query, is limited to slow commands.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from pymongo import monitoring

_BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_OVERHEAD: Final = frozenset({"hello", "ismaster", "ping", "endSessions", "killCursors", "getMore"})
_MAX_PENDING: Final = 10_000

Finished = Callable[[Mapping[str, Any], float], None]


class PoolMetrics(monitoring.ConnectionPoolListener, Collector):
    """Metrics of the connection pools; there is one pool per member of the replica set.

    ``limit`` is the maximum number of connections per pool.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pools: set[tuple[str, int | None]] = set()
        self.open = 0
        self.busy = 0
        self.waiting = 0
        self.refused = 0
        self.cleared = 0

    @property
    def used(self) -> float:
        """Open connections in percent of the limit."""
        return 100 * self.open / self.limit

    @property
    def limit(self) -> int:
        """Maximum number of connections to all members known to this pod."""
        return self._limit * max(1, len(self._pools))

    def pool_created(self, event: monitoring.PoolCreatedEvent) -> None:
        self._pools.add(event.address)

    def pool_ready(self, event: monitoring.PoolReadyEvent) -> None:
        """Nothing to count."""

    def pool_cleared(self, event: monitoring.PoolClearedEvent) -> None:
        self.cleared += 1

    def pool_closed(self, event: monitoring.PoolClosedEvent) -> None:
        self._pools.discard(event.address)

    def connection_created(self, event: monitoring.ConnectionCreatedEvent) -> None:
        self.open += 1

    def connection_ready(self, event: monitoring.ConnectionReadyEvent) -> None:
        """Nothing to count."""

    def connection_closed(self, event: monitoring.ConnectionClosedEvent) -> None:
        self.open -= 1

    def connection_check_out_started(self, event: monitoring.ConnectionCheckOutStartedEvent) -> None:
        self.waiting += 1

    def connection_check_out_failed(self, event: monitoring.ConnectionCheckOutFailedEvent) -> None:
        self.waiting -= 1
        self.refused += 1

    def connection_checked_out(self, event: monitoring.ConnectionCheckedOutEvent) -> None:
        self.waiting -= 1
        self.busy += 1

    def connection_checked_in(self, event: monitoring.ConnectionCheckedInEvent) -> None:
        self.busy -= 1

    def collect(self) -> Iterator[Metric]:
        for name, text, value in (
            ("kingdom_mongodb_connections", "Open connections to MongoDB.", self.open),
            ("kingdom_mongodb_connections_busy", "Connections to MongoDB in use.", self.busy),
            (
                "kingdom_mongodb_connections_limit",
                "Maximum number of connections to all members known to this pod.",
                self.limit,
            ),
            ("kingdom_mongodb_connections_waited_for", "Commands waiting for a connection.", self.waiting),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        yield CounterMetricFamily(
            "kingdom_mongodb_connections_refused",
            "Connection checkouts that failed or timed out.",
            value=self.refused,
        )
        yield CounterMetricFamily(
            "kingdom_mongodb_pools_cleared", "Times a pool was cleared after an error.", value=self.cleared
        )


class CommandMetrics(monitoring.CommandListener, Collector):
    """Metrics of commands: durations by command and collection, and failures by command.

    ``finished`` is called with each successful command and its duration in seconds.
    """

    def __init__(self, finished: Finished) -> None:
        self._finished = finished
        self._pending: dict[int, Mapping[str, Any]] = {}
        self._times: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
        self._failures: dict[str, int] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in _OVERHEAD:
            return
        if len(self._pending) >= _MAX_PENDING:  # only if PyMongo fails to report the end of commands
            self._pending.clear()
        self._pending[event.request_id] = event.command

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        command = self._pending.pop(event.request_id, None)
        if command is None:
            return
        seconds = event.duration_micros / 1e6
        target = command.get(event.command_name)
        key = event.command_name, target if isinstance(target, str) else ""
        series = self._times.get(key)
        if series is None:
            series = self._times[key] = ([0] * (len(_BOUNDS) + 1), [0.0])
        buckets, total = series
        buckets[bisect_left(_BOUNDS, seconds)] += 1
        total[0] += seconds
        self._finished(command, seconds)

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        if self._pending.pop(event.request_id, None) is not None:
            name = event.command_name
            self._failures[name] = self._failures.get(name, 0) + 1

    def collect(self) -> Iterator[Metric]:
        times = HistogramMetricFamily(
            "kingdom_mongodb_command_seconds",
            "Duration of MongoDB commands including the network.",
            labels=("command", "collection"),
        )
        bounds = [*(str(float(bound)) for bound in _BOUNDS), "+Inf"]
        for (name, collection), (buckets, total) in self._times.items():
            counts = list(zip(bounds, accumulate(buckets), strict=True))
            times.add_metric((name, collection), counts, total[0])
        failures = CounterMetricFamily(
            "kingdom_mongodb_commands_failed", "Failed commands.", labels=("command",)
        )
        for name, count in self._failures.items():
            failures.add_metric((name,), count)
        yield from (times, failures)
