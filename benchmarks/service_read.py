"""Read requests of the service compared with bare frameworks: the cost of sessions, limits and telemetry.

Ours is ``python -m app api`` with real Redis, MongoDB's wire server and storage, with nothing disabled: a GET
of a content item with a session, rate-limited, from the cache in memory, with entity tag, trace and metrics.
The frameworks return the same amount of JSON and do nothing else. Every server is pinned to one core, the
load to another, and they are measured alternately, so that a slow period affects all of them. The figure is
good responses per second of the server's own processor time, which other load on the machine does not change.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import httpx
import psutil

from benchmarks._benchmark import Benchmark, Measurement, NotMeasurableError
from benchmarks._web_frameworks.client import LoadResult, request, send_load
from benchmarks._web_frameworks.servers import FRAMEWORKS
from tests.app.conftest import sign_up
from tests.support import backends

ROOT: Final = Path(__file__).parents[1]
PEERS: Final = ROOT / ".venv" / "peers" / "bin" / "python"
CONNECTIONS: Final = 32
ROUNDS: Final = 7
SECONDS: Final = 1.0
OURS: Final = "ours"
_PIECES: Final = 4
_NAME: Final = "0193b6a0-6f5e-7cc1-8d3b-2f6a5a9d1c11"


@dataclass(frozen=True)
class Served:
    """A server and the requests sent to it."""

    process: psutil.Process
    port: int
    requests: list[bytes]


@cache
def turns() -> dict[str, list[LoadResult]]:
    """Return the results of each server per round, after one warm-up round."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise NotMeasurableError("needs two cores: one for the server, one for the load")
    server, load = {cores[0]}, {cores[1]}
    with ExitStack() as stack:
        os.sched_setaffinity(0, load)
        stack.callback(os.sched_setaffinity, 0, cores)
        served = {name: stack.enter_context(_bare(name)) for name in FRAMEWORKS}
        served[OURS] = stack.enter_context(_service())
        for each in served.values():
            for thread in each.process.threads():
                os.sched_setaffinity(thread.id, server)
        rounds: dict[str, list[LoadResult]] = {name: [] for name in served}
        for _ in range(ROUNDS + 1):
            for name, each in served.items():
                result = send_load(each.port, each.requests, seconds=SECONDS, server=each.process)
                if result.others:
                    raise RuntimeError(f"{name} responded {result.others}")
                rounds[name].append(result)
        _require_every_layer(served[OURS], sum(result.good for result in rounds[OURS]))
    return {name: results[1:] for name, results in rounds.items()}


@contextmanager
def _bare(name: str) -> Iterator[Served]:
    port = backends.free_port()
    command = [str(PEERS), str(Path(__file__).with_name("_web_frameworks") / "servers.py"), name, str(port)]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        backends.wait_for(name, lambda: backends.listens(port))
        yield Served(psutil.Process(child.pid), port, [request(f"/v1/contents/{_NAME}", {})] * CONNECTIONS)
    finally:
        child.kill()
        child.wait()


@contextmanager
def _service() -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as folder:
        platform = backends.platform(Path(folder))
        try:
            person = sign_up(platform.url)
            with contextlib.closing(person.client) as client:
                pieces = [person.create("a fox in the snow")["id"] for _ in range(_PIECES)]
                for piece in pieces:
                    person.finished(piece)
                session = {"authorization": client.headers["authorization"]}
            requests = [request(f"/v1/contents/{piece}", session) for piece in pieces]
            yield Served(
                psutil.Process(platform.api.pid), platform.api.port, requests * (CONNECTIONS // _PIECES)
            )
        finally:
            backends.end(platform)


def _require_every_layer(served: Served, responses: int) -> None:
    """Assert by the service's counters that the requests passed limits, cache and metrics."""
    lines = httpx.get(f"http://127.0.0.1:{served.port}/metrics").text.splitlines()
    for counter, minimum in (
        ('kingdom_cache_reads_total{cache="contents",outcome="memory"}', 0.99),
        # Leases expire while the peers are measured, so each turn begins with some decisions of Redis.
        ('kingdom_limit_decisions_total{mode="leased"}', 0.9),
        (
            'kingdom_http_request_seconds_count{method="GET",route="/v1/contents/{content_id}",status="200"}',
            0.99,
        ),
    ):
        counted = sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(counter))
        if counted < responses * minimum:
            raise RuntimeError(f"{counter} counted {counted:.0f} of {responses}")


def _compare(target: float, *, ours: str, peer: str) -> Measurement:
    rounds = turns()
    one, other = (statistics.median(result.per_core for result in rounds[name]) for name in (ours, peer))
    wall = statistics.median(
        mine.rate / theirs.rate for mine, theirs in zip(rounds[ours], rounds[peer], strict=True)
    )
    note = f"by wall clock {wall:.2f}; {CONNECTIONS} connections, median of {ROUNDS} turns"
    return Measurement.min_ratio(target, ours=one, peer=other, note=note)


_UNIT: Final = "req/s"

BENCHMARKS = [
    Benchmark(
        "service-read",
        "bare Starlette",
        _UNIT,
        "≥ 0.75",
        lambda: _compare(0.75, ours=OURS, peer="starlette"),
    ),
    Benchmark(
        "service-read-fastapi",
        "bare FastAPI",
        _UNIT,
        "≥ 2",
        lambda: _compare(2.0, ours=OURS, peer="fastapi"),
    ),
    Benchmark(
        "service-read-typed",
        "FastAPI with a typed response",
        _UNIT,
        "≥ 1",
        lambda: _compare(1.0, ours=OURS, peer="fastapi-typed"),
    ),
    *(
        Benchmark(
            f"framework-{name}",
            title,
            _UNIT,
            "≥ 1",
            lambda name=name: _compare(1.0, ours="starlette", peer=name),
        )
        for name, title in (("litestar", "Litestar"), ("blacksheep", "BlackSheep"))
    ),
]
