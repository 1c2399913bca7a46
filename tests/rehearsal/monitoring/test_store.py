"""The DuckDB file: results by step, events, retention, one writer."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from app.monitoring.source import SourceError
from rehearsal.monitoring.promql.evaluator import Labels
from rehearsal.monitoring.promql.parser import Selector
from rehearsal.monitoring.store import (
    RESULT_SECONDS,
    SAMPLE_SECONDS,
    Event,
    Recording,
    RecordingInUseError,
)
from tests.repository._tree import ROOT

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
    assert [list(series.values) for series in again.select(Selector("a"), 0.0, 2000.0)] == [[1.5]]
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
    assert not store.select(Selector("a"), -1.0, 1.0)
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


def test_series_of_pods_that_ended_are_deleted_with_their_samples() -> None:
    store = Recording(None)
    store.add_samples(0.0, {(("__name__", "a"), ("pod", "1")): 1.0})
    store.add_samples(SAMPLE_SECONDS, {(("__name__", "b"), ("pod", "2")): 1.0})
    store.prune(SAMPLE_SECONDS + 1)
    assert store.metrics() == {"b"}
    store.add_samples(SAMPLE_SECONDS + 2, {(("__name__", "a"), ("pod", "3")): 2.0})
    (series,) = store.select(Selector("a"), 0.0, 1e6)
    assert (series.labels, list(series.values)) == ((("__name__", "a"), ("pod", "3")), [2.0])


@contextmanager
def file_size(limit: int) -> Iterator[None]:
    """No file of this process may grow beyond `limit` bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_reported_and_recording_continues_once_there_is_space(tmp_path: Path) -> None:
    store = Recording(tmp_path / "recording.duckdb")
    store.add_results(15.0, {("q", X): 1.0})
    chance = random.Random(1)

    def fill() -> None:
        for index in range(2, 1000):
            samples: dict[Labels, float] = {
                (("__name__", "a"), ("n", str(number))): chance.random() for number in range(2000)
            }
            store.add_samples(15.0 * index, samples)

    with file_size(1_500_000), pytest.raises(SourceError, match="written again when the disk has space"):
        fill()
    with file_size(10_000):
        store.add_event(Event(20.0, "deployment", "api: new revision"))
        assert [event.title for event in store.events(0.0, 100.0)] == ["api: new revision"]
    store.add_results(30.0, {("q", X): 2.0})
    store.close()
    again = Recording(tmp_path / "recording.duckdb")
    (series,) = again.results("q", 15.0, 30.0, 15.0)
    assert series.values == [1.0, 2.0]
    assert [event.title for event in again.events(0.0, 100.0)] == ["api: new revision"]
    again.close()


_WRITER: Final = """
import sys
from pathlib import Path
from rehearsal.monitoring.store import Recording
store = Recording(Path(sys.argv[1]))
number = round(store.last() / 15)
while True:
    number += 1
    values = {(("__name__", "a"), ("n", str(each))): each * 1.5 for each in range(1000)}
    store.add_samples(15.0 * number, values)
    store.add_results(15.0 * number, {("q", ()): float(number)})
    print(number, flush=True)
    if number % 10 == 0:
        store.prune(15.0 * number)
"""


def test_a_killed_recorder_loses_nothing_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "recording.duckdb"
    written: set[float] = set()
    for turn in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(7 + 5 * turn):
                written.add(float(writer.stdout.readline()))
            with pytest.raises(RecordingInUseError, match="another process uses it"):
                Recording(path)
            writer.kill()
            written |= {float(line) for line in writer.stdout if line.endswith("\n")}
        store = Recording(path)
        (series,) = store.results("q", 15.0, store.last(), 15.0)
        assert written <= set(series.values)
        store.close()


@pytest.mark.parametrize("content", [b"", b"x" * 5000, bytes(300_000)], ids=["empty", "text", "zeros"])
def test_a_file_that_is_not_a_recording_is_not_changed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recording.duckdb"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="move a damaged file away"):
        Recording(path)
    assert path.read_bytes() == content


def test_a_step_that_gives_too_many_values_is_refused() -> None:
    store = Recording(None)
    for step in (0.0, -1.0, 0.1):
        with pytest.raises(SourceError, match="is not 1 to 11000 values"):
            store.results("q", 0.0, 86_400.0, step)
