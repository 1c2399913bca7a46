"""What Prometheus scrapes. Labels are bounded: route templates, never paths; kinds, never messages."""

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
    from app.resilience import Watch
    from app.resilience.concurrency_limiter import Gate

disable_created_metrics()  # half of all series, and nothing asks for them


class _Count:
    """A number that is only read when it is scraped: a gauge's lock costs more than a request should."""

    def __init__(self) -> None:
        self.count = 0


traffic_in_flight: Final = _Count()
_in_flight: Final = Gauge("kingdom_http_requests_in_flight", "Requests being answered now.")
_in_flight.set_function(lambda: traffic_in_flight.count)

event_loop_tasks: Final = Gauge("kingdom_event_loop_tasks", "Tasks of the event loop, waiting ones too.")
failures: Final = Counter("kingdom_errors_total", "Unexpected errors, by where and what.", ("where", "error"))
limited: Final = Counter("kingdom_limited_total", "Requests refused by a rate limit.", ("limit",))
jobs: Final = Histogram(
    "kingdom_job_seconds",
    "Time a job took, by kind and outcome.",
    ("kind", "outcome"),
    buckets=(*BOUNDS, 30, 60),
)
queue_jobs: Final = Gauge("kingdom_queue_jobs", "Jobs by state.", ("state",))
queue_age: Final = Gauge("kingdom_queue_oldest_seconds", "Age of the oldest job that is ready to run.")
# Only a worker shows these two: an autoscaler must not read the zero of a pod that has never looked.
workers: Final = Gauge("kingdom_queue_workers", "Workers that take jobs.", registry=None)
backlog: Final = Gauge(
    "kingdom_queue_backlog_per_worker", "Jobs that are ready to run, for each worker.", registry=None
)
accounts_created: Final = Counter("kingdom_accounts_created_total", "Accounts made.")
sign_ins_refused: Final = Counter("kingdom_sign_ins_refused_total", "Wrong passwords.")
refresh_reuse: Final = Counter(
    "kingdom_refresh_reuse_total", "Refresh tokens shown twice; the session ended."
)
contents_created: Final = Counter("kingdom_contents_created_total", "Pieces of content asked for.")
contents_finished: Final = Counter(
    "kingdom_contents_finished_total", "Pieces of content finished.", ("state",)
)

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST


class _Caches(Collector):
    """Reads the counts that caches keep as plain integers: a labelled counter costs more than a cache hit."""

    def __init__(self) -> None:
        self.caches: list[Cache[Any]] = []

    def collect(self) -> Iterator[Metric]:
        reads = CounterMetricFamily(
            "kingdom_cache_reads", "Cache reads by where the value came from.", labels=("cache", "outcome")
        )
        evictions = CounterMetricFamily("kingdom_cache_evictions", "Values pushed out.", labels=("cache",))
        entries = GaugeMetricFamily("kingdom_cache_entries", "Values in the process.", labels=("cache",))
        size = GaugeMetricFamily("kingdom_cache_bytes", "Their size.", labels=("cache",))
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
    """Show the counts of these caches."""
    _caches.caches.extend(caches)


class Defences(Collector):
    """Room, limits and deadlines, read from the plain integers that the hot path counts in."""

    def __init__(self, gate: Gate, limiter: Limiter, watch: Watch) -> None:
        self._gate = gate
        self._limiter = limiter
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "kingdom_concurrency_limit", "Requests answered at once, at most.", value=self._gate.limit
        )
        refused = CounterMetricFamily(
            "kingdom_overload_refusals", "Requests refused for want of room.", labels=("urgency",)
        )
        for urgency, count in self._gate.refused.items():
            refused.add_metric((urgency.name.lower(),), count)
        decisions = CounterMetricFamily(
            "kingdom_limit_decisions", "Rate limit decisions by how they came about.", labels=("mode",)
        )
        for mode, count in self._limiter.counts.items():
            decisions.add_metric((mode.value,), count)
        yield from (refused, decisions)
        yield CounterMetricFamily(
            "kingdom_deadlines_exceeded",
            "Requests ended because they took too long.",
            value=self._watch.ended,
        )


@contextmanager
def shown(*collectors: Collector) -> Iterator[None]:
    """These collectors are among the metrics while the context is open."""
    for collector in collectors:
        REGISTRY.register(collector)
    try:
        yield
    finally:
        for collector in collectors:
            REGISTRY.unregister(collector)


def render() -> bytes:
    """Everything, in Prometheus' text format."""
    return generate_latest()
