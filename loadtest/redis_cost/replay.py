"""``python -m loadtest.redis_cost.replay --loaded FILE --idle FILE``: the cost of recordings as JSON.

Each use of Redis has a server of its own in the replay, so that its CPU is measured separately. The server
has no persistence, like Memorystore between snapshots. Many connections send at once, so that it never waits
for a client.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import psutil
import redis
from redis.asyncio import Redis

from app.cache.redis_layer import RedisLayer
from app.queue.queue import Queue
from app.queue.worker_registry import WorkerRegistry
from app.rate_limits import Limiter
from loadtest.redis_cost.commands import USES, Command, parse
from rehearsal.host.backends.redis import binary

_CONNECTIONS: Final = 40
_SUBSCRIBERS: Final = 50
# Kernels count CPU time in steps of 10 ms.
_MIN_CPU_SECONDS: Final = 1.0
_MAX_SECONDS: Final = 10.0
_MAX_ERROR_SHARE: Final = 0.02
_START_SECONDS: Final = 10.0


class ReplayError(RuntimeError):
    """The recording cannot be replayed; the message states why."""


class _Scripts(Redis):
    """Collects the scripts that the service registers."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def register_script(self, script: Any) -> Any:
        self.texts.append(script)
        return super().register_script(script)


@dataclass(frozen=True)
class Server:
    """A server without data and persistence; `process` is its operating system process."""

    port: int
    process: psutil.Process

    @property
    def cpu_seconds(self) -> float:
        """Return the user and system time since its start."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def connect(self) -> socket.socket:
        """Open a new connection."""
        return socket.create_connection(("127.0.0.1", self.port))


@contextmanager
def server() -> Iterator[Server]:
    """Run a server with the scripts of the service until the context ends. Raises ReplayError."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        command = [binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with redis.Redis(port=port) as client:
                _wait(client, process)
                for text in _scripts():
                    client.script_load(text)
            yield Server(port, psutil.Process(process.pid))
        finally:
            process.kill()
            process.wait()


def _wait(client: redis.Redis, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            client.ping()
        except redis.ConnectionError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise ReplayError(f"redis-server does not start: {Path(binary())}") from error
            time.sleep(0.01)
        else:
            return


def _scripts() -> list[str]:
    found = _Scripts()
    RedisLayer(found, "", load_seconds=1.0)
    Queue(found)
    WorkerRegistry(found)
    Limiter(found)
    return found.texts


def seconds_of(commands: Sequence[Command]) -> float:
    """Return the CPU seconds of one execution of the commands on a busy server.

    Raises ReplayError if many commands fail.
    """
    if not commands:
        return 0.0
    encoded = [each.encoded for each in commands]
    with server() as own, ExitStack() as stack, redis.Redis(port=own.port) as client:
        connections = [stack.enter_context(own.connect()) for _ in range(_CONNECTIONS)]
        _once(encoded, connections)  # creates the entries, buckets and queues that the recording expects
        client.config_resetstat()
        found = _mean_cpu_seconds(own, partial(_once, encoded, connections))
        total = client.info("stats")["total_commands_processed"]
        errors = sum(int(each["count"]) for each in client.info("errorstats").values())
        if errors > _MAX_ERROR_SHARE * total:
            raise ReplayError(
                f"{errors} of {total} repeated commands failed: the recording is of another version"
            )
        return found


def _mean_cpu_seconds(own: Server, work: Callable[[], None]) -> float:
    """Return the CPU seconds of the server for the work, which is repeated until they are measurable."""
    began, spent, rounds = time.monotonic(), own.cpu_seconds, 0
    while True:
        work()
        rounds += 1
        used = own.cpu_seconds - spent
        if used >= _MIN_CPU_SECONDS or time.monotonic() - began > _MAX_SECONDS:
            return used / rounds


def _once(encoded: Sequence[bytes], connections: Sequence[socket.socket]) -> None:
    for start in range(0, len(encoded), len(connections)):
        batch = list(zip(connections, encoded[start : start + len(connections)], strict=False))
        for connection, command in batch:
            connection.sendall(command)
        for connection, _ in batch:
            # The rest of a large response stays in the buffer for the next round.
            if not connection.recv(1 << 16):
                raise ReplayError("redis-server closed a connection")


def seconds_of_delivery(messages: Sequence[Command]) -> float:
    """Return the CPU seconds of one delivery of the messages to one more subscriber."""
    if not messages:
        return 0.0
    encoded = [each.encoded for each in messages]
    channels = sorted({each.key for each in messages})
    found = []
    for count in (0, _SUBSCRIBERS):
        with server() as own, ExitStack() as stack:
            publisher = stack.enter_context(own.connect())
            subscribers = [stack.enter_context(own.connect()) for _ in range(count)]
            for each in subscribers:
                each.sendall(Command((b"SUBSCRIBE", *channels)).encoded)
                each.recv(1 << 16)
                each.setblocking(False)
            found.append(_mean_cpu_seconds(own, partial(_publish, encoded, publisher, subscribers)))
    return max(0.0, found[1] - found[0]) / _SUBSCRIBERS


def _publish(
    encoded: Sequence[bytes], publisher: socket.socket, subscribers: Sequence[socket.socket]
) -> None:
    for message in encoded:
        publisher.sendall(message)
        publisher.recv(1 << 16)
        for each in subscribers:
            _drain(each)


def _drain(subscriber: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        subscriber.recv(1 << 16)


def cost(loaded: bytes, idle: bytes) -> dict[str, Any]:
    """Return the seconds by use, of the recordings with and without load, and of deliveries to one pod."""
    commands = list(parse(loaded))
    by_use = _by_use(each for each in commands if not each.script)
    without_load = _by_use(each for each in parse(idle) if not each.script)
    # Progress is delivered to the pods that follow an item, content messages to those that cache it.
    broadcast = [each for each in commands if each.name == b"PUBLISH" and each.key.endswith(b":backplane")]
    return {
        "commands": {use: len(each) for use, each in by_use.items()},
        "seconds": {use: seconds_of(each) for use, each in by_use.items()},
        "idle": {use: seconds_of(each) for use, each in without_load.items()},
        "messages": len(broadcast),
        "delivery": seconds_of_delivery(broadcast),
    }


def _by_use(commands: Iterator[Command]) -> Mapping[str, list[Command]]:
    found: dict[str, list[Command]] = {use: [] for use in USES}
    for each in commands:
        found[each.use].append(each)
    return found


def main() -> None:
    """Print the cost of the recordings in the given files as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--loaded", "--idle"):
        parser.add_argument(name, nargs="+", type=Path, required=True)
    given = parser.parse_args()
    loaded, idle = (b"".join(map(Path.read_bytes, files)) for files in (given.loaded, given.idle))
    print(json.dumps(cost(loaded, idle)))


if __name__ == "__main__":
    main()
