"""Recorded samples, results of signals, and events in a DuckDB file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb

from app.monitoring.source import SourceError, TimeSeries
from rehearsal.monitoring.promql.evaluator import Labels

RECORDING_FILE: Final = "recording.duckdb"
SAMPLE_SECONDS: Final = 2 * 3600.0  # samples are for the evaluation after a restart
RESULT_SECONDS: Final = 30 * 86_400.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, signal VARCHAR, labels VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS samples (series INTEGER, milli BIGINT, value DOUBLE);
CREATE TABLE IF NOT EXISTS results (series INTEGER, milli BIGINT, value FLOAT);
CREATE TABLE IF NOT EXISTS events (started BIGINT, ended BIGINT, kind VARCHAR, title VARCHAR, detail VARCHAR);
"""


@dataclass(frozen=True)
class Event:
    """An event at a moment, or from `at` to `until`. `detail` is plain JSON."""

    at: float
    kind: str
    title: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    until: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Recording:
    """One DuckDB file, used by one process at a time. Every method may be called from many threads."""

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        """Open `path`, or a database in memory. Raises SourceError when another process uses it."""
        name = ":memory:" if path is None else str(path)
        try:
            self._connection = duckdb.connect(name, read_only=read_only)
        except duckdb.Error as error:
            raise SourceError(
                f"{name} cannot be opened ({str(error).splitlines()[0][:200]}): another process may use it;"
                " a damaged file can be deleted, which loses the recording"
            ) from error
        self._lock = threading.Lock()
        self._ids: dict[tuple[str, Labels], int] = {}
        self._labels: dict[int, Labels] = {}
        self._numbers: dict[str, list[int]] = {}  # of the series of a query; "" for samples
        # One core at most, and memory for a query over a month.
        self._connection.execute("SET threads = 1; SET memory_limit = '256MB'")
        if not read_only:
            self._connection.execute(_SCHEMA)
        with suppress(duckdb.Error):
            for number, signal, labels in self._connection.execute("SELECT * FROM series").fetchall():
                self._remember(number, signal, _labels(labels))

    def add_samples(self, at: float, values: Mapping[Labels, float]) -> None:
        """Record raw samples."""
        self._insert("samples", at, {("", labels): value for labels, value in values.items()})

    def add_results(self, at: float, values: Mapping[tuple[str, Labels], float]) -> None:
        """Record results of signals; a key is the query's text and the labels of a line."""
        self._insert("results", at, values)

    def samples(self, since: float) -> Iterator[TimeSeries]:
        """Yield raw samples after `since`."""
        yield from self._read(
            "SELECT series, milli, value FROM samples WHERE milli > ? ORDER BY series, milli", [_milli(since)]
        )

    def results(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        """Return the results of a signal: for each step the last one within it, at the end of the step."""
        with self._lock:
            ids = list(self._numbers.get(query, ()))
        # The moments are start, start + step, …: a step ends at each of them.
        found = self._read(
            "SELECT series, ? + CAST(ceil((milli - ?) / ?) AS BIGINT) * ? AS moment, arg_max(value, milli)"
            " FROM results WHERE series IN (SELECT unnest(?)) AND milli > ? AND milli <= ?"
            " GROUP BY series, moment ORDER BY series, moment",
            [
                _milli(start), _milli(start), _milli(step), _milli(step),
                ids, _milli(start - step), _milli(end),
            ],
        )  # fmt: skip
        return sorted(found, key=lambda series: sorted(series.labels.items()))

    def queries(self) -> set[str]:
        """Return the queries with results."""
        with self._lock:
            return {text for text in self._numbers if text}

    def last(self) -> float:
        """Return the time of the last sample or result, 0 without one."""
        with self._lock:
            row = self._connection.execute(
                "SELECT greatest((SELECT max(milli) FROM samples), (SELECT max(milli) FROM results))"
            ).fetchone()
        return 0.0 if row is None or row[0] is None else row[0] / 1000

    def add_event(self, event: Event) -> None:
        """Record an event. If it was recorded without an end, its record gets the end."""
        with self._lock:
            self._connection.execute(
                "DELETE FROM events WHERE started = ? AND kind = ? AND title = ?",
                [_milli(event.at), event.kind, event.title],
            )
            until = None if event.until is None else _milli(event.until)
            self._connection.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
                [_milli(event.at), until, event.kind, event.title, json.dumps(dict(event.detail))],
            )

    def events(self, start: float, end: float) -> list[Event]:
        """Return the events that overlap a period, the earliest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT * FROM events WHERE started <= ? AND coalesce(ended, started) >= ? ORDER BY started",
                [_milli(end), _milli(start)],
            ).fetchall()
        return [
            Event(at / 1000, kind, title, json.loads(detail), None if until is None else until / 1000)
            for at, until, kind, title, detail in rows
        ]

    def prune(self, now: float) -> None:
        """Delete data older than the retention, and free its space."""
        with self._lock:
            for table, column, seconds in (
                ("samples", "milli", SAMPLE_SECONDS),
                ("results", "milli", RESULT_SECONDS),
                ("events", "started", RESULT_SECONDS),
            ):
                self._connection.execute(f"DELETE FROM {table} WHERE {column} < ?", [_milli(now - seconds)])  # noqa: S608
            self._connection.execute("CHECKPOINT")

    def close(self) -> None:
        """Write everything to the file and close it."""
        with self._lock:
            self._connection.close()

    def _insert(self, table: str, at: float, values: Mapping[tuple[str, Labels], float]) -> None:
        if not values:
            return
        with self._lock:
            numbers = [self._id(signal, labels) for signal, labels in values]
            self._connection.execute(
                f"INSERT INTO {table} SELECT unnest(?::INTEGER[]), ?, unnest(?::DOUBLE[])",
                [numbers, _milli(at), list(values.values())],
            )

    def _id(self, signal: str, labels: Labels) -> int:
        number = self._ids.get((signal, labels))
        if number is None:
            number = len(self._ids) + 1
            self._remember(number, signal, labels)
            self._connection.execute(
                "INSERT INTO series VALUES (?, ?, ?)", [number, signal, json.dumps(labels)]
            )
        return number

    def _remember(self, number: int, signal: str, labels: Labels) -> None:
        self._ids[signal, labels] = number
        self._labels[number] = labels
        self._numbers.setdefault(signal, []).append(number)

    def _read(self, query: str, parameters: list[Any]) -> list[TimeSeries]:
        with self._lock:
            rows = self._connection.execute(query, parameters).fetchall()
        found: dict[int, TimeSeries] = {}
        for number, at, value in rows:
            series = found.get(number)
            if series is None:
                series = found[number] = TimeSeries(dict(self._labels[number]))
            series.times.append(at / 1000)
            series.values.append(value)
        return list(found.values())


def _milli(seconds: float) -> int:
    return round(seconds * 1000)


def _labels(text: str) -> Labels:
    return tuple((key, value) for key, value in json.loads(text))
