"""Daemon that owns the processes of one stack's host.

A file lock allows one supervisor per root. It runs in its own session and writes to a log. When it is killed,
its children keep running and the next supervisor adopts them. SIGTERM and the request `stop` stop all
processes.

Run as ``python -m rehearsal.host.supervisor ROOT STACK PROJECT EDGE_PORT WEB_APP``;
`client.Machine.ensure` does so. It prints a single JSON line: ``{"ready": true}`` or ``{"error":
[reasons]}``.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rehearsal.host import rpc
from rehearsal.host.backends.mongodb import MongoDB
from rehearsal.host.backends.redis import Redis
from rehearsal.host.backends.storage import Storage
from rehearsal.host.backends.web_app import WebApp
from rehearsal.host.backups import SCHEDULE, Backup, Backups, BackupSchedule
from rehearsal.host.code_version import version
from rehearsal.host.component import READY, Component, Context, Readiness
from rehearsal.host.desired_state import Desired, DesiredStore
from rehearsal.host.envoy.certificate_authority import Authority
from rehearsal.host.envoy.configuration import Traffic
from rehearsal.host.envoy.process import Envoy
from rehearsal.host.errors import MachineError
from rehearsal.host.kubernetes.controllers import Workloads
from rehearsal.host.options import MachineOptions
from rehearsal.host.paths import Home
from rehearsal.host.processes.atomic_files import write_atomic
from rehearsal.host.processes.log_files import delete_old_logs, rotate
from rehearsal.host.processes.ports import Ports, require_free
from rehearsal.host.processes.process import Process, Processes, State
from rehearsal.host.processes.resource_usage import RESOLUTION_SECONDS
from rehearsal.host.status import EventStatus, HostStatus, ProcessStatus

_HOUSEKEEPING_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_SHOWN_EVENTS = 30
_RESTORED_SECONDS = 120.0
_DATA_KINDS = frozenset({"mongodb", "redis", "storage"})


class Supervisor:
    """Reconcile desired objects and running processes whenever either changes."""

    def __init__(self, home: Home, stack: str, options: MachineOptions, project: Path) -> None:
        self._home = home
        self._stack = stack
        self._dirty = asyncio.Event()
        self._ended = asyncio.Event()
        self._keep_children = False
        self._rounds = 0
        self._errors: dict[str, list[str]] = {}
        self._stores = asyncio.Lock()  # held while backends are started or their data is copied
        self._backups = Backups(home.backups, home.data)
        self._context = Context(
            home=home,
            options=options,
            project=project,
            store=DesiredStore(home.objects),
            ports=Ports(home.ports),
            authority=Authority(home.authority),
            processes=Processes(home, self._dirty.set),
        )
        self._envoy = Envoy(self._context)
        self._workloads = Workloads(self._context, self._dirty.set)
        redis, mongodb, storage = Redis(self._context), MongoDB(self._context), Storage(self._context)
        web_app = WebApp(self._context)
        self._backends = (redis, mongodb, storage, web_app)
        self._traffic = Traffic(self._context, self._envoy, self._backends, self._workloads, web_app)
        self._components: tuple[Component, ...] = (*self._backends, self._workloads, self._traffic)

    async def run(self) -> None:
        """Run until `stop` or SIGTERM. The first line on stdout is written by `main`."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ended.set)
        self._workloads.load()
        self._home.socket.unlink(missing_ok=True)
        server = await rpc.serve(self._home.socket, self._handle)
        _report({"ready": True, "pid": os.getpid()})
        tasks = [asyncio.create_task(self._reconcile()), asyncio.create_task(self._maintain())]
        tasks += [asyncio.create_task(self._measure()), asyncio.create_task(self._workloads.autoscale())]
        await self._ended.wait()
        for task in tasks:
            task.cancel()
        server.close()
        self._home.socket.unlink(missing_ok=True)
        if not self._keep_children:
            await self._workloads.close()
            await self._context.processes.stop_all()
            self._context.processes.end_orphans()

    async def _reconcile(self) -> None:
        self._dirty.set()
        swept = False
        while True:
            await self._dirty.wait()
            await asyncio.sleep(0.01)  # debounce: changes come in bursts
            self._dirty.clear()
            async with self._stores:
                await asyncio.gather(
                    self._attempt("envoy", self._envoy.start),
                    *(self._sync(component) for component in self._backends),
                )
            await self._sync(self._workloads)
            await self._sync(self._traffic)
            self._rounds += 1
            if not swept:
                await self._attempt("orphans", self._end_orphans)
                swept = "orphans" not in self._errors

    async def _end_orphans(self) -> None:
        self._context.processes.end_orphans()

    async def _sync(self, component: Component) -> None:
        await self._attempt(type(component).__name__, component.sync)

    async def _attempt(self, name: str, step: Any) -> None:
        try:
            await step()
            self._errors.pop(name, None)
        except MachineError as error:
            self._retry_later(name, error.reasons)
        except OSError as error:
            self._retry_later(name, [f"{name}: {error}"])
        except Exception:
            traceback.print_exc()
            self._retry_later(name, [f"{name} failed unexpectedly: see {self._home.supervisor_log}"])

    def _retry_later(self, name: str, reasons: list[str]) -> None:
        if self._errors.get(name) != reasons:
            print(_now(), name, *reasons, flush=True)
        self._errors[name] = reasons
        asyncio.get_running_loop().call_later(1.0, self._dirty.set)

    async def _measure(self) -> None:
        """Sample CPU and memory of every process, as metrics-server does."""
        while True:
            for process in self._context.processes:
                await asyncio.to_thread(process.sample)
            await asyncio.sleep(RESOLUTION_SECONDS)

    async def _maintain(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)
            for path in self._home.logs.glob("*.log"):
                await asyncio.to_thread(rotate, path)
            delete_old_logs(self._home.logs, {process.log for process in self._context.processes})
            await self._attempt("backups", self._back_up)
            self._dirty.set()  # also renews certificates that are due

    # -- backups ------------------------------------------------------------------------------------------

    def _servers(self) -> list[Process]:
        """Return the processes that have data."""
        return [process for process in self._context.processes if process.spec.kind in _DATA_KINDS]

    async def _back_up(self) -> None:
        """Create backups according to the declared schedule."""
        for desired in self._context.store.of_type(SCHEDULE):
            schedule, now = BackupSchedule.parse(desired), time.time()
            if schedule is not None:
                if self._backups.is_due(schedule, now):
                    await self._do_create_backup()
                await asyncio.to_thread(self._backups.prune, schedule.retention, now)

    async def _do_create_backup(self) -> dict[str, Any]:
        async with self._stores:
            groups = [process.pid for process in self._servers() if process.pid is not None]
            return asdict(await asyncio.to_thread(self._backups.create, groups))

    async def _do_restore_backup(self, name: str, moment: float | None) -> dict[str, Any]:
        backup = self._backups.find(name) if moment is None else self._backups.before(moment)
        await self._restore(backup)
        ends = time.monotonic() + _RESTORED_SECONDS
        while waiting := await self._do_waiting():
            if time.monotonic() > ends:
                raise MachineError(
                    [f"the backup {backup.name} is restored, but not all objects are ready", *waiting]
                )
            await asyncio.sleep(_LOOK_SECONDS)
        return asdict(backup)

    async def _restore(self, backup: Backup) -> None:
        """Stop the servers and replace their data; the next reconciliation starts them."""
        async with self._stores:
            servers = [process.spec.name for process in self._servers()]
            await asyncio.gather(*(self._context.processes.stop(server, grace=0.0) for server in servers))
            await asyncio.to_thread(self._backups.restore, backup)
        self._dirty.set()
        await self._two_rounds()

    # -- requests -----------------------------------------------------------------------------------------

    async def _handle(self, method: str, params: dict[str, Any]) -> Any:
        try:
            return await getattr(self, f"_do_{method}")(**params)
        except MachineError:
            raise
        except Exception as error:
            traceback.print_exc()
            raise MachineError(
                f"the supervisor failed at {method} ({error!r}): see {self._home.supervisor_log}"
            ) from error

    async def _do_hello(self) -> dict[str, Any]:
        if self._ended.is_set():
            raise MachineError("the supervisor is stopping")
        return {
            "pid": os.getpid(),
            "stack": self._stack,
            "edge_port": self._context.options.edge_port,
            "web_app": self._context.options.web_app,
            "project": str(self._context.project),
            "version": version(),
        }

    async def _do_apply(self, urn: str, type_: str, id_: str, inputs: dict[str, Any], seconds: float) -> Any:
        desired = Desired(urn, type_, id_, inputs)
        known = self._context.store.get(urn, id_)
        if known is None or known.inputs != inputs:
            self._workloads.admit_object(desired)
            await asyncio.to_thread(self._context.store.put, desired)
            self._dirty.set()
        component = self._component_of(desired)
        if component is None:
            return READY.outputs
        if component is self._workloads:
            self._workloads.await_progress()
        readiness = await self._wait(desired, component, seconds)
        return readiness.outputs

    def _component_of(self, desired: Desired) -> Component | None:
        for component in self._components:
            if desired.type in component.types or (desired.is_kubernetes and desired.kind in component.types):
                return component
        return None

    async def _wait(self, desired: Desired, component: Component, seconds: float) -> Readiness:
        ends = time.monotonic() + seconds
        await self._two_rounds()
        readiness = Readiness(ready=False)
        while True:
            if self._context.store.get(desired.urn, desired.id) is None:
                raise MachineError(f"{desired.label} was deleted before it became ready")
            readiness = await component.readiness(desired)
            if readiness.ready:
                waiting = await self._traffic.settled(desired)
                if not waiting:
                    return readiness
                readiness = Readiness(ready=False, reasons=waiting)
            if readiness.failed or time.monotonic() > ends:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        problem = "failed" if readiness.failed else f"was not ready after {seconds:g} s"
        errors = [reason for reasons in self._errors.values() for reason in reasons]
        raise MachineError([f"{desired.label} {problem}", *readiness.reasons, *errors])

    async def _two_rounds(self) -> None:
        """Wait for two reconciliations: the current one may have read the store before the last change."""
        seen = self._rounds
        while self._rounds < seen + 2:
            self._dirty.set()
            await asyncio.sleep(0.01)

    async def _do_delete(self, urn: str, type_: str, id_: str) -> None:
        desired = await asyncio.to_thread(self._context.store.remove, urn, id_)
        if desired is None:
            return
        await self._two_rounds()
        while not self._workloads.is_deleted(desired):  # noqa: ASYNC110 (no single event ends this wait)
            await asyncio.sleep(0.02)

    async def _do_read(self, urn: str, type_: str, id_: str) -> Any:
        desired = self._context.store.get(urn, id_)
        if desired is None:
            return None
        component = self._component_of(desired)
        return (await component.readiness(desired)).outputs if component else READY.outputs

    async def _do_waiting(self) -> list[str]:
        """Return the objects that are not ready, and pods that Envoy does not reach yet; [] if none."""
        if not self._rounds:
            return ["the supervisor has just started"]
        found = [reason for reasons in self._errors.values() for reason in reasons]
        for desired in self._context.store:
            component = self._component_of(desired)
            readiness = await component.readiness(desired) if component else READY
            if not readiness.ready:
                found += [f"{desired.label}: {reason}" for reason in readiness.reasons or ["not ready"]]
        return [*found, *await self._traffic.waiting()]

    async def _do_configure(self, edge_port: int, web_app: str) -> None:
        if web_app != self._context.options.web_app:
            object.__setattr__(self._context.options, "web_app", web_app)
            self._dirty.set()
        if edge_port != self._context.options.edge_port:
            require_free(edge_port, "rehearsal:machine.edgePort")
            object.__setattr__(self._context.options, "edge_port", edge_port)
            self._dirty.set()

    async def _do_status(self) -> dict[str, Any]:
        processes = []
        for process in self._context.processes:
            memory, cpu = process.usage_now()
            processes.append(
                ProcessStatus(
                    name=process.spec.name,
                    kind=process.spec.kind,
                    state=process.state.value,
                    ready=process.ready or process.state is State.SUCCEEDED,
                    pid=process.pid,
                    restarts=process.restarts,
                    port=process.spec.port,
                    memory=memory,
                    cpu=round(cpu, 4),
                    message=process.message,
                )
            )
        errors = [reason for reasons in self._errors.values() for reason in reasons]
        return HostStatus(
            stack=self._stack,
            processes=sorted(processes, key=lambda status: (status.kind, status.name)),
            endpoints=self._traffic.endpoints(),
            autoscalers=self._workloads.autoscalers(),
            events=[EventStatus(**asdict(event)) for event in self._workloads.events.recent(_SHOWN_EVENTS)],
            notes=[*errors, *self._workloads.problems(), *self._traffic.notes(), *self._workloads.notes()],
        ).to_json()

    async def _do_autoscaler_trace(self, name: str) -> dict[str, Any]:
        found = self._workloads.autoscaler_trace(name)
        if found is None:
            names = ", ".join(item.name for item in self._workloads.autoscalers()) or "none"
            raise MachineError(f"autoscaler {name!r} does not exist; existing autoscalers: {names}")
        return found

    async def _do_stop(self) -> None:
        self._ended.set()

    async def _do_hand_over(self) -> None:
        """Exit and leave the children to the next supervisor."""
        self._keep_children = True
        self._ended.set()


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _report(message: dict[str, Any]) -> None:
    """Print the result for the process that started this one; later output goes to the log."""
    with suppress(OSError):
        os.write(1, json.dumps(message).encode() + b"\n")
    os.dup2(2, 1)


def _lock(home: Home) -> int | None:
    """Return a descriptor that holds the lock; None if another supervisor holds it."""
    descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(descriptor, False)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def main() -> None:
    root, stack, project, edge_port, web_app = sys.argv[1:6]
    home = Home(Path(root))
    try:
        home.make()
        descriptor = _lock(home)
        if descriptor is None:
            _report({"running": True})
            return
        options = MachineOptions(edge_port=int(edge_port), web_app=web_app)
        write_atomic(home.options, json.dumps({"stack": stack, "edge_port": int(edge_port)}))

        async def live() -> None:
            await Supervisor(home, stack, options, Path(project)).run()

        asyncio.run(live())
    except MachineError as error:
        _report({"error": error.reasons})
        sys.exit(1)
    except Exception as error:
        traceback.print_exc()
        _report({"error": [f"the supervisor could not start ({error!r}): see {home.supervisor_log}"]})
        sys.exit(1)


if __name__ == "__main__":
    main()
