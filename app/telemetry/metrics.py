"""Prometheus metrics. Labels are bounded: route templates instead of paths, error types instead of
messages.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.telemetry.http_metrics import BOUNDS

if TYPE_CHECKING:
    from app.cache import Cache
    from app.rate_limits import Limiter
    from app.resilience import DeadlineWatchdog
    from app.resilience.concurrency_limiter import ConcurrencyLimiter

disable_created_metrics()  # unused, and half of all series


class _PlainCounter:
    """A number that is read on scrapes: the lock of a gauge costs too much per request."""

    def __init__(self) -> None:
        self.count = 0


traffic_in_flight: Final = _PlainCounter()
_in_flight: Final = Gauge("kingdom_http_requests_in_flight", "Requests in flight.")
_in_flight.set_function(lambda: traffic_in_flight.count)

event_loop_tasks: Final = Gauge(
    "kingdom_event_loop_tasks", "Tasks of the event loop, including waiting ones."
)
failures: Final = Counter(
    "kingdom_errors_total",
    "Errors by route and exception type: unhandled ones and unavailable dependencies.",
    ("where", "error"),
)
limited: Final = Counter("kingdom_limited_total", "Requests rejected by a rate limit, by rule.", ("limit",))
jobs: Final = Histogram(
    "kingdom_job_seconds",
    "Job duration by kind and outcome.",
    ("kind", "outcome"),
    buckets=(*BOUNDS, 30, 60),
)
queue_jobs: Final = Gauge("kingdom_queue_jobs", "Jobs by state.", ("state",))
queue_age: Final = Gauge("kingdom_queue_oldest_seconds", "Age of the oldest job that is ready to run.")
# Exported by workers only: the autoscaler must not read the zero of a pod that never measured.
workers: Final = Gauge("kingdom_queue_workers", "Live workers of the queue.", registry=None)
backlog: Final = Gauge("kingdom_queue_backlog_per_worker", "Jobs ready to run per worker.", registry=None)
accounts_created: Final = Counter("kingdom_accounts_created_total", "Accounts created.")
sign_ins_refused: Final = Counter(
    "kingdom_sign_ins_refused_total", "Sign-ins rejected because of a wrong password."
)
refresh_reuse: Final = Counter(
    "kingdom_refresh_reuse_total", "Refresh-token reuse detections; the session is revoked."
)
contents_created: Final = Counter("kingdom_contents_created_total", "Content generation requests.")
contents_finished: Final = Counter(
    "kingdom_contents_finished_total", "Content generations finished, by final state.", ("state",)
)

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST


class _Caches(Collector):
    """Exports the plain integers that caches count in: a labelled counter costs more than a cache hit."""

    def __init__(self) -> None:
        self.caches: list[Cache[Any]] = []

    def collect(self) -> Iterator[Metric]:
        reads = CounterMetricFamily(
            "kingdom_cache_reads", "Cache reads by source of the value.", labels=("cache", "outcome")
        )
        evictions = CounterMetricFamily("kingdom_cache_evictions", "Cache evictions.", labels=("cache",))
        entries = GaugeMetricFamily(
            "kingdom_cache_entries", "Entries in the memory layer.", labels=("cache",)
        )
        size = GaugeMetricFamily(
            "kingdom_cache_bytes", "Approximate size of the cached entries in bytes.", labels=("cache",)
        )
        for cache in self.caches:
            for outcome, count in dataclasses.asdict(cache.counts).items():
                reads.add_metric((cache.name, outcome), count)
            evictions.add_metric((cache.name,), cache.memory.evictions)
            entries.add_metric((cache.name,), len(cache.memory))
            size.add_metric((cache.name,), cache.memory.bytes)
        yield from (reads, evictions, entries, size)


_caches: Final = _Caches()
REGISTRY.register(_caches)


def observe_caches(*caches: Cache[Any]) -> None:
    """Export the statistics of these caches."""
    _caches.caches.extend(caches)


class ProtectionMetrics(Collector):
    """Metrics of concurrency limit, rate limits and deadlines, read from plain integers of the hot path."""

    def __init__(self, concurrency: ConcurrencyLimiter, limiter: Limiter, watchdog: DeadlineWatchdog) -> None:
        self._concurrency = concurrency
        self._limiter = limiter
        self._watchdog = watchdog

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "kingdom_concurrency_limit",
            "Current limit on concurrent requests.",
            value=self._concurrency.limit,
        )
        rejected = CounterMetricFamily(
            "kingdom_overload_refusals", "Requests rejected by the concurrency limiter.", labels=("priority",)
        )
        for priority, count in self._concurrency.rejected.items():
            rejected.add_metric((priority.name.lower(),), count)
        decisions = CounterMetricFamily(
            "kingdom_limit_decisions",
            "Rate-limit decisions by mode (remote, leased, local).",
            labels=("mode",),
        )
        for mode, count in self._limiter.counts.items():
            decisions.add_metric((mode.value,), count)
        yield from (rejected, decisions)
        yield CounterMetricFamily(
            "kingdom_deadlines_exceeded",
            "Requests cancelled at their deadline.",
            value=self._watchdog.cancelled,
        )


@contextmanager
def registered(*collectors: Collector) -> Iterator[None]:
    """Context manager that registers these collectors."""
    for collector in collectors:
        REGISTRY.register(collector)
    try:
        yield
    finally:
        for collector in collectors:
            REGISTRY.unregister(collector)


def render() -> bytes:
    """Return all metrics in the Prometheus text format."""
    return generate_latest()
