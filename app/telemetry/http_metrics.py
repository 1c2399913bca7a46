"""HTTP metrics, counted in plain integers: a labelled Prometheus histogram takes a lock and searches its
buckets on every request, which costs more than all other bookkeeping.

Provides the histogram ``kingdom_http_request_seconds`` since the start, and sliding windows of the last
seconds for the autoscaler and the thresholds.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

# Around the targets of 200 ms, 500 ms and 1 s, and the alerts at 1 s and 3 s.
BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2, 3, 5, 10)
# Finer bins for quantiles: each bound is a quarter above the previous one, from 1 ms to about a minute.
_FINE: Final = tuple(0.001 * 1.25**step for step in range(50))
_RETENTION_SECONDS: Final = 64  # slightly more than the maximum window
RATE_SECONDS: Final = 30
QUANTILE_SECONDS: Final = 60


class Series:
    """Latency histogram of one combination of method, route and status."""

    __slots__ = ("buckets", "counted", "failed", "total")

    def __init__(self, route: str, status: int) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.total = 0.0
        # Probes and scrapes are periodic and do not show demand.
        self.counted = route.startswith("/v1")
        self.failed = status >= 500


class _Second:
    __slots__ = ("at", "bins", "errors", "requests")

    def __init__(self) -> None:
        self.at = -1
        self.requests = 0
        self.errors = 0
        self.bins = [0] * (len(_FINE) + 1)


class HttpMetrics(Collector):
    """Requests of this process. ``clock`` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._series: dict[tuple[str, str, int], Series] = {}
        self._seconds = [_Second() for _ in range(_RETENTION_SECONDS)]

    def record(self, method: str, route: str, status: int, seconds: float, *, streamed: bool = False) -> None:
        """Record a finished request that took ``seconds``.

        ``streamed``: the duration depends on the client, so it is not a response time.
        """
        series = self._series.get((method, route, status))
        if series is None:
            series = self._series[method, route, status] = Series(route, status)
        series.buckets[bisect_left(BOUNDS, seconds)] += 1
        series.total += seconds
        if not series.counted:
            return
        now = int(self._clock())
        second = self._seconds[now % _RETENTION_SECONDS]
        if second.at != now:
            second.at, second.requests, second.errors = now, 0, 0
            second.bins = [0] * (len(_FINE) + 1)
        second.requests += 1
        second.errors += series.failed
        if not streamed:
            second.bins[bisect_left(_FINE, seconds)] += 1

    def rate(self, window: int = RATE_SECONDS) -> float:
        """Return requests per second below /v1 over the last ``window`` whole seconds (fewer just after the
        start).
        """
        length = min(float(window), max(1.0, self._clock() - self._began))
        return sum(second.requests for second in self._recent(window)) / length

    def errors(self, window: int = QUANTILE_SECONDS) -> float:
        """Return the ratio of responses with status 500 or above, from 0 to 1; 0 without requests."""
        recent = self._recent(window)
        requests = sum(second.requests for second in recent)
        return sum(second.errors for second in recent) / requests if requests else 0.0

    def quantile(self, share: float, window: int = QUANTILE_SECONDS) -> float:
        """Return the response time in seconds within which ``share`` of the requests completed; 0 without
        requests.

        Exact to the bin (a quarter of the value), interpolated within it.
        """
        bins = [0] * (len(_FINE) + 1)
        for second in self._recent(window):
            bins = [one + other for one, other in zip(bins, second.bins, strict=True)]
        wanted = share * sum(bins)
        if not wanted:
            return 0.0
        below = 0
        for at, count in enumerate(bins):
            if count and below + count >= wanted:
                low = _FINE[at - 1] if at else 0.0
                high = _FINE[at] if at < len(_FINE) else low * 1.25
                return low + (high - low) * (wanted - below) / count
            below += count
        raise AssertionError("unreachable: the bins add up to the total")

    def collect(self) -> Iterator[Metric]:
        times = HistogramMetricFamily(
            "kingdom_http_request_seconds",
            "Time from the first byte of a request to the last byte of its response.",
            labels=("method", "route", "status"),
        )
        for (method, route, status), series in self._series.items():
            bounds = [*(str(float(bound)) for bound in BOUNDS), "+Inf"]
            counts = list(zip(bounds, accumulate(series.buckets), strict=True))
            times.add_metric((method, route, str(status)), counts, series.total)
        yield times
        yield GaugeMetricFamily(
            "kingdom_http_requests_per_second", "Requests per second below /v1, last 30 s.", value=self.rate()
        )
        yield GaugeMetricFamily(
            "kingdom_http_response_p95_seconds",
            "95th percentile of the response time below /v1, last 60 s; 0 without requests.",
            value=self.quantile(0.95),
        )

    def _recent(self, window: int) -> list[_Second]:
        now = int(self._clock())
        return [second for second in self._seconds if now - window < second.at <= now]
