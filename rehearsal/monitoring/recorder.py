"""The embedded recorder: scrapes the pods of one machine, evaluates the signals, and stores the results."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from app.monitoring.objectives import WINDOW
from app.monitoring.signals import Signals
from app.monitoring.source import SourceError, TimeSeries
from rehearsal.errors import KingdomError
from rehearsal.monitoring.annotations import read_annotations
from rehearsal.monitoring.clock import RecordingClock
from rehearsal.monitoring.exposition import Exposition
from rehearsal.monitoring.head import RETENTION_SECONDS, Head
from rehearsal.monitoring.platform import EMULATED, PlatformState, ScrapeTarget
from rehearsal.monitoring.promql.evaluator import NAME, Labels, Vector, queries, query_range
from rehearsal.monitoring.promql.parser import Expression, QueryError, parse, selectors
from rehearsal.monitoring.store import Event, Recording

# After this many intervals without a scrape, the last values are no longer used.
_GAP_INTERVALS: Final = 4
_PRUNE_SECONDS: Final = 600.0
_TIMEOUT_SECONDS: Final = 2.0
_MAX_EXPOSITION_BYTES: Final = 16 * 1024 * 1024

Results = dict[str, Vector]


class Observer(Protocol):
    """Observes a platform; returns None while it is not running."""

    def observe(self, at: float) -> PlatformState | None: ...


class Recorder:
    """Records one platform. It is a Source: queries of declared signals return stored results.

    `signals` is called before every scrape, so that changed thresholds apply at once. `after` is called with
    the time and the results after every scrape.
    """

    def __init__(
        self,
        store: Recording,
        signals: Callable[[], Signals],
        platform: Observer,
        *,
        annotations: Path | None = None,
        fetch: Callable[[ScrapeTarget], str] | None = None,
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
        self._expositions: dict[str, Exposition] = {}
        self._expressions: dict[str, Expression] = {}
        self._seen: dict[str, float] = {}
        self._pruned = 0.0
        self._lock = threading.Lock()
        for series in store.samples(last - RETENTION_SECONDS):
            self._head.load(tuple(sorted(series.labels.items())), series.times, series.values)

    def step(self) -> float:
        """Scrape, evaluate and store once. Return the time of the scrape."""
        at, jump = self._clock.now()
        found: dict[str, str] = {}
        if jump:
            self.store.add_event(Event(at, "source", jump))
        try:
            self.signals = self._read_signals()
        except KingdomError as error:
            found["signals"] = f"the signals of before remain in use: {error}"
        observation = self._platform.observe(at)
        with self._lock:
            self._scrape(observation, at, found)
            self.results = self._evaluate(at, found) if observation is not None else {}
        self.observation = observation
        self.store.add_results(
            at,
            {
                (text, labels): value
                for text, vector in self.results.items()
                for labels, value in vector.items()
            },
        )
        for event in observation.events if observation else ():
            self.store.add_event(event)
        if self._annotations is not None:
            for event in read_annotations(self._annotations):
                self.store.add_event(event)
        self._report(at, found)
        self.at = at
        if at - self._pruned > _PRUNE_SECONDS:
            self._pruned = at
            self._head.trim(at)
            self.store.prune(at)
        for callback in self.after:
            callback(at, self.results)
        return at

    def run(self, stop: threading.Event) -> None:
        """Record at the interval that is declared with the signals, until `stop` is set."""
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            self.step()
            due = max(due + self._interval, time.monotonic())

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        """Return the series of `query`. Raises SourceError for an unsupported query."""
        if query in self.store.queries():
            return self.store.results(query, start, end, step)
        try:
            with self._lock:
                return query_range(self._head, query, start, end, step)
        except QueryError as error:
            raise SourceError(str(error)) from error

    @property
    def _interval(self) -> float:
        return self.signals.detection.scrape_seconds

    def _metrics(self) -> set[str]:
        """Return the metrics that signals use."""
        return {each.metric for text in self._queries() for each in selectors(self._expression(text))}

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

    def _scrape(self, observation: PlatformState | None, at: float, found: dict[str, str]) -> None:
        if observation is None:
            found["platform"] = "the platform does not run: run `kingdom up`"
            if self._head.targets():
                self._head.end(at)
            self._expositions.clear()
            return
        if self.at and at - self.at > _GAP_INTERVALS * self._interval:
            self._head.end(self.at + self._interval)
        metrics = self._metrics()
        recorded: dict[Labels, float] = {}
        for target in observation.targets:
            exposition = self._expositions.get(target.name)
            if exposition is None or exposition.metrics != metrics:
                exposition = self._expositions[target.name] = Exposition(target.labels, metrics)
            values: dict[Labels, float] = {}
            try:
                values, invalid = exposition.read(self._fetch(target))
            except (OSError, ValueError, http.client.HTTPException) as error:
                found[target.name] = f"{target.name} cannot be scraped at port {target.port}: {error!r}"
            else:
                for metric in invalid:
                    found[f"{target.name} {metric}"] = (
                        f"{target.name}: {metric} is not a finite number; the value is left out"
                    )
            recorded.update(self._recorded(target.name, at, values))
        # The platform's own metrics are those of the target "".
        for name in self._head.targets() - {"", *(target.name for target in observation.targets)}:
            recorded.update(self._recorded(name, at, {}))
            self._expositions.pop(name, None)
        recorded.update(self._recorded("", at, observation.gauges))
        self.store.add_samples(at, recorded)
        if observation.targets:
            self._missing(metrics, at, found)

    def _recorded(self, target: str, at: float, values: Mapping[Labels, float]) -> dict[Labels, float]:
        ended = self._head.add(target, at, values)
        return {**values, **dict.fromkeys(ended, float("nan"))}

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


def scrape(target: ScrapeTarget) -> str:
    """Return the exposition of a target. Raises OSError, ValueError or HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        body = response.read(_MAX_EXPOSITION_BYTES)
        if response.status != http.HTTPStatus.OK:
            raise ValueError(f"status {response.status}")
        return body.decode()
    finally:
        connection.close()
