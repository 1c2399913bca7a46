"""The DuckDB file: results by step, events, retention, one writer."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from app.monitoring.source import SourceError
from rehearsal.monitoring.store import RESULT_SECONDS, SAMPLE_SECONDS, Event, Recording

X = (("x", "1"),)


def test_results_are_the_last_of_each_step() -> None:
    store = Recording(None)
    for index in range(8):
        store.add_results(1000.0 + 15 * index, {("q", X): float(index), ("other", X): -1.0})
    (series,) = store.results("q", 1000.0, 1105.0, 30.0)
    assert series.labels == {"x": "1"}
    assert series.times == [1000.0, 1030.0, 1060.0, 1090.0, 1120.0]
    assert series.values == [0.0, 2.0, 4.0, 6.0, 7.0]
    assert store.queries() == {"q", "other"}
    assert store.last() == 1105.0


def test_a_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "recording.duckdb"
    store = Recording(path)
    store.add_samples(1000.0, {(("__name__", "a"),): 1.5})
    store.add_results(1000.0, {("q", X): 2.5})
    store.add_event(Event(1000.0, "deployment", "api", {"role": "api"}))
    store.close()
    again = Recording(path)
    assert [series.values for series in again.samples(0.0)] == [[1.5]]
    assert [series.values for series in again.results("q", 1000.0, 1000.0, 15.0)] == [[2.5]]
    assert again.events(0.0, 2000.0) == [Event(1000.0, "deployment", "api", {"role": "api"})]
    again.add_results(1015.0, {("q", (("x", "2"),)): 3.0})
    assert len(again.results("q", 1000.0, 1015.0, 15.0)) == 2


def test_an_event_gets_its_end() -> None:
    store = Recording(None)
    store.add_event(Event(10.0, "drill", "kill api"))
    store.add_event(Event(10.0, "drill", "kill api", until=30.0))
    assert store.events(20.0, 25.0) == [Event(10.0, "drill", "kill api", {}, 30.0)]
    assert store.events(31.0, 40.0) == []


def test_old_records_are_deleted() -> None:
    store = Recording(None)
    store.add_samples(0.0, {(("__name__", "a"),): 1.0})
    store.add_results(0.0, {("q", X): 1.0})
    store.prune(SAMPLE_SECONDS + 1)
    assert not list(store.samples(-1.0))
    assert store.results("q", 0.0, 0.0, 15.0)
    store.prune(RESULT_SECONDS + 1)
    assert not store.results("q", 0.0, 0.0, 15.0)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "recording.duckdb"
    path.write_bytes(b"x" * 5000)
    with pytest.raises(SourceError, match=r"recording\.duckdb"):
        Recording(path)


def test_reads_while_new_series_are_recorded() -> None:
    """As during a rollout: every pod of a new revision has new series, and clients read the panels."""
    store, enough = Recording(None), threading.Event()
    store.add_samples(0.0, {(("series", str(number)),): 1.0 for number in range(2000)})

    def record() -> None:
        for number in range(40):
            store.add_results(float(number), {(f"q{number}", X): 1.0})
        enough.set()

    thread = threading.Thread(target=record)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        thread.start()
        while not enough.is_set():
            store.queries()
            store.results("q0", 0.0, 1.0, 1.0)
    finally:
        sys.setswitchinterval(interval)
        thread.join()
    assert len(store.queries()) == 40
