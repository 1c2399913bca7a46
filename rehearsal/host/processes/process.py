"""Start, monitor, restart and stop child processes; adopt those of an earlier supervisor.

A child runs in its own session and writes its log file directly, so it is unaffected if the supervisor dies.
Its environment contains the host's root and a new instance ID, which is on disk before the child is started.
The next supervisor finds the child by this ID, so that no process is started twice or orphaned and a reused
PID is not mistaken for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from rehearsal.host.errors import MachineError
from rehearsal.host.paths import Home, slug
from rehearsal.host.processes import orphans
from rehearsal.host.processes.atomic_files import read_json, write_atomic
from rehearsal.host.processes.log_files import tail
from rehearsal.host.processes.resource_usage import Meter, Usage, measure
from rehearsal.host.processes.restart_backoff import Backoff

Check = Callable[[], Awaitable[bool]]
_CHECK_SECONDS = 0.05


class State(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing off"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Restart(StrEnum):
    """Kubernetes' restartPolicy."""

    ALWAYS = "Always"
    ON_FAILURE = "OnFailure"
    NEVER = "Never"


@dataclass(frozen=True)
class ProcessSpec:
    """Command to run. `env` is the environment without the two marks; `grace` is in seconds."""

    name: str
    kind: str
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    grace: float = 10.0
    restart: Restart = Restart.ALWAYS
    port: int | None = None
    # Files that a killed process leaves behind and that would prevent the next start.
    stale: tuple[Path, ...] = ()
    # Identity of a running child; empty: its command and environment.
    identity: str = ""

    @cached_property
    def digest(self) -> str:
        if self.identity:
            return self.identity
        content = json.dumps([self.argv, str(self.cwd), sorted(self.env.items())])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


class Process:
    """One child, restarted according to its restart policy."""

    def __init__(
        self, spec: ProcessSpec, home: Home, changed: Callable[[], None], check: Check | None
    ) -> None:
        self.spec = spec
        self.state = State.STARTING
        self.ready = False
        self.adopted = False  # started by an earlier supervisor and still running
        self.pid: int | None = None
        self.instance = ""
        self.restarts = 0
        self.exit_code: int | None = None
        self.started = 0.0
        self.message = ""
        self.log = home.logs / f"{slug(spec.name.replace('/', '_'))}.log"
        self._home = home
        self._changed = changed
        self._check = check
        self._record = home.records / f"{slug(spec.name)}.json"
        self._backoff = Backoff()
        self._stop = asyncio.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._supervision: asyncio.Task[None] | None = None
        self._meter = Meter()
        self._ended: asyncio.Event | None = None

    # -- lifecycle ---------------------------------------------------------------------------------------

    def start(self, leaders: Mapping[str, int]) -> None:
        """Adopt the child of an earlier supervisor if it is running with the same identity.

        Otherwise start one.
        """
        pid: int | None = None
        with suppress(FileNotFoundError):
            record = read_json(self._record)
            self.restarts = int(record.get("restarts", 0))
            instance = str(record.get("instance", ""))
            if instance in leaders and record.get("digest") == self.spec.digest:
                pid, self.instance, self.adopted = leaders[instance], instance, True
                self.pid = pid  # known to a `stop` before the supervision has begun
                self.started = float(record.get("started") or time.time())
            elif instance:
                orphans.end(self._home.root, only=instance)
                if self.spec.restart is Restart.NEVER:
                    self.message = _ended(None)
                    self.state = State.FAILED
                    return
        self._supervision = asyncio.create_task(self._supervise(pid), name=f"supervise {self.spec.name}")

    async def stop(self, *, grace: float | None = None) -> None:
        """Send SIGTERM, after the grace period SIGKILL; then kill remaining descendants."""
        self._stop.set()
        supervision = self._supervision
        if self.pid is not None and supervision is not None:
            self.state, self.ready = State.STOPPING, False
            with suppress(OSError):
                os.kill(self.pid, signal.SIGTERM)
            _, pending = await asyncio.wait(
                [supervision], timeout=self.spec.grace if grace is None else grace
            )
            if pending:
                _kill_group(self.pid)
        if supervision is not None:
            await supervision
        self._record.unlink(missing_ok=True)

    async def ended(self) -> None:
        """Wait until the process has exited and will not be restarted."""
        if self._supervision is not None:
            await asyncio.wait([self._supervision])

    async def turned(self, pid: int | None) -> None:
        """Wait until the child with this pid has ended."""
        while self.pid == pid and pid is not None:
            self._ended = self._ended or asyncio.Event()
            await self._ended.wait()

    def end(self) -> None:
        """Terminate the child.

        It is then restarted according to its restart policy (failed liveness probe).
        """
        if self.pid is not None:
            with suppress(OSError):
                os.kill(self.pid, signal.SIGTERM)
            asyncio.get_running_loop().call_later(self.spec.grace, self._kill_if_still, self.pid)

    def _kill_if_still(self, pid: int) -> None:
        if self.pid == pid:
            _kill_group(pid)

    async def _supervise(self, pid: int | None) -> None:
        while pid is not None or not self._stop.is_set():
            if pid is None:
                pid = self._spawn()
            if pid is None:
                code, ran_for = 127, 0.0
            else:
                self.pid, self.state = pid, State.RUNNING
                self._changed()
                code = await self._run(pid)
                ran_for = time.time() - self.started
                orphans.end(self._home.root, only=self.instance)
            self.pid, self.ready, self.exit_code, self._child = None, False, code, None
            if self._ended:
                self._ended.set()
                self._ended = None
            if self._stop.is_set():
                break
            pid = None
            if self.spec.restart is Restart.NEVER or (self.spec.restart is Restart.ON_FAILURE and code == 0):
                break
            self.message = self.message if code == 127 and not ran_for else _ended(code)
            self.state = State.BACKING_OFF
            delay = self._backoff.next(ran_for)
            self._changed()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), delay)
            self.restarts += 1
        self.state = State.SUCCEEDED if self.exit_code == 0 else State.FAILED
        self._changed()

    async def _run(self, pid: int) -> int | None:
        """Wait until the child exits; meanwhile call `check` until it returns True."""
        checking = asyncio.create_task(self._until_ready(pid)) if self._check else None
        try:
            await _exited(pid)
        finally:
            if checking:
                checking.cancel()
        # Until the leader is reaped, its process group ID cannot be reused.
        _kill_group(pid)
        return self._child.wait() if self._child else None

    async def _until_ready(self, pid: int) -> None:
        assert self._check
        while self.pid == pid:
            with suppress(OSError, EOFError, asyncio.IncompleteReadError, TimeoutError):
                if await asyncio.wait_for(self._check(), 5.0):
                    self.ready, self.message = True, ""
                    self._changed()
                    return
            await asyncio.sleep(_CHECK_SECONDS)

    def _spawn(self) -> int | None:
        self.instance = uuid.uuid4().hex
        self.started = time.time()
        for path in self.spec.stale:
            path.unlink(missing_ok=True)
        self._save(None)
        marks = {orphans.ROOT_MARK: str(self._home.root), orphans.INSTANCE_MARK: self.instance}
        try:
            with self.log.open("ab") as log:
                self._child = subprocess.Popen(
                    self.spec.argv,
                    cwd=self.spec.cwd,
                    env={**self.spec.env, **marks},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            self.message = f"could not be started: {error}"
            return None
        self._save(self._child.pid)
        return self._child.pid

    def _save(self, pid: int | None) -> None:
        record = {
            "name": self.spec.name,
            "instance": self.instance,
            "digest": self.spec.digest,
            "pid": pid,
            "started": self.started,
            "restarts": self.restarts,
        }
        # Not synced to disk: a power failure also ends the process.
        with suppress(MachineError):
            write_atomic(self._record, json.dumps(record), durable=False)

    # -- status --------------------------------------------------------------------------------------------

    def sample(self) -> None:
        """Measure CPU and memory; called at a fixed interval, over which `usage` is computed."""
        self._meter.take(None if self.pid is None else measure(self.pid, self.started, time.time()))

    def usage(self) -> Usage | None:
        """Return CPU and memory over the last interval; None if it has not run long enough."""
        return self._meter.usage()

    def usage_now(self) -> tuple[int, float]:
        """Return resident bytes now, and cores over the last interval or since a recent start."""
        point = None if self.pid is None else measure(self.pid, self.started, time.time())
        if point is None:
            return 0, 0.0
        usage = self._meter.usage()
        return point.memory, usage.cpu if usage else point.seconds / max(point.taken - point.started, 1.0)

    def trouble(self) -> list[str]:
        """Return why it is not ready, with the last lines of its log; [] if ready."""
        if self.ready:
            return []
        lines = [f"{self.spec.name}: {self.message or self.state.value} ({self.restarts} restarts)"]
        return lines + [f"  {line}" for line in tail(self.log, 8)]


class Processes:
    """All children by name."""

    def __init__(self, home: Home, changed: Callable[[], None]) -> None:
        self._home = home
        self._changed = changed
        self._processes: dict[str, Process] = {}
        self._leaders = orphans.leaders(home.root)

    def __iter__(self) -> Any:
        return iter(list(self._processes.values()))

    def get(self, name: str) -> Process | None:
        return self._processes.get(name)

    async def ensure(self, spec: ProcessSpec, check: Check | None = None) -> Process:
        """Start or adopt the process of `spec`; replace one with another command or environment."""
        process = self._processes.get(spec.name)
        if process is not None and process.spec.digest != spec.digest:
            await self.stop(spec.name)
            process = None
        if process is None:
            process = Process(spec, self._home, self._changed, check)
            self._processes[spec.name] = process
            process.start(self._leaders)
        return process

    async def stop(self, name: str, *, grace: float | None = None) -> None:
        process = self._processes.get(name)
        if process is not None:
            await process.stop(grace=grace)
            if self._processes.get(name) is process:
                del self._processes[name]

    async def stop_all(self) -> None:
        await asyncio.gather(*(self.stop(name) for name in list(self._processes)))

    def end_orphans(self) -> list[int]:
        """Kill processes marked as this host's that were neither started nor adopted here."""
        spare = frozenset(process.instance for process in self._processes.values())
        for path in self._home.records.glob("*.json"):
            if path.stem not in {slug(name) for name in self._processes}:
                path.unlink(missing_ok=True)
        return orphans.end(self._home.root, spare=spare)


def _ended(code: int | None) -> str:
    if code is None:
        return "exited while no supervisor was running"
    if code < 0:
        with suppress(ValueError):
            return f"ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _kill_group(pid: int) -> None:
    with suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


async def _exited(pid: int) -> None:
    """Wait until the process `pid` has exited, child or not."""
    if not hasattr(os, "pidfd_open"):
        while psutil.pid_exists(pid):  # noqa: ASYNC110 (another process sets no event)
            await asyncio.sleep(0.25)
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
