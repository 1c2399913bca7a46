"""The embedded recorder: scrapes the pods of one machine, evaluates the signals, and stores the results."""

from __future__ import annotations

import http.client
import logging
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, Protocol

from app.monitoring.objectives import WINDOW
from app.monitoring.signals import Signals
from app.monitoring.source import SourceError, TimeSeries
from rehearsal.errors import KingdomError
from rehearsal.monitoring.annotations import read_annotations
from rehearsal.monitoring.clock import RecordingClock
from rehearsal.monitoring.exposition import Exposition, Scrape
from rehearsal.monitoring.head import Head
from rehearsal.monitoring.platform import EMULATED, PlatformState, ScrapeTarget
from rehearsal.monitoring.promql.evaluator import NAME, Labels, Vector, queries, query_range
from rehearsal.monitoring.promql.parser import Expression, QueryError, Selector, parse, selectors
from rehearsal.monitoring.store import Event, Recording

# After this many intervals without a scrape, the last values are no longer used.
_GAP_INTERVALS: Final = 4
_PRUNE_SECONDS: Final = 600.0
_TRIM_SECONDS: Final = 60.0
_TIMEOUT_SECONDS: Final = 2.0
_MIN_TIMEOUT_SECONDS: Final = 0.1
# Maximum share of the interval between scrapes that a scrape of all targets takes.
_SCRAPE_SHARE: Final = 0.6
# The response of a pod has 0.2 MB, of which memory holds several copies while it is parsed.
_MAX_EXPOSITION_BYTES: Final = 4 * 1024 * 1024
# A clock that moves forward by more may be wrong.
_LEAP_SECONDS: Final = 86_400.0
_LEAP_GRACE_SECONDS: Final = 3600.0

_log: Final = logging.getLogger(__name__)

Results = dict[str, Vector]


class Observer(Protocol):
    """Observes a platform; returns None while it is not running."""

    def observe(self, at: float) -> PlatformState | None: ...


class Recorder:
    """Records one platform. It is a Source: queries of declared signals return stored results.

    `signals` is called before every scrape, so that changed thresholds apply at once. `after` is called with
    the time and the results after every scrape. `fetch` returns the exposition of a target within the given
    seconds.
    """

    def __init__(
        self,
        store: Recording,
        signals: Callable[[], Signals],
        platform: Observer,
        *,
        annotations: Path | None = None,
        fetch: Callable[[ScrapeTarget, float], str] | None = None,
        clock: RecordingClock | None = None,
    ) -> None:
        self.store = store
        self.signals = signals()
        self.observation: PlatformState | None = None
        self.problems: dict[str, str] = {}
        self.results: Results = {}
        self.after: list[Callable[[float, Results], None]] = []
        self.at = 0.0
        self._read_signals = signals
        self._platform = platform
        self._annotations = annotations
        self._fetch = fetch or scrape
        last = store.last()
        self._clock = clock or RecordingClock(last)
        self._head = Head()
        self._failed: set[str] = set()  # targets that were not scraped the last time
        self._last = last
        self._expositions: dict[str, Exposition] = {}
        self._expressions: dict[str, Expression] = {}
        self._seen: dict[str, float] = {}
        self._pruned = self._trimmed = 0.0
        self._head.retain(self._ranges())
        self._head.load(
            series
            for metric in store.metrics()
            for series in store.select(Selector(metric), last - self._head.retention(metric), last)
        )
        # Series that are not in the next scrape have ended.
        self._head.end(last)

    def step(self) -> float:
        """Scrape, evaluate and store once. Returns the time of the scrape.

        Samples that cannot be stored, as on a full disk, are reported as a problem. Signals are still
        evaluated over the samples in memory, and alerts continue.
        """
        at, jump = self._clock.now()
        found: dict[str, str] = {}
        if jump:
            self.store.add_event(Event(at, "source", jump))
        if at - self._last > _LEAP_SECONDS:
            # The clock may be wrong and corrected soon: nothing is deleted because of it meanwhile.
            self._pruned = at + _LEAP_GRACE_SECONDS
        try:
            self.signals = self._read_signals()
        except KingdomError as error:
            found["signals"] = f"the signals of before remain in use: {error}"
        self._head.retain(self._ranges())
        observation = self._platform.observe(at)
        samples = self._scrape(observation, at, found)
        self.results = self._evaluate(at, found) if observation is not None else {}
        self.observation = observation
        self.at = self._last = at
        if at - self._trimmed > _TRIM_SECONDS:
            self._trimmed = at
            self._head.trim(at)
        try:
            self._store(at, samples, observation)
        except SourceError as error:
            found["recording"] = f"nothing is recorded: {error}"
        for callback in self.after:
            try:
                callback(at, self.results)
            except SourceError as error:
                found["recording"] = str(error)
        self._report(at, found)
        return at

    def run(self, stop: threading.Event) -> None:
        """Record at the interval that is declared with the signals, until `stop` is set."""
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            try:
                self.step()
            except Exception as error:  # recording continues; the page and the log state the error
                text = f"internal error of the recorder: {error!r}"
                if text not in self.problems.values():
                    _log.exception("scrape failed")
                self.problems = {**self.problems, "recorder": text}
            due = max(due + self._interval, time.monotonic())

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        """Return the series of `query`: results of a declared one, else over the samples of the last hour.

        Raises SourceError, also for a query that is not supported.
        """
        # A declared query is never evaluated over raw samples, which is slow; without results it is empty.
        if query in self._queries() or query in self.store.queries():
            return self.store.results(query, start, end, step)
        try:
            return query_range(self.store, query, start, end, step)
        except (QueryError, ArithmeticError, RecursionError, re.error) as error:
            raise SourceError(str(error)) from error

    @property
    def _interval(self) -> float:
        return self.signals.detection.scrape_seconds

    def _metrics(self) -> set[str]:
        """Return the metrics that signals use."""
        return {each.metric for text in self._queries() for each in selectors(self._expression(text))}

    def _ranges(self) -> dict[str, float]:
        """Return the longest range in seconds over which signals read each metric."""
        ranges: dict[str, float] = {}
        for text in self._queries():
            for each in selectors(self._expression(text)):
                ranges[each.metric] = max(ranges.get(each.metric, 0.0), each.range)
        return ranges

    def _queries(self) -> list[str]:
        queries = [signal.query for signal in self.signals.local().values()]
        return [
            *queries,
            *(self.signals.bad_share(name, WINDOW) for name in self.signals.objectives),
        ]

    def _expression(self, text: str) -> Expression:
        found = self._expressions.get(text)
        if found is None:
            found = self._expressions[text] = parse(text)
        return found

    def _store(self, at: float, samples: Mapping[Labels, float], observation: PlatformState | None) -> None:
        """Record a scrape with its results and events. Raises SourceError."""
        for event in observation.events if observation else ():
            self.store.add_event(event)
        if self._annotations is not None:
            for event in read_annotations(self._annotations):
                self.store.add_event(event)
        self.store.flush()
        self.store.add_samples(at, samples)
        self.store.add_results(
            at,
            {
                (text, labels): value
                for text, vector in self.results.items()
                for labels, value in vector.items()
            },
        )
        if at - self._pruned > _PRUNE_SECONDS:
            self._pruned = at
            # Timestamps may be ahead of a clock that was moved back.
            self.store.prune(min(at, self._clock.wall))

    def _scrape(
        self, observation: PlatformState | None, at: float, found: dict[str, str]
    ) -> dict[Labels, float]:
        """Scrape all targets; returns what is recorded, with NaN for a series that has ended."""
        if observation is None:
            found["platform"] = "the platform does not run: run `kingdom up`"
            self._expositions.clear()
            return dict.fromkeys(self._head.end(at), math.nan) if self._head.targets() else {}
        if self.at and at - self.at > _GAP_INTERVALS * self._interval:
            self._end_at(self.at + self._interval)
        metrics = self._metrics()
        recorded: dict[Labels, float] = {}
        failed: set[str] = set()
        ends = time.monotonic() + self._interval * _SCRAPE_SHARE
        # A target that hangs must not delay the others.
        for target in sorted(observation.targets, key=lambda each: each.name in self._failed):
            exposition = self._expositions.get(target.name)
            if exposition is None or exposition.metrics != metrics:
                exposition = self._expositions[target.name] = Exposition(target.labels, metrics)
            seconds = max(_MIN_TIMEOUT_SECONDS, min(_TIMEOUT_SECONDS, ends - time.monotonic()))
            scraped = Scrape()
            try:
                scraped = exposition.read(self._fetch(target, seconds))
            except (OSError, ValueError, http.client.HTTPException) as error:
                failed.add(target.name)
                found[target.name] = f"{target.name} cannot be scraped at port {target.port}: {error!r}"
            for metric in scraped.invalid:
                found[f"{target.name} {metric}"] = (
                    f"{target.name}: {metric} is not a finite number; the value is left out"
                )
            for metric in scraped.repeated:
                found[f"{target.name} {metric} twice"] = (
                    f"{target.name}: a series of {metric} is exported more than once; the first value counts"
                )
            recorded.update(self._recorded(target.name, at, scraped.values))
        self._failed = failed
        # The platform's own metrics are those of the target "".
        for name in self._head.targets() - {"", *(target.name for target in observation.targets)}:
            recorded.update(self._recorded(name, at, {}))
            self._expositions.pop(name, None)
        recorded.update(self._recorded("", at, observation.gauges))
        if observation.targets:
            self._missing(metrics, at, found)
        return recorded

    def _end_at(self, at: float) -> None:
        """End all series in memory and in the recording: no value is carried over a gap."""
        ended = self._head.end(at)
        with suppress(SourceError):  # a recording that cannot be written has no values to carry
            self.store.add_samples(at, dict.fromkeys(ended, math.nan))

    def _recorded(self, target: str, at: float, values: Mapping[Labels, float]) -> dict[Labels, float]:
        ended = self._head.add(target, at, values)
        return {**values, **dict.fromkeys(ended, math.nan)}

    def _missing(self, metrics: set[str], at: float, found: dict[str, str]) -> None:
        """Report metrics that are no longer exported, as after a rename."""
        for metric in metrics - EMULATED:
            if any(exposition.exports(metric) for exposition in self._expositions.values()):
                self._seen[metric] = at
            elif metric in self._seen and at - self._seen[metric] > _GAP_INTERVALS * self._interval:
                users = [
                    name
                    for name, signal in self.signals.local().items()
                    if any(each.metric == metric for each in selectors(self._expression(signal.query)))
                ]
                found[f"metric {metric}"] = (
                    f"no pod exports {metric} since {at - self._seen[metric]:.0f} s; the signals"
                    f" {', '.join(users)} have no value. If it was renamed, change signals.yaml"
                )

    def _evaluate(self, at: float, found: dict[str, str]) -> Results:
        results: Results = {}
        query = queries(self._head, at)
        for text in self._queries():
            try:
                vector = query(self._expression(text))
            except QueryError as error:
                found[text] = str(error)
                continue
            results[text] = {
                tuple(pair for pair in labels if pair[0] != NAME): value for labels, value in vector.items()
            }
        return results

    def _report(self, at: float, found: dict[str, str]) -> None:
        """Record problems when they begin."""
        for key, text in found.items():
            if key not in self.problems:
                self.store.add_event(Event(at, "source", text))
        self.problems = found


class _Socket(socket.socket):
    """A TCP socket on which receiving ends at a time of the monotonic clock."""

    ends = math.inf

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        remaining = self.ends - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("no complete response in time")
        self.settimeout(remaining)
        return super().recv_into(buffer, nbytes, flags)


def scrape(target: ScrapeTarget, seconds: float = _TIMEOUT_SECONDS) -> str:
    """Return the exposition of a target, received completely within `seconds`.

    Raises OSError, ValueError or HTTPException.
    """
    connection = http.client.HTTPConnection("127.0.0.1", target.port)
    with closing(connection), _Socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(seconds)
        sock.ends = time.monotonic() + seconds
        sock.connect(("127.0.0.1", target.port))
        connection.sock = sock
        connection.request("GET", "/metrics")
        with connection.getresponse() as response:
            if response.status != http.HTTPStatus.OK:
                raise ValueError(f"status {response.status}")
            body = response.read(_MAX_EXPOSITION_BYTES + 1)
            if len(body) > _MAX_EXPOSITION_BYTES:
                raise ValueError(f"more than {_MAX_EXPOSITION_BYTES // 1024**2} MiB")
            if response.length:
                raise ValueError(f"the response ended {response.length} bytes too early")
        return body.decode()
