"""The recorder: the same values as Prometheus, and no false values from bad input."""

from __future__ import annotations

import http.client
import itertools
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import msgspec
import pytest

from app.monitoring.prometheus import PrometheusSource
from app.monitoring.signals import Detection
from app.monitoring.source import TimeSeries
from rehearsal.monitoring.platform import PlatformState, ScrapeTarget
from rehearsal.monitoring.promql.evaluator import Labels
from rehearsal.monitoring.recorder import scrape
from rehearsal.monitoring.store import Recording
from tests.rehearsal.monitoring.recording import MadeUp
from tests.support.backends import free_port


def by_labels(found: list[TimeSeries]) -> dict[Labels, tuple[list[float], list[float]]]:
    """By the labels that a line has in the recording, which leaves the metric's name out."""
    return {
        tuple(sorted((key, value) for key, value in each.labels.items() if key != "__name__")): (
            each.times,
            each.values,
        )
        for each in found
    }


def test_every_local_signal_has_a_value() -> None:
    made_up = MadeUp()
    recorder = made_up.recorder()
    for _ in range(25):
        at = recorder.step()
        made_up.advance()
    empty = [
        name
        for name, signal in made_up.signals.local().items()
        if not recorder.query_range(signal.query, at, at, 15.0)
    ]
    assert empty == []
    assert recorder.problems == {}


def test_a_restarted_recorder_continues_the_recording(tmp_path: Path) -> None:
    made_up = MadeUp()
    recorder = made_up.recorder(Recording(tmp_path / "recording.duckdb"))
    for _ in range(25):
        recorder.step()
        made_up.advance()
    recorder.store.close()
    again = made_up.recorder(Recording(tmp_path / "recording.duckdb"))
    at = again.step()
    query = made_up.signals.signals["requests"].query
    assert again.query_range(query, at, at, 15.0)


def test_a_pod_that_cannot_be_scraped_is_reported_once_and_has_no_value() -> None:
    made_up = MadeUp()
    recorder = made_up.recorder()
    recorder.step()
    made_up.away = {"api-2"}
    for _ in range(3):
        made_up.advance()
        at = recorder.step()
    assert list(recorder.problems) == ["api-2"]
    assert "cannot be scraped at port 1" in recorder.problems["api-2"]
    events = [event for event in recorder.store.events(0.0, at) if event.kind == "source"]
    assert len(events) == 1
    (series,) = recorder.query_range("count(kingdom_network_sockets)", at, at, 15.0)
    assert series.values == [1.0]


def test_a_platform_that_stops_leaves_a_gap() -> None:
    made_up = MadeUp()
    recorder = made_up.recorder()
    for _ in range(5):
        recorder.step()
        made_up.advance()
    made_up.running = False
    stopped = recorder.step()
    assert recorder.problems == {"platform": "the platform does not run: run `kingdom up`"}
    made_up.running = True
    made_up.advance(600.0)
    recorder.step()
    query = made_up.signals.signals["in-flight"].query
    (series,) = recorder.query_range(query, stopped - 60, made_up.wall, 15.0)
    assert not [at for at in series.times if stopped + 15 < at < stopped + 585]


def test_a_gap_is_four_declared_intervals() -> None:
    made_up = MadeUp()
    made_up.signals = msgspec.structs.replace(made_up.signals, detection=Detection(scrape_seconds=60.0))
    recorder = made_up.recorder()
    query = made_up.signals.signals["in-flight"].query
    for seconds, expected in ((200.0, True), (300.0, False)):
        before = recorder.step()
        made_up.advance(seconds)
        recorder.step()
        found = recorder.query_range(f"({query}) + 0", before + 120, before + 120, 15.0)
        assert bool(found) is expected, seconds


def test_a_renamed_metric_is_reported_and_has_no_value() -> None:
    made_up = MadeUp()
    recorder = made_up.recorder()
    for _ in range(3):
        recorder.step()
        made_up.advance()
    made_up.rename = {"kingdom_network_sockets": "kingdom_open_sockets"}
    for _ in range(8):
        at = recorder.step()
        made_up.advance()
    (message,) = recorder.problems.values()
    assert "no pod exports kingdom_network_sockets" in message
    assert "the signals sockets have no value" in message
    assert recorder.query_range(made_up.signals.signals["sockets"].query, at, at, 15.0) == []


def test_a_counter_reset_is_not_a_negative_rate() -> None:
    made_up = MadeUp()
    recorder = made_up.recorder()
    for index in range(40):
        if index == 20:
            made_up.reset("api-1")
        recorder.step()
        made_up.advance()
    query = made_up.signals.signals["requests"].query
    (series,) = recorder.query_range(query, made_up.wall - 3600, made_up.wall, 15.0)
    assert all(0 <= value < 50 for value in series.values)


def test_a_clock_that_moves_back_is_reported_and_values_stay_in_order() -> None:
    made_up = MadeUp()
    recorder = made_up.recorder()
    times = [recorder.step()]
    for index in range(30):
        made_up.advance()
        if index == 10:
            made_up.wall -= 3600.0
        times.append(recorder.step())
    assert times == sorted(times)
    messages = [event.title for event in recorder.store.events(0.0, times[-1]) if event.kind == "source"]
    assert len(messages) == 1
    assert "moved back by 3600 s" in messages[0]


def test_values_that_are_not_numbers_are_left_out() -> None:
    made_up = MadeUp()
    recorder = made_up.recorder()
    normal = made_up.fetch
    recorder._fetch = lambda target, seconds: normal(target) + "kingdom_event_loop_tasks NaN\n"
    recorder.step()
    assert any(
        "kingdom_event_loop_tasks is not a finite number" in text for text in recorder.problems.values()
    )


@contextmanager
def prometheus(folder: Path) -> Iterator[str]:
    port = free_port()
    config = folder / "prometheus.yml"
    config.write_text("")
    process = subprocess.Popen(
        [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
            "--storage.tsdb.retention.time=10y",
        ]
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as client:
            while True:
                assert process.poll() is None, "Prometheus ended"
                try:
                    if client.get(f"{url}/-/ready").status_code == 200:
                        break
                except httpx.HTTPError:
                    continue
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.mark.prometheus
@pytest.mark.skipif(
    not shutil.which("prometheus") or not shutil.which("promtool"),
    reason="Prometheus is not on PATH: install the package `prometheus` to compare the recorder with it",
)
def test_every_signal_has_the_value_that_prometheus_computes(tmp_path: Path) -> None:
    made_up = MadeUp()
    recorder = made_up.recorder()
    times = []
    written: dict[Labels, list[tuple[float, float]]] = {}
    record = recorder.store.add_samples

    def add_samples(at: float, values: dict[Labels, float]) -> None:
        for labels, value in values.items():
            written.setdefault(labels, []).append((at, value))
        record(at, values)

    recorder.store.add_samples = add_samples  # type: ignore[method-assign]
    for index in range(160):
        if index == 70:
            made_up.reset("api-1")
        times.append(recorder.step())
        made_up.advance()
    lines: list[str] = []
    for labels, points in sorted(written.items()):
        name = dict(labels)["__name__"]
        pairs = ",".join(f'{key}="{value}"' for key, value in labels if key != "__name__")
        lines += [f"{name}{{{pairs}}} {value} {at:.3f}" for at, value in points]
    (tmp_path / "samples.om").write_text("\n".join([*lines, "# EOF", ""]))
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", "samples.om", "data"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    with prometheus(tmp_path) as url, closing(PrometheusSource(url)) as source:
        for name, signal in made_up.signals.local().items():
            # From the 25th sample on, when the windows of all rates are complete.
            theirs = by_labels(source.query_range(signal.query, times[25], times[-1], 15.013))
            ours = by_labels(recorder.query_range(signal.query, times[25], times[-1], 15.013))
            assert ours.keys() == theirs.keys(), name
            for labels, (_, values) in theirs.items():
                assert ours[labels][1] == pytest.approx(values, rel=1e-6), f"{name} {labels}"


class BadPod(threading.Thread):
    """Responds to one request with `parts`, one every `seconds`, without an end if `endless`."""

    def __init__(self, *parts: bytes, seconds: float = 0.0, endless: bool = False) -> None:
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.target = ScrapeTarget("api-1", self.socket.getsockname()[1], {})
        self._parts = itertools.cycle(parts) if endless else iter(parts)
        self._pause = threading.Event()
        self._seconds = seconds
        self.start()

    def run(self) -> None:
        connection, _ = self.socket.accept()
        with connection, suppress(OSError):
            connection.recv(65_536)
            for part in self._parts:
                connection.sendall(part)
                self._pause.wait(self._seconds)

    def __enter__(self) -> BadPod:
        return self

    def __exit__(self, *_: object) -> None:
        self._pause.set()
        self.socket.close()
        self.join()


@pytest.mark.parametrize(
    ("parts", "seconds", "endless", "error"),
    [
        ((b"H", b"T", b"T", b"P"), 0.2, True, TimeoutError),
        ((b"HTTP/1.1 200 OK\r\n\r\na 1\n", b"a 1\n"), 0.2, True, TimeoutError),
        ((b"HTTP/1.1 200 OK\r\n\r\n" + b"a 1\n" * 100_000,), 0.0, True, ValueError),
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\na 1\n",), 0.0, False, Exception),
        ((b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe",), 0.0, False, ValueError),
        ((b"HTTP/1.1 503 Unavailable\r\n\r\n",), 0.0, False, ValueError),
        ((b"\x00" * 70_000,), 0.0, False, Exception),
        ((), 0.0, False, Exception),
    ],
    ids=["slow-header", "slow-body", "endless", "short", "not-utf-8", "status", "garbage", "closed"],
)
def test_a_pod_that_does_not_respond_completely_in_time_is_not_scraped(
    parts: tuple[bytes, ...], seconds: float, endless: bool, error: type[Exception]
) -> None:
    with BadPod(*parts, seconds=seconds, endless=endless) as pod, pytest.raises(error) as raised:
        scrape(pod.target, 1.0)
    assert isinstance(raised.value, OSError | ValueError | http.client.HTTPException)


def test_pods_that_hang_take_no_time_from_the_others() -> None:
    made_up = MadeUp(pods=tuple(f"api-{number}" for number in range(40)))
    recorder = made_up.recorder()
    allowed: dict[str, float] = {}
    order: list[str] = []

    def fetch(target: ScrapeTarget, seconds: float) -> str:
        allowed[target.name] = seconds
        order.append(target.name)
        if target.name == "api-3":
            raise TimeoutError("no complete response in time")
        return made_up.fetch(target)

    recorder._fetch = fetch
    recorder.step()
    made_up.advance()
    recorder.step()
    assert list(recorder.problems) == ["api-3"]
    assert order[-1] == "api-3"
    assert all(0.1 <= seconds <= 2.0 for seconds in allowed.values())


@pytest.mark.slow
def test_nothing_is_deleted_because_of_a_clock_that_is_corrected() -> None:
    made_up = MadeUp()
    recorder = made_up.recorder()
    query = made_up.signals.signals["in-flight"].query
    first = recorder.step()
    made_up.advance()
    made_up.wall += 400 * 86_400.0
    for _ in range(20):
        recorder.step()
        made_up.advance()
    made_up.wall -= 400 * 86_400.0
    for _ in range(400):
        recorder.step()
        made_up.advance()
    assert recorder.store.results(query, first, first, 15.0)


def test_without_a_recording_signals_are_evaluated_and_the_reason_is_stated() -> None:
    made_up = MadeUp()
    recorder = made_up.recorder()
    at = recorder.step()
    made_up.advance()
    recorder.store.close()
    seen: list[float] = []
    recorder.after.append(lambda at, results: seen.append(len(results)))
    recorder.step()
    assert seen[0] > 20
    assert recorder.problems["recording"].startswith("nothing is recorded: ")
    assert recorder.at > at


def test_an_error_of_one_scrape_does_not_end_the_recording() -> None:
    made_up = MadeUp()
    recorder = made_up.recorder()
    stop = threading.Event()
    turns: list[int] = []

    def observe(at: float) -> PlatformState | None:
        turns.append(1)
        if len(turns) == 2:
            stop.set()
        raise LookupError("not expected")

    made_up.observe = observe  # type: ignore[method-assign]
    made_up.signals = msgspec.structs.replace(made_up.signals, detection=Detection(scrape_seconds=0.01))
    recorder.signals = made_up.signals
    recorder.run(stop)
    assert len(turns) == 2
    assert "not expected" in recorder.problems["recorder"]
