"""What Prometheus scrapes. Labels are bounded: route templates, never paths; kinds, never messages."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
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

if TYPE_CHECKING:
    from app.cache import Cache

disable_created_metrics()  # half of all series, and nothing asks for them

# Around the targets of 200 ms, 500 ms and 1 s, and the alerts at 1 s and 3 s.
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2, 3, 5, 10)

requests: Final = Histogram(
    "kingdom_http_request_seconds",
    "Time from the first byte of a request to the last byte of its answer.",
    ("method", "route", "status"),
    buckets=_SECONDS,
)
in_flight: Final = Gauge("kingdom_http_requests_in_flight", "Requests being answered now.")
failures: Final = Counter("kingdom_errors_total", "Unexpected errors, by where and what.", ("where", "error"))
jobs: Final = Histogram(
    "kingdom_job_seconds",
    "Time a job took, by kind and outcome.",
    ("kind", "outcome"),
    buckets=(*_SECONDS, 30, 60),
)
queue_jobs: Final = Gauge("kingdom_queue_jobs", "Jobs by state.", ("state",))
queue_age: Final = Gauge("kingdom_queue_oldest_seconds", "Age of the oldest job that is ready to run.")
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


def render() -> bytes:
    """Everything, in Prometheus' text format."""
    return generate_latest()
