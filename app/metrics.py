"""What Prometheus scrapes. Labels are bounded: route templates, never paths; kinds, never messages."""

from __future__ import annotations

from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

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
cache_reads: Final = Counter("kingdom_cache_reads_total", "Cache reads by outcome.", ("cache", "outcome"))
jobs: Final = Histogram(
    "kingdom_job_seconds",
    "Time a job took, by kind and outcome.",
    ("kind", "outcome"),
    buckets=(*_SECONDS, 30, 60),
)
queue_jobs: Final = Gauge("kingdom_queue_jobs", "Jobs by state.", ("state",))
queue_age: Final = Gauge("kingdom_queue_oldest_seconds", "Age of the oldest job that is ready to run.")
accounts_created: Final = Counter("kingdom_accounts_created_total", "Accounts made.")
contents_created: Final = Counter("kingdom_contents_created_total", "Pieces of content asked for.")
contents_finished: Final = Counter(
    "kingdom_contents_finished_total", "Pieces of content finished.", ("state",)
)

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST


def render() -> bytes:
    """Everything, in Prometheus' text format."""
    return generate_latest()
