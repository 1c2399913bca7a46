"""Pod lifecycle: volumes, containers as processes, probes and termination."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.host.component import Context
from rehearsal.host.errors import MachineError
from rehearsal.host.kubernetes.container_env import Identity, environment, expanded
from rehearsal.host.kubernetes.probes import Probe, Target, execute, http_get, until_started
from rehearsal.host.kubernetes.references import MissingError
from rehearsal.host.kubernetes.volumes import Volumes, rewritten
from rehearsal.host.paths import slug
from rehearsal.host.processes.atomic_files import make_folder, read_json, write_atomic
from rehearsal.host.processes.process import Process, ProcessSpec, Restart, State
from rehearsal.host.processes.resource_usage import Usage

_RETRY_SECONDS = 0.5
_REFRESH_SECONDS = 30.0
_CRASHES = 5


@dataclass
class PodRecord:
    """Stored state of a pod, from which the next supervisor continues."""

    name: str
    namespace: str
    owner: str
    revision: str
    template: dict[str, Any]
    created: float
    ports: dict[str, int] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    ready: bool = False
    # Time of the last readiness change, in seconds since the epoch.
    turned: float = 0.0
    initialized: bool = False
    phase: str = "Pending"
    # Whether the pod was scheduled; its requests then count against the node.
    scheduled: bool = False


class Pod:
    """One pod. `changed` is called whenever its readiness or phase may have changed.

    `schedule` places it on the node and returns why that failed, "" on success.
    """

    def __init__(
        self,
        context: Context,
        record: PodRecord,
        changed: Callable[[], None],
        schedule: Callable[[Pod], str] = lambda pod: "",
    ) -> None:
        self._schedule = schedule
        self.record = record
        self.message = ""
        self.terminating = False
        self._context = context
        self._changed = changed
        self._folder = context.home.pods / slug(f"{record.namespace}_{record.name}")
        self._volumes = Volumes(
            self._folder / "volumes", self.spec.get("volumes") or [], record.namespace, context.store
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._main: asyncio.Task[None] | None = None
        self._unready: set[str] = set()
        self._targets: dict[str, Target] = {}

    # -- properties ---------------------------------------------------------------------------------------

    @property
    def spec(self) -> dict[str, Any]:
        return self.record.template.get("spec") or {}

    @property
    def labels(self) -> dict[str, str]:
        return (self.record.template.get("metadata") or {}).get("labels") or {}

    @property
    def containers(self) -> list[dict[str, Any]]:
        return self.spec.get("containers") or []

    @property
    def ready(self) -> bool:
        return self.record.ready and not self.terminating

    @property
    def finished(self) -> bool:
        return self.record.phase in {"Succeeded", "Failed"}

    @property
    def label(self) -> str:
        """Return the name in events, such as `Pod kingdom/api-1`."""
        return f"Pod {self.record.namespace}/{self.record.name}"

    @property
    def occupies_node(self) -> bool:
        """Whether its requests count against the node's allocatable resources."""
        return self.record.scheduled and not self.finished

    def available(self, min_ready_seconds: float) -> bool:
        """Return whether it has been ready for `min_ready_seconds`."""
        return self.ready and time.time() - self.record.turned >= min_ready_seconds

    def processes(self) -> list[Process]:
        found = (self._context.processes.get(self._process(item)) for item in self.containers)
        return [process for process in found if process is not None]

    def container_usage(self) -> dict[str, Usage | None]:
        """Return CPU and memory of each container over the last interval; None if not measured yet."""
        found = {item["name"]: self._context.processes.get(self._process(item)) for item in self.containers}
        return {name: process.usage() if process else None for name, process in found.items()}

    def crashes(self) -> bool:
        """Return whether it exits repeatedly before it becomes ready (crash loop)."""
        return not self.ready and any(process.restarts >= _CRASHES for process in self.processes())

    def trouble(self) -> list[str]:
        """Return why it is not ready, with the last log lines of failing containers."""
        if self.ready:
            return []
        reasons = [f"pod {self.record.namespace}/{self.record.name}: {self.message or self.record.phase}"]
        for item in [*(self.spec.get("initContainers") or []), *self.containers]:
            process = self._context.processes.get(self._process(item))
            reasons += process.trouble() if process else []
        return reasons

    def host_port(self, declared: str | int) -> int | None:
        """Return the local port of a container port, given by number or name."""
        for item in self.containers:
            for port in item.get("ports") or []:
                if declared in {port.get("name"), port["containerPort"], str(port["containerPort"])}:
                    return self.record.ports.get(str(port["containerPort"]))
        return self.record.ports.get(str(declared))

    def _process(self, container: dict[str, Any]) -> str:
        return f"pod/{self.record.namespace}/{self.record.name}/{container['name']}"

    # -- lifecycle ---------------------------------------------------------------------------------------

    def start(self) -> None:
        self._save()
        self._main = asyncio.create_task(self._live(), name=f"pod {self.record.name}")

    def _save(self) -> None:
        make_folder(self._folder)
        with suppress(MachineError):
            write_atomic(self._folder / "pod.json", json.dumps(asdict(self.record)), durable=False)

    async def _await_scheduling(self) -> None:
        """Remain Pending until the pod fits on the node."""
        while not self.record.scheduled:
            rejection = self._schedule(self)
            if rejection:
                self._say(f"Unschedulable: {rejection}")
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self.record.scheduled = True
            self._save()

    async def _live(self) -> None:
        await self._await_scheduling()
        while True:
            try:
                self._take_ports()
                await asyncio.to_thread(self._volumes.refresh)
                if not self.record.initialized:
                    await self._initialize()
                for item in self.containers:
                    await self._run(item)
                break
            except (MissingError, MachineError, OSError, ValueError, KeyError) as error:
                self._say(str(error) if isinstance(error, MissingError | MachineError) else repr(error))
                await asyncio.sleep(_RETRY_SECONDS)
        self._say("")
        self._settle()
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            # As the kubelet does, update mounted ConfigMaps and Secrets periodically.
            with suppress(MissingError, MachineError, OSError):
                await asyncio.to_thread(self._volumes.refresh)

    def _take_ports(self) -> None:
        for item in self.containers:
            for port in item.get("ports") or []:
                number = str(port["containerPort"])
                name = f"pod/{self.record.namespace}/{self.record.name}/{number}"
                self.record.ports[number] = self._context.ports.take(name)

    async def _initialize(self) -> None:
        """Run the init containers sequentially until each succeeds."""
        never = self.spec.get("restartPolicy") == "Never"
        for item in self.spec.get("initContainers") or []:
            policy = Restart.NEVER if never else Restart.ON_FAILURE
            if item.get("restartPolicy") == "Always":
                await self._run(item)
                continue
            process = await self._context.processes.ensure(self._process_spec(item, policy))
            self._say(f"init container {item['name']} is running")
            await process.ended()
            if process.state is State.FAILED:
                self._finish("Failed")
                raise MachineError(f"init container {item['name']} failed")
            await self._context.processes.stop(process.spec.name)
        self.record.initialized = True
        self._save()

    async def _run(self, item: dict[str, Any]) -> None:
        policy, name = Restart(self.spec.get("restartPolicy") or "Always"), item["name"]
        process = await self._context.processes.ensure(self._process_spec(item, policy))
        adopted = process.adopted and name in self.record.started
        if adopted and self.record.ready:
            # It was ready under the previous supervisor; the probes detect if it no longer is.
            process.ready = True
        else:
            self._unready.add(name)
        if not adopted:
            self.record.started = [other for other in self.record.started if other != name]
        self._tasks.append(asyncio.create_task(self._watch(item, process, adopted), name=process.spec.name))

    def _process_spec(self, item: dict[str, Any], restart: Restart) -> ProcessSpec:
        if not item.get("command"):
            raise MachineError(
                f"container {item['name']} has no command: images are not pulled on this host, set `command`"
            )
        mounts = self._volumes.mounts(item)
        ports = {int(number): port for number, port in self.record.ports.items()}
        metadata = self.record.template.get("metadata") or {}
        identity = Identity(
            name=self.record.name,
            namespace=self.record.namespace,
            uid=slug(f"!{self.record.name}")[-8:],
            labels=self.labels,
            annotations=metadata.get("annotations") or {},
            service_account=self.spec.get("serviceAccountName") or "default",
        )
        bundle = str(self._context.authority.bundle)
        variables = environment(item, identity, self._context.store, ports, mounts, bundle)
        words = [*item["command"], *(item.get("args") or [])]
        names = {port["name"]: port["containerPort"] for port in item.get("ports") or [] if port.get("name")}
        self._targets[item["name"]] = Target(ports, names, variables, self._context.project)
        own = [str(port["containerPort"]) for port in item.get("ports") or []]
        return ProcessSpec(
            name=self._process(item),
            kind="pod",
            argv=tuple(rewritten(expanded(str(word), variables), mounts) for word in words),
            cwd=self._context.project,
            env=variables,
            grace=float(self.spec.get("terminationGracePeriodSeconds", 30)),
            restart=restart,
            port=self.record.ports[own[0]] if own else None,
            # An adopted container has the environment with which it was started.
            identity=f"{self.record.name}/{self.record.revision}",
        )

    # -- probes -------------------------------------------------------------------------------------------

    async def _watch(self, item: dict[str, Any], process: Process, adopted: bool) -> None:
        """Run the startup probe, then the readiness and liveness probes, until the process exits.

        Repeat on restart.
        """
        while True:
            while process.state is not State.RUNNING:
                if process.state in {State.SUCCEEDED, State.FAILED}:
                    self._settle()
                    return
                await asyncio.sleep(0.05)
            pid = process.pid
            probing = [asyncio.create_task(probe) for probe in self._probes(item, process, adopted)]
            try:
                while process.pid == pid and process.state is State.RUNNING:
                    await process.turned(pid)
            finally:
                for task in probing:
                    task.cancel()
            adopted = False
            with suppress(ValueError):
                self.record.started.remove(item["name"])
            self._set_ready(item, process, False, "")

    def _probes(
        self, item: dict[str, Any], process: Process, started: bool
    ) -> list[Coroutine[Any, Any, None]]:
        return [self._probe_all(item, process, started)]

    async def _probe_all(self, item: dict[str, Any], process: Process, started: bool) -> None:
        target = self._targets[item["name"]]
        if not started:
            if item.get("startupProbe"):
                problem = await until_started(Probe(item["startupProbe"]), target)
                if problem is not None:
                    self._say(f"container {item['name']}: startup probe failed: {problem}")
                    process.end()
                    return
            self.record.started.append(item["name"])
            self._save()
            if item.get("lifecycle", {}).get("postStart"):
                await self._hook(item, "postStart")
        async with asyncio.TaskGroup() as probes:
            probes.create_task(self._readiness(item, process, target))
            if item.get("livenessProbe"):
                probes.create_task(self._liveness(item, process, target))

    async def _readiness(self, item: dict[str, Any], process: Process, target: Target) -> None:
        if not item.get("readinessProbe"):
            self._set_ready(item, process, True, "")
            return
        probe = Probe(item["readinessProbe"])
        await asyncio.sleep(probe.delay if not process.ready else 0)
        eager = not process.ready
        while True:
            problem = await probe.check(target)
            passed = True if eager and problem is None else probe.count(problem)
            if passed is not None:
                eager = eager and not passed
                text = "" if passed else f"container {item['name']}: readiness probe failed: {problem}"
                self._set_ready(item, process, passed, text)
            elif problem and eager:
                self._say(f"container {item['name']}: not ready yet: {problem}")
            await asyncio.sleep(min(0.2, probe.period) if eager else probe.period)

    async def _liveness(self, item: dict[str, Any], process: Process, target: Target) -> None:
        probe = Probe(item["livenessProbe"])
        await asyncio.sleep(probe.delay)
        while True:
            problem = await probe.check(target)
            if probe.count(problem) is False:
                self._say(f"container {item['name']}: liveness probe failed: {problem}; restarted")
                process.end()
                return
            await asyncio.sleep(probe.period)

    def _set_ready(self, item: dict[str, Any], process: Process, ready: bool, message: str) -> None:
        process.ready = ready
        before = set(self._unready)
        (self._unready.discard if ready else self._unready.add)(item["name"])
        if before != self._unready or message:
            self._say(message)
            self._settle()

    def _say(self, message: str) -> None:
        if message != self.message:
            self.message = message
            self._changed()

    def _settle(self) -> None:
        """Set phase and readiness from the container states."""
        processes = self.processes()
        ready = len(processes) == len(self.containers) > 0 and not self._unready
        if ready != self.record.ready:
            self.record.ready = ready
            self.record.turned = time.time()
        phase = "Running" if processes else "Pending"
        if processes and all(process.state in {State.SUCCEEDED, State.FAILED} for process in processes):
            succeeded = all(process.state is State.SUCCEEDED for process in processes)
            phase = "Succeeded" if succeeded else "Failed"
        self._finish(phase)

    def _finish(self, phase: str) -> None:
        self.record.phase = phase
        if phase in {"Succeeded", "Failed"} and self.record.ready:
            self.record.ready = False
            self.record.turned = time.time()
        self._save()
        self._changed()

    # -- termination -------------------------------------------------------------------------------------

    async def _hook(self, item: dict[str, Any], name: str) -> None:
        action = ((item.get("lifecycle") or {}).get(name)) or {}
        target = self._targets.get(item["name"])
        if target is None:
            return
        if "sleep" in action:
            await asyncio.sleep(float(action["sleep"]["seconds"]))
        elif "exec" in action:
            await execute(action["exec"]["command"], target)
        elif "httpGet" in action:
            with suppress(OSError, ValueError, IndexError):
                await http_get(action["httpGet"], target)

    async def end(self, *, grace: float | None = None) -> None:
        """Terminate: preStop, SIGTERM, grace period, SIGKILL.

        Then delete the folder and release the ports.
        """
        self.terminating = True
        self._changed()
        if self._main:
            self._main.cancel()
        total = float(self.spec.get("terminationGracePeriodSeconds", 30)) if grace is None else grace
        await asyncio.gather(*(self._end_container(item, total) for item in self.containers))
        for item in reversed(self.spec.get("initContainers") or []):
            await self._context.processes.stop(self._process(item), grace=total)
        for task in self._tasks:
            task.cancel()
        prefix = f"pod/{self.record.namespace}/{self.record.name}/"
        self._context.ports.release(self._context.ports.named(prefix))
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _end_container(self, item: dict[str, Any], grace: float) -> None:
        began = time.monotonic()
        if item.get("lifecycle"):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hook(item, "preStop"), grace)
        # As in Kubernetes, the hook's time counts towards the grace period, with a minimum of two seconds
        # left.
        left = max(min(2.0, grace), grace - (time.monotonic() - began))
        await self._context.processes.stop(self._process(item), grace=left)

    def detach(self) -> None:
        """Stop managing the pod; its processes continue."""
        for task in [*self._tasks, *([self._main] if self._main else [])]:
            task.cancel()


def load(folder: Path) -> list[PodRecord]:
    """Load the pods of an earlier supervisor. A pod with a damaged file is dropped.

    Its processes become orphans.
    """
    found = []
    for path in sorted(folder.glob("*/pod.json")):
        try:
            found.append(PodRecord(**read_json(path)))
        except (MachineError, TypeError, OSError) as error:
            print(f"{path} is damaged ({error}): the pod is created again", flush=True)
            shutil.rmtree(path.parent, ignore_errors=True)
    return found
