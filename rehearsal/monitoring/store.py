"""Recorded samples, results of signals, and events in a DuckDB file."""

from __future__ import annotations

import json
import threading
from array import array
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb

from app.monitoring.source import SourceError, TimeSeries
from rehearsal.monitoring.promql.evaluator import LOOKBACK_SECONDS, MAX_POINTS, NAME, Labels, Recorded
from rehearsal.monitoring.promql.parser import Selector

RECORDING_FILE: Final = "recording.duckdb"
# Retention of samples: the longest range of a signal, and the lookback. They are read by the evaluation after
# a restart and by queries that are not declared.
SAMPLE_SECONDS: Final = 3600.0 + LOOKBACK_SECONDS
RESULT_SECONDS: Final = 30 * 86_400.0
_MAX_UNWRITTEN: Final = 1000
_QUERY_MEMORY: Final = "256MB"
# One core at most. The limit includes blocks of the file that are cached; larger queries use a file on disk.
_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "threads": 1,
    "memory_limit": "12MB",
    "checkpoint_threshold": "1MB",
    "allocator_flush_threshold": "1MB",
    "allocator_bulk_deallocation_flush_threshold": "1MB",
}
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS series (id INTEGER, signal VARCHAR, labels VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS samples (series INTEGER, milli BIGINT, value DOUBLE);
CREATE TABLE IF NOT EXISTS results (series INTEGER, milli BIGINT, value FLOAT);
CREATE TABLE IF NOT EXISTS events (started BIGINT, ended BIGINT, kind VARCHAR, title VARCHAR, detail VARCHAR);
"""


class RecordingInUseError(SourceError):
    """Another process writes the recording."""


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
    """One DuckDB file, used by one process at a time. Every method may be called from many threads.

    Methods raise RecordingInUseError while another process writes the file, and SourceError when it cannot be
    read or written, such as on a full disk; the next call opens it again. Events that could not be written
    are retained and written then.
    """

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        """Open `path`, or a database in memory. Raises SourceError when another process uses it."""
        self._path = path
        self._read_only = read_only
        self._lock = threading.Lock()
        self._closed = False
        self._unwritten: deque[Event] = deque(maxlen=_MAX_UNWRITTEN)
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._ids: dict[tuple[str, Labels], int] = {}
        self._labels: dict[int, Labels] = {}
        self._numbers: dict[str, list[int]] = {}  # of the series of a query; "" for samples
        self._next = 1
        with self._access():
            pass

    def add_samples(self, at: float, values: Mapping[Labels, float]) -> None:
        """Record raw samples."""
        self._insert("samples", at, {("", labels): value for labels, value in values.items()})

    def add_results(self, at: float, values: Mapping[tuple[str, Labels], float]) -> None:
        """Record results of signals; a key is the query's text and the labels of a line."""
        self._insert("results", at, values)

    def metrics(self) -> set[str]:
        """Return the names of metrics with samples."""
        with self._lock:
            return {_metric(self._labels[number]) for number in self._numbers.get("", ())}

    def select(self, selector: Selector, start: float, end: float) -> list[Recorded]:
        """Return the recorded samples that a selector names, after `start` up to `end`: of the last hour."""
        with self._access() as connection, _memory(connection):
            ids = [
                number
                for number in self._numbers.get("", ())
                if selector.selects(_metric(self._labels[number]), self._labels[number])
            ]
            found = connection.execute(
                "SELECT series, list(milli ORDER BY milli), list(value ORDER BY milli) FROM samples"
                " WHERE series IN (SELECT unnest(?)) AND milli > ? AND milli <= ? GROUP BY series",
                [ids, _milli(start), _milli(end)],
            )
            selected = []
            while (row := found.fetchone()) is not None:
                times = array("d", (milli / 1000 for milli in row[1]))
                selected.append(Recorded(self._labels[row[0]], times, array("d", row[2])))
        return selected

    def results(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        """Return the results of a signal: for each step the last one within it, at the end of the step."""
        if _milli(step) < 1 or not (end - start) / step < MAX_POINTS:
            raise SourceError(
                f"a step of {step:g} s from {start:.0f} to {end:.0f} is not 1 to {MAX_POINTS} values"
            )
        with self._access() as connection:
            # The moments are start, start + step, …: a step ends at each of them.
            rows = connection.execute(
                "SELECT series, list(moment ORDER BY moment), list(value ORDER BY moment) FROM ("
                " SELECT series, ? + CAST(ceil((milli - ?) / ?) AS BIGINT) * ? AS moment,"
                " arg_max(value, milli) AS value"
                " FROM results WHERE series IN (SELECT unnest(?)) AND milli > ? AND milli <= ?"
                " GROUP BY series, moment) GROUP BY series",
                [
                    _milli(start), _milli(start), _milli(step), _milli(step),
                    list(self._numbers.get(query, ())), _milli(start - step), _milli(end),
                ],
            ).fetchall()  # fmt: skip
            found = [
                TimeSeries(dict(self._labels[number]), [milli / 1000 for milli in times], values)
                for number, times, values in rows
            ]
        return sorted(found, key=lambda series: sorted(series.labels.items()))

    def queries(self) -> set[str]:
        """Return the queries with results."""
        with self._lock:
            return {text for text in self._numbers if text}

    def last(self) -> float:
        """Return the time of the last sample or result, 0 without one."""
        with self._access() as connection:
            row = connection.execute(
                "SELECT greatest((SELECT max(milli) FROM samples), (SELECT max(milli) FROM results))"
            ).fetchone()
        return 0.0 if row is None or row[0] is None else row[0] / 1000

    def add_event(self, event: Event) -> None:
        """Record an event; one that was recorded without an end is replaced by the same one with an end.

        An event that cannot be written is retained until the file can be written again.
        """
        self._unwritten.append(event)
        with suppress(SourceError):
            self.flush()

    def flush(self) -> None:
        """Write events that could not be written before. Raises SourceError."""
        if self._unwritten:
            with self._access() as connection:
                self._write_events(connection)

    def events(self, start: float, end: float) -> list[Event]:
        """Return the events that overlap a period, the earliest first."""
        with self._access() as connection:
            rows = connection.execute(
                "SELECT * FROM events WHERE started <= ? AND coalesce(ended, started) >= ? ORDER BY started",
                [_milli(end), _milli(start)],
            ).fetchall()
            waiting = [
                event for event in self._unwritten if event.at <= end and (event.until or event.at) >= start
            ]
        written = [
            Event(at / 1000, kind, title, json.loads(detail), None if until is None else until / 1000)
            for at, until, kind, title, detail in rows
        ]
        return [*written, *waiting]

    def prune(self, now: float) -> None:
        """Delete what is older than the retention and series without anything else, and return its space."""
        with self._access() as connection:
            for table, column, seconds in (
                ("samples", "milli", SAMPLE_SECONDS),
                ("results", "milli", RESULT_SECONDS),
                ("events", "started", RESULT_SECONDS),
            ):
                connection.execute(f"DELETE FROM {table} WHERE {column} < ?", [_milli(now - seconds)])  # noqa: S608
            # Each pod has series of its own: without this they would add up with every rollout.
            connection.execute(
                "DELETE FROM series WHERE signal = '' AND id NOT IN (SELECT DISTINCT series FROM samples)"
            )
            if connection.execute("SELECT count(*) FROM series").fetchall() != [(len(self._labels),)]:
                self._read_series(connection)
            connection.execute("CHECKPOINT")

    def close(self) -> None:
        """Write everything to the file and close it."""
        with suppress(SourceError):
            self.flush()
        with self._lock:
            self._closed = True
            self._disconnect()

    @contextmanager
    def _access(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield the connection, for one thread at a time. Raises SourceError for an error of DuckDB."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._connect()
                yield self._connection
            except duckdb.Error as error:
                # After some errors, such as a full disk, a database refuses everything until it is opened
                # again; and the maps of series may name one that was rolled back.
                if self._path is not None:
                    self._disconnect()
                elif self._connection is not None:
                    with suppress(duckdb.Error):
                        self._connection.rollback()
                raise _source_error(self._path, error) from error

    def _connect(self) -> duckdb.DuckDBPyConnection:
        if self._closed:
            raise SourceError(f"{self._path or ':memory:'} was closed")
        name = ":memory:" if self._path is None else str(self._path)
        connection = duckdb.connect(name, read_only=self._read_only, config=_CONFIG)
        try:
            if not self._read_only:
                connection.execute(_SCHEMA)
            self._read_series(connection)
        except duckdb.Error:
            connection.close()
            raise
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(duckdb.Error):
                connection.close()

    def _read_series(self, connection: duckdb.DuckDBPyConnection) -> None:
        labels_of = {number: labels for (_, labels), number in self._ids.items()}
        self._ids.clear()
        self._labels.clear()
        self._numbers.clear()
        self._next = 1
        for number, signal, labels in connection.execute("SELECT * FROM series").fetchall():
            self._remember(number, signal, labels_of.get(number) or _labels(labels))

    def _write_events(self, connection: duckdb.DuckDBPyConnection) -> None:
        while self._unwritten:
            event = self._unwritten[0]
            key = [_milli(event.at), event.kind, event.title]
            until = None if event.until is None else _milli(event.until)
            connection.execute("DELETE FROM events WHERE started = ? AND kind = ? AND title = ?", key)
            connection.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
                [key[0], until, event.kind, event.title, json.dumps(dict(event.detail))],
            )
            self._unwritten.popleft()

    def _insert(self, table: str, at: float, values: Mapping[tuple[str, Labels], float]) -> None:
        if not values:
            return
        with self._access() as connection:
            new = [key for key in values if key not in self._ids]
            for key in new:
                self._remember(self._next, *key)
            connection.execute("BEGIN")
            if new:  # all of a pod at once: a statement for each takes a millisecond
                connection.execute(
                    "INSERT INTO series"
                    " SELECT unnest(?::INTEGER[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[])",
                    [
                        [self._ids[key] for key in new],
                        [signal for signal, _ in new],
                        [json.dumps(labels) for _, labels in new],
                    ],
                )
            connection.execute(
                f"INSERT INTO {table} SELECT unnest(?::INTEGER[]), ?, unnest(?::DOUBLE[])",
                [[self._ids[key] for key in values], _milli(at), list(values.values())],
            )
            connection.execute("COMMIT")

    def _remember(self, number: int, signal: str, labels: Labels) -> None:
        self._ids[signal, labels] = number
        self._labels[number] = labels
        self._numbers.setdefault(signal, []).append(number)
        self._next = max(self._next, number + 1)


@contextmanager
def _memory(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Allow the memory of a query over hours of raw samples, which no panel and no signal needs."""
    connection.execute(f"SET memory_limit = '{_QUERY_MEMORY}'")
    try:
        yield
    finally:
        connection.execute(f"SET memory_limit = '{_CONFIG['memory_limit']}'")


def _source_error(path: Path | None, error: duckdb.Error) -> SourceError:
    """Return the error with the name of the file, its cause and a remedy."""
    text = str(error).splitlines()[0][:300]
    kind = SourceError
    if "set lock on file" in text:
        kind = RecordingInUseError
        remedy = "another process uses it: `kingdom dashboard --stop` ends the one that records"
    elif any(words in text for words in ("No space left", "not write", "Disk quota")):
        remedy = "it is written again when the disk has space"
    elif "Memory" in text:
        remedy = "query a shorter range"
    else:
        remedy = "move a damaged file away, with the one that ends in .wal, to begin a new recording"
    return kind(f"{path or ':memory:'} cannot be used ({text}): {remedy}")


def _metric(labels: Labels) -> str:
    return next((value for key, value in labels if key == NAME), "")


def _milli(seconds: float) -> int:
    return round(seconds * 1000)


def _labels(text: str) -> Labels:
    return tuple((key, value) for key, value in json.loads(text))
