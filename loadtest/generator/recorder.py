"""Records requests in HdrHistograms per second and endpoint.

A request belongs to the second of its *intended* start, even if it was sent late or not at all. Times are
recorded in units of 0.1 ms with two significant digits. A recorder of many processes for an hour has a
coarser ``resolution``, since one histogram takes several KiB.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hdrh.histogram import HdrHistogram

_UNITS_PER_SECOND: Final = 10_000
_MAX_UNITS: Final = 120 * _UNITS_PER_SECOND
_DIGITS: Final = 2
DROPPED: Final = "dropped"
"""The error class of arrivals beyond the cap on requests in flight."""


def histogram() -> HdrHistogram:
    """Return an empty histogram of 0.1 ms to 120 s."""
    return HdrHistogram(1, _MAX_UNITS, _DIGITS, word_size=4)


def merged(histograms: Iterable[HdrHistogram]) -> HdrHistogram:
    """Return the sum of histograms: its percentiles are those of all recorded values."""
    total = histogram()
    for each in histograms:
        total.add(each)
    return total


def seconds_at(found: HdrHistogram, percent: float) -> float:
    """Return a percentile in seconds; 0 without values."""
    return found.get_value_at_percentile(percent) / _UNITS_PER_SECOND if found.total_count else 0.0


def _mean(found: HdrHistogram) -> float:
    return found.get_mean_value() / _UNITS_PER_SECOND if found.total_count else 0.0


def record(found: HdrHistogram, seconds: float) -> None:
    """Record a time. Times outside the range are recorded as its minimum or maximum."""
    found.record_value(min(_MAX_UNITS, max(1, round(seconds * _UNITS_PER_SECOND))))


@dataclass(frozen=True)
class Window:
    """Requests of a range of seconds. Times are in seconds; ``errors`` by class include dropped arrivals.

    ``in_flight`` is the mean number of requests that were sent and not completed (Little's law).
    """

    seconds: float
    arrivals: int
    completed: int
    good: int
    errors: Mapping[str, int]
    p50: float
    p95: float
    p99: float
    service_p95: float
    in_flight: float

    @property
    def error_share(self) -> float:
        """Return the share of arrivals with an error."""
        return sum(self.errors.values()) / self.arrivals if self.arrivals else 0.0

    @property
    def good_rate(self) -> float:
        """Return the successful requests per second."""
        return self.good / self.seconds if self.seconds else 0.0


@dataclass
class _Second:
    arrivals: int = 0
    completed: int = 0
    response: dict[str, HdrHistogram] = field(default_factory=dict)
    service: dict[str, HdrHistogram] = field(default_factory=dict)
    errors: Counter[tuple[str, str]] = field(default_factory=Counter)


class Recorder:
    """The requests of one run, counted in steps of ``resolution`` seconds."""

    def __init__(self, resolution: int = 1) -> None:
        self.resolution = resolution
        self._seconds: defaultdict[int, _Second] = defaultdict(_Second)
        self.in_flight = 0

    def _step(self, at: float) -> int:
        """Return the first second of the step that a time belongs to."""
        return int(at) // self.resolution * self.resolution

    def dropped(self, endpoint: str, intended: float) -> None:
        """Record an arrival without a request, because the limit of requests in flight was reached."""
        second = self._seconds[self._step(intended)]
        second.arrivals += 1
        second.errors[endpoint, DROPPED] += 1

    def done(self, endpoint: str, intended: float, sent: float, ended: float, error: str = "") -> None:
        """Record a completed request.

        Times are seconds since the start of the run; ``error`` is the class of an error, if any.
        """
        second = self._seconds[self._step(intended)]
        second.arrivals += 1
        self._seconds[self._step(ended)].completed += 1
        if error:
            second.errors[endpoint, error] += 1
        for found, seconds in ((second.response, ended - intended), (second.service, ended - sent)):
            if endpoint not in found:
                found[endpoint] = histogram()
            record(found[endpoint], seconds)

    # -- results ------------------------------------------------------------------------------------------

    @property
    def seconds(self) -> int:
        """Return the number of seconds with requests, from the start."""
        return max(self._seconds, default=-self.resolution) + self.resolution

    @property
    def endpoints(self) -> list[str]:
        """Return all endpoints, sorted."""
        return sorted(
            {name for second in self._seconds.values() for name in second.response}
            | {name for second in self._seconds.values() for name, _ in second.errors}
        )

    def window(self, start: int, end: int, endpoint: str | None = None) -> Window:
        """Return the steps that begin in [``start``, ``end``), of one endpoint or all."""
        chosen = [self._seconds[at] for at in range(start, end) if at in self._seconds]

        def histograms(kind: str) -> HdrHistogram:
            return merged(
                each
                for second in chosen
                for name, each in getattr(second, kind).items()
                if endpoint in (None, name)
            )

        response, service = histograms("response"), histograms("service")
        errors: Counter[str] = Counter()
        for second in chosen:
            for (name, error), count in second.errors.items():
                if endpoint in (None, name):
                    errors[error] += count
        arrivals = response.total_count + errors[DROPPED]
        return Window(
            seconds=float(end - start),
            arrivals=arrivals,
            completed=sum(second.completed for second in chosen)
            if endpoint is None
            else response.total_count,
            good=arrivals - sum(errors.values()),
            errors=dict(sorted(errors.items())),
            p50=seconds_at(response, 50),
            p95=seconds_at(response, 95),
            p99=seconds_at(response, 99),
            service_p95=seconds_at(service, 95),
            in_flight=service.total_count * _mean(service) / (end - start) if end > start else 0.0,
        )

    def quantiles(self, start: int, end: int, endpoint: str | None = None, count: int = 20) -> list[float]:
        """Return evenly spaced quantiles of the response time in seconds, each in the middle of its share."""
        found = merged(
            each for at in range(start, end) if at in self._seconds
            for name, each in self._seconds[at].response.items() if endpoint in (None, name)
        )  # fmt: skip
        return [seconds_at(found, 100 * (index + 0.5) / count) for index in range(count)]

    def encoded(self) -> dict[str, dict[str, str]]:
        """Return response times by endpoint and second, in the HdrHistogram V2 compressed base64 encoding."""
        found: dict[str, dict[str, str]] = {}
        for at, second in sorted(self._seconds.items()):
            for endpoint, each in second.response.items():
                found.setdefault(endpoint, {})[str(at)] = each.encode().decode()
        return found

    # -- exchange between processes -------------------------------------------------------------------------

    def to_message(self) -> dict[str, Any]:
        """Return all recorded values as types of JSON and MessagePack."""
        return {
            str(at): {
                "arrivals": second.arrivals,
                "completed": second.completed,
                "errors": [[endpoint, error, count] for (endpoint, error), count in second.errors.items()],
                "response": {name: each.encode().decode() for name, each in second.response.items()},
                "service": {name: each.encode().decode() for name, each in second.service.items()},
            }
            for at, second in self._seconds.items()
        }

    def add(self, message: Mapping[str, Any]) -> None:
        """Add the values of another process, recorded with the same resolution."""
        for at, found in message.items():
            second = self._seconds[int(at)]
            second.arrivals += found["arrivals"]
            second.completed += found["completed"]
            for endpoint, error, count in found["errors"]:
                second.errors[endpoint, error] += count
            for own, others in (
                (second.response, found["response"]), (second.service, found["service"]),
            ):  # fmt: skip
                for name, text in others.items():
                    own.setdefault(name, histogram()).add(HdrHistogram.decode(text))


def decoded(encoded: Mapping[str, Mapping[str, str]]) -> dict[str, dict[int, HdrHistogram]]:
    """Return the histograms of :meth:`Recorder.encoded`."""
    return {
        endpoint: {int(at): HdrHistogram.decode(text) for at, text in seconds.items()}
        for endpoint, seconds in encoded.items()
    }


def as_json(window: Window) -> dict[str, Any]:
    """Return a window for the JSON report."""
    return {
        "seconds": window.seconds,
        "arrivals": window.arrivals,
        "completed": window.completed,
        "good": window.good,
        "errors": dict(window.errors),
        "errorShare": window.error_share,
        "goodRate": window.good_rate,
        "p50": window.p50,
        "p95": window.p95,
        "p99": window.p99,
        "serviceP95": window.service_p95,
        "inFlight": window.in_flight,
    }
