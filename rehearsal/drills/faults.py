"""Faults that a drill injects into a platform on this machine, and their removal.

A fault is a context manager: it is active during the block, and leaving the block undoes everything that does
not end by itself. Faults affect the processes of one stack only, selected by process id.
"""

from __future__ import annotations

import copy
import importlib.util
import os
import random
import resource
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from rehearsal.host.client import Machine
from rehearsal.host.desired_state import Desired
from rehearsal.host.errors import MachineError
from rehearsal.host.status import ProcessStatus

# A rollout that can never become ready is given up after this long.
_ROLLOUT_SECONDS = 20.0
_RESTORED_SECONDS = 120.0
_ZONES = 3
HANG_SECONDS = 30.0


class FaultError(Exception):
    """A fault that cannot be injected here; the message states the reason."""


@dataclass(frozen=True)
class Platform:
    """The running platform that faults are injected into.

    `rng` selects the affected processes; a dependency hangs for `hang_seconds`.
    """

    machine: Machine
    rng: random.Random
    hang_seconds: float = HANG_SECONDS

    def processes(self, kind: str, name: str = "") -> list[ProcessStatus]:
        """Return the running processes of a kind whose name contains `name`, sorted by name."""
        return sorted(
            (
                item
                for item in self.machine.status().processes
                if item.kind == kind and name in item.name and item.pid
            ),
            key=lambda item: item.name,
        )

    def replicas(self, role: str) -> list[ProcessStatus]:
        """Return the ready replicas of a role. Raises FaultError if there are none."""
        found = [item for item in self.processes("pod", f"/{role}-") if item.ready]
        if not found:
            raise FaultError(f"no replica of {role} is ready: wait until `kingdom status` shows one")
        return found

    def one(self, kind: str, name: str = "") -> ProcessStatus:
        """Return the first process of a kind. Raises FaultError if there is none."""
        found = self.processes(kind, name)
        if not found:
            raise FaultError(f"no process of kind {kind} runs: the stack must be up")
        return found[0]

    def deployment(self, role: str) -> Desired:
        """Return the Deployment of a role as it was applied. Raises FaultError."""
        for desired in self.machine.desired():
            if desired.is_kubernetes and desired.kind == "Deployment" and desired.name == role:
                return desired
        raise FaultError(f"no Deployment {role} is declared: the stack must be up")


Fault = Callable[[Platform], AbstractContextManager[None]]


def _signal(item: ProcessStatus, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(item.pid or 0, number) if item.pid else None


def _kill(items: Sequence[ProcessStatus]) -> None:
    for item in items:
        _signal(item, signal.SIGKILL)


# -- replicas ---------------------------------------------------------------------------------------------


@contextmanager
def replica_killed(platform: Platform) -> Iterator[None]:
    """Send SIGKILL to one replica of `api`."""
    _kill([platform.rng.choice(platform.replicas("api"))])
    yield


@contextmanager
def zone_lost(platform: Platform) -> Iterator[None]:
    """Send SIGKILL to every replica in one of three zones: every third replica of each role."""
    zone = platform.rng.randrange(_ZONES)
    for role in ("api", "worker"):
        replicas = platform.replicas(role)
        _kill(replicas[zone % min(_ZONES, len(replicas)) :: _ZONES])
    yield


@contextmanager
def replica_hung(platform: Platform) -> Iterator[None]:
    """Send SIGSTOP to one replica of `api` until its liveness probe restarts it, for at most 45 s."""
    victim = platform.rng.choice(platform.replicas("api"))
    _signal(victim, signal.SIGSTOP)
    try:
        _wait(lambda: not _is_stopped(victim), 45.0)
        yield
    finally:
        if _is_stopped(victim):
            _signal(victim, signal.SIGCONT)


@contextmanager
def origin_lost(platform: Platform) -> Iterator[None]:
    """Make one origin behind the edge refuse connections for 15 s by killing its replica on each restart."""
    name = platform.rng.choice(platform.replicas("api")).name
    with _repeatedly(lambda: _kill([i for i in platform.processes("pod") if i.name == name]), 0.3):
        time.sleep(15.0)
    yield


# -- dependencies -----------------------------------------------------------------------------------------


@contextmanager
def redis_failover(platform: Platform) -> Iterator[None]:
    """Send SIGKILL to Redis: like a failover, it closes every connection and loses no acknowledged data."""
    _kill([platform.one("redis")])
    yield


@contextmanager
def database_restart(platform: Platform) -> Iterator[None]:
    """Send SIGKILL to the database: like a step-down, every connection and open transaction is lost."""
    _kill([_database(platform)])
    yield


def _database(platform: Platform) -> ProcessStatus:
    servers = [item for item in platform.processes("mongodb") if not item.name.endswith("/proxy")]
    if not servers:
        raise FaultError("no database server runs: the stack must be up")
    return servers[0]


@contextmanager
def storage_errors(platform: Platform) -> Iterator[None]:
    """Kill the object storage on each restart, for 10 s."""
    with _repeatedly(lambda: _kill(platform.processes("storage")), 0.3):
        time.sleep(10.0)
    yield


@contextmanager
def database_hung(platform: Platform) -> Iterator[None]:
    """Suspend the database server and its proxy: connections stay open, and nothing responds."""
    with _hung(platform, "mongodb"):
        yield


@contextmanager
def redis_hung(platform: Platform) -> Iterator[None]:
    """Suspend Redis: connections stay open, and nothing responds."""
    with _hung(platform, "redis"):
        yield


@contextmanager
def storage_hung(platform: Platform) -> Iterator[None]:
    """Suspend the object storage: connections stay open, and nothing responds."""
    with _hung(platform, "storage"):
        yield


@contextmanager
def _hung(platform: Platform, kind: str) -> Iterator[None]:
    """Send SIGSTOP to every process of a kind, and SIGCONT after `hang_seconds`. Raises FaultError."""
    platform.one(kind)
    victims = platform.processes(kind)
    try:
        for victim in victims:
            _signal(victim, signal.SIGSTOP)
        time.sleep(platform.hang_seconds)
        yield
    finally:
        for victim in victims:
            _signal(victim, signal.SIGCONT)


@contextmanager
def slow_dependency(platform: Platform) -> Iterator[None]:
    """Suspend the database for 200 of every 250 ms, for 15 s."""
    victim = _database(platform)
    try:
        ends = time.monotonic() + 15.0
        while time.monotonic() < ends:
            _signal(victim, signal.SIGSTOP)
            time.sleep(0.2)
            _signal(victim, signal.SIGCONT)
            time.sleep(0.05)
        yield
    finally:
        _signal(victim, signal.SIGCONT)


@contextmanager
def disk_full(platform: Platform) -> Iterator[None]:
    """Prevent the object storage from writing, for 15 s, by a maximum file size of zero."""
    victim = platform.one("storage")
    process = psutil.Process(victim.pid)
    if not hasattr(process, "rlimit"):
        raise FaultError("limits of another process can be set on Linux only")
    before = process.rlimit(resource.RLIMIT_FSIZE)
    process.rlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        time.sleep(15.0)
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            process.rlimit(resource.RLIMIT_FSIZE, before)


# -- rollouts -----------------------------------------------------------------------------------


def with_environment(desired: Desired, variables: dict[str, str]) -> dict[str, Any]:
    """Return the inputs of a Deployment with these environment variables in every container."""
    inputs = copy.deepcopy(desired.inputs)
    for container in inputs["spec"]["template"]["spec"]["containers"]:
        others = [item for item in container.get("env") or [] if item["name"] not in variables]
        container["env"] = others + [{"name": name, "value": value} for name, value in variables.items()]
    return inputs


def _apply(platform: Platform, desired: Desired, inputs: dict[str, Any], seconds: float) -> None:
    platform.machine.apply(desired.urn, desired.type, desired.id, inputs, timeout=seconds)


@contextmanager
def bad_configuration(platform: Platform) -> Iterator[None]:
    """Apply a revision of `api` with an invalid configuration: its rollout must stop, and is then undone."""
    desired = platform.deployment("api")
    try:
        try:
            _apply(
                platform, desired, with_environment(desired, {"KINGDOM_LOG_LEVEL": "loud"}), _ROLLOUT_SECONDS
            )
        except MachineError:
            yield
        else:
            raise FaultError("the rollout of an invalid configuration became ready")
    finally:
        _apply(platform, desired, desired.inputs, _RESTORED_SECONDS)


@contextmanager
def clock_skew(platform: Platform) -> Iterator[None]:
    """Apply a revision of `api` whose clock is two minutes fast, for 15 s."""
    library = _libfaketime()
    desired = platform.deployment("api")
    variables = {"LD_PRELOAD": str(library), "FAKETIME": "+120s", "DONT_FAKE_MONOTONIC": "1"}
    try:
        _apply(platform, desired, with_environment(desired, variables), _RESTORED_SECONDS)
        time.sleep(15.0)
        yield
    finally:
        _apply(platform, desired, desired.inputs, _RESTORED_SECONDS)


def _libfaketime() -> Path:
    """Return the library that shifts the clock of a process when it is preloaded. Raises FaultError."""
    package = importlib.util.find_spec("libfaketime")
    if package is None or package.origin is None:
        raise FaultError("the drill clock-skew needs libfaketime, for Linux on x86_64 only")
    found = sorted((Path(package.origin).parent / "vendor").rglob("libfaketime.so.*"))
    if not found:
        raise FaultError(f"libfaketime at {Path(package.origin).parent} holds no shared library")
    return found[0]


# -- data -------------------------------------------------------------------------------------------------


@contextmanager
def volume_lost(platform: Platform) -> Iterator[None]:
    """Delete the database's volume and restore it from a backup that is created before."""
    folder = platform.machine.data_folder("mongodb")
    victim = _database(platform)
    shutil.rmtree(folder)
    _signal(victim, signal.SIGKILL)
    platform.machine.restore_backup()
    yield


# -- helpers ----------------------------------------------------------------------------------------------


def _is_stopped(item: ProcessStatus) -> bool:
    try:
        return bool(psutil.Process(item.pid).status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False


def _wait(holds: Callable[[], bool], seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.1)
    return True


@contextmanager
def _repeatedly(action: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call `action` at once and then periodically, in a thread, during the block."""
    enough = threading.Event()

    def run() -> None:
        while not enough.is_set():
            with suppress(MachineError):
                action()
            enough.wait(seconds)

    thread = threading.Thread(target=run, name="fault", daemon=True)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
