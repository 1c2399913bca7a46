"""Session of one command on one stack: connects store, providers, policy pack and machine."""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, Final

from rehearsal.engine.events import Diagnostic, Listener, Result, Silent
from rehearsal.engine.operations import Operation, Program
from rehearsal.engine.state.resource_state import ResourceState, Snapshot
from rehearsal.engine.state.secrets import passphrase, stored_passphrase
from rehearsal.engine.state.store import Store
from rehearsal.engine.targets import ALL, Targets
from rehearsal.errors import KingdomError
from rehearsal.host.client import Machine
from rehearsal.host.options import MachineOptions
from rehearsal.host.status import HostStatus
from rehearsal.policy.pack import PolicyPack
from rehearsal.policy.pack_info import PackInfo
from rehearsal.policy.pack_process import PackContext, PackProcess
from rehearsal.pulumi import type_check
from rehearsal.pulumi.project import STATE_FOLDER, Project, Stack, with_policy_config
from rehearsal.pulumi.stack_outputs import StackOutputs
from rehearsal.pulumi.urn import name_of

READY_TIMEOUT: Final = 120.0  # seconds from the last resource until all processes are ready


@dataclass(frozen=True)
class Evaluation:
    """A plan's `result`, or the `error` that prevented it, and the pack; None if it did not start."""

    result: Result | None
    error: KingdomError | None
    pack: PackInfo | None


class Session:
    """Stack `name` of `project`, for one operation.

    `policies` is the folder of the policy pack; None for none. `state` is the folder of the state, by default
    that of the project; another folder is temporary and has a random passphrase of its own. `policy_config`
    replaces the ``policies:`` keys of the stack file for the pack. `pack_process` is the pack's process where
    one was started before (`start_pack`).
    """

    def __init__(
        self,
        project: Project,
        name: str,
        *,
        policies: Path | None,
        state: Path | None = None,
        policy_config: Mapping[str, str] | None = None,
        pack_process: PackProcess | None = None,
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.project = project
        self.stack: Stack = project.stack(name)
        self.folder = state or project.state_folder(name)
        self._temporary = state is not None
        self._secrets = state or project.root / STATE_FOLDER
        self._policies = policies
        self._policy_config = policy_config
        self._pack_process = pack_process
        self.options = None if self.stack.machine is None else MachineOptions.from_config(self.stack.machine)
        self.notice = notice
        if warning := self.stack.empty_keys():
            notice(warning)
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        if self._store is None:
            environment = dict(os.environ)  # a program can change the variables of this process
            self._store = (
                Store(self.folder, lambda new: stored_passphrase(self._secrets, new=new), temporary=True)
                if self._temporary
                else Store(
                    self.folder, lambda new: passphrase(self._secrets, new=new, environment=environment)
                )
            )
        return self._store

    def preview(self, listener: Listener, *, targets: Targets = ALL, refresh: bool | None = None) -> Result:
        """Plan an update of `targets` and evaluate the policy pack. Changes nothing.

        With `refresh`, the plan starts from the values that the rehearsal clouds have; by default, the
        project decides (``options.refresh``), as in `up` and `down`.
        """
        with self._pack(dry_run=True) as pack:
            return self._previewed(listener, pack, targets=targets, refresh=refresh)

    def compare(self, listener: Listener, other: Session) -> tuple[Evaluation, Evaluation]:
        """Plan an update once and evaluate it with two packs: this session's and that of `other`.

        `other` is the same stack with another pack or configuration. It has a plan of its own where its pack
        has an effect on the plan, or this session's has, or where this plan fails.
        """
        with self._started() as ours, other._started() as theirs:
            first = _evaluation(ours, lambda pack: self._previewed(listener, pack, compared=theirs))
            if first.result is not None and (same := first.result.compared) is not None:
                second = _evaluation(theirs, lambda pack: same)
                return replace(first, result=replace(first.result, compared=None)), second
            return first, _evaluation(theirs, lambda pack: other._previewed(Silent(), pack))

    @contextlib.contextmanager
    def _started(self) -> Iterator[PolicyPack | KingdomError]:
        with contextlib.ExitStack() as stack:
            started: PolicyPack | KingdomError
            try:
                pack = stack.enter_context(self._pack(dry_run=True))
                assert pack is not None
                started = pack
            except KingdomError as error:
                started = error
            yield started

    def _previewed(
        self,
        listener: Listener,
        pack: PolicyPack | None,
        *,
        compared: PolicyPack | KingdomError | None = None,
        targets: Targets = ALL,
        refresh: bool | None = None,
    ) -> Result:
        self._check_program()
        refresh = self.project.refresh if refresh is None else refresh
        machine = self.machine() if refresh else None
        operation = self._operation(listener, machine, pack, targets=targets)
        if isinstance(compared, PolicyPack):
            operation.compared = compared
        return operation.preview(refresh=refresh)

    def plan_from_nothing(self) -> Result:
        """Plan the stack without a state. Uses neither machine nor policy pack, and leaves nothing on disk.

        Raises KingdomError with the errors of a plan that fails.
        """
        with tempfile.TemporaryDirectory(prefix="kingdom-") as folder:
            store = Store(Path(folder), secrets.token_hex(), temporary=True)
            plan = self._operation(Silent(), None, None, store).preview()
        if not plan.ok:
            raise KingdomError(
                f"{self.stack.name} cannot be planned from nothing",
                details=[_described(error) for error in plan.errors],
            )
        return plan

    def rehearse(self, listener: Listener) -> tuple[Result, Result]:
        """Plan and create the stack in temporary clouds; return the plan and the result.

        All values are known in the result. Uses neither machine nor policy pack, and leaves nothing on disk.
        """
        with tempfile.TemporaryDirectory(prefix="kingdom-") as folder:
            store = Store(Path(folder), secrets.token_hex(), temporary=True)
            plan = self._operation(Silent(), None, None, store).preview()
            operation = self._operation(listener, None, None, store)
            with store.lock(f"rehearse --stack {self.stack.name}"), _interruptible(operation, self.notice):
                return plan, operation.update()

    def require_first_deployment(self, former: Sequence[ResourceState] = ()) -> None:
        """Rehearse the stack from nothing in new accounts. Raises KingdomError with the obstacles.

        `former` are the resources of an earlier deployment to the same project, whose names may stay taken.
        """
        from rehearsal.providers.fresh_project import FreshProject, obstacles

        plan, created = self.rehearse(Silent())
        if not plan.ok:
            raise KingdomError(
                f"{self.stack.name} cannot be planned from nothing",
                details=[_described(error) for error in plan.errors],
            )
        project = FreshProject.of_stack(self.stack.config).after(former)
        found = obstacles(project, plan.snapshot.resources, created.snapshot.resources)
        if found:
            raise KingdomError(
                f"the first deployment of {self.stack.name} to a new project would fail or not settle:",
                details=[str(one) for one in found],
                remedy="docs/runbooks/first-deployment.md describes what has to be done before it.",
            )

    def up(
        self,
        listener: Listener,
        planned: Callable[[Result], bool],
        *,
        targets: Targets = ALL,
        refresh: bool | None = None,
        waiting_for: Callable[[Sequence[str]], None] = lambda names: None,
    ) -> Result:
        """Update the `targets` of a stack to the declared state and wait until its processes are ready.

        The plan is made and evaluated first. `planned` receives it and returns whether to continue; until
        then nothing is created and no process of the machine runs. `waiting_for` receives the names of
        processes and routes that are not ready yet, repeatedly.
        """
        with (
            self.store.lock(f"up --stack {self.stack.name}"),
            self._pack(dry_run=False) as pack,
        ):
            self._check_program()
            if self.options is not None:
                Machine.preflight(self.folder, self.options)
            if self.project.refresh if refresh is None else refresh:
                machine = self._machine_of_records()
                refreshed = self._operation(Silent(), machine, None, targets=targets).refresh()
                if not refreshed.ok:
                    return refreshed
            plan = self._operation(Silent(), None, pack, targets=targets).preview(before_update=True)
            if not plan.ok or not planned(plan):
                return plan
            machine = self._machine()
            if plan.changed or not _same_records(plan.snapshot, self.store.load()):
                operation = self._operation(listener, machine, pack, targets=targets)
                with _interruptible(operation, self.notice):
                    result = operation.update()
            else:
                self.store.fold(self.store.load())  # a process that was killed may have left its journal
                result = plan
            if machine is not None and result.ok:
                self.wait_ready(machine, waiting_for)
            return result

    def apply(self, listener: Listener) -> Result:
        """Update the stack in rehearsal clouds only, without a machine and without a plan first.

        Resources with mandatory violations are not created.
        """
        with self.store.lock(f"rehearsal of {self.stack.name}"), self._pack(dry_run=False) as pack:
            operation = self._operation(listener, None, pack)
            with _interruptible(operation, self.notice):
                return operation.update()

    def down(
        self,
        listener: Listener,
        *,
        unprotect: bool = False,
        exclude_protected: bool = False,
        targets: Targets = ALL,
        refresh: bool | None = None,
    ) -> Result:
        """Delete `targets`, by default all resources, and stop the machine once no resource is left.

        `unprotect` includes protected resources. With `exclude_protected` they stay, with everything that
        they need; otherwise nothing is deleted if one of the targets is protected.
        """
        with self.store.lock(f"down --stack {self.stack.name}"):
            machine = self._machine_of_records()
            if self.project.refresh if refresh is None else refresh:
                refreshed = self._operation(Silent(), machine, None, targets=targets).refresh()
                if not refreshed.ok:
                    return refreshed
            if exclude_protected:
                protected = [item.urn for item in self.store.load().resources if item.protect]
                targets = targets.excluding(protected)
            operation = self._operation(listener, machine, None, targets=targets)
            with _interruptible(operation, self.notice):
                result = operation.destroy(unprotect=unprotect)
            machine = machine or Machine.find(self.folder)
            if machine is not None and result.ok and not result.snapshot.resources:
                machine.stop()
            return result

    def refresh(self, listener: Listener, *, targets: Targets = ALL) -> Result:
        """Refresh the records of `targets`, by default of all resources, from the clouds."""
        with self.store.lock(f"refresh --stack {self.stack.name}"):
            operation = self._operation(listener, self._machine_of_records(), None, targets=targets)
            with _interruptible(operation, self.notice):
                return operation.refresh()

    def machine(self) -> Machine | None:
        """Return the running machine of this stack, or None."""
        return Machine.find(self.folder) if self.options is not None else None

    def wait_ready(
        self, machine: Machine, waiting_for: Callable[[Sequence[str]], None] = lambda names: None
    ) -> HostStatus:
        """Wait until all processes and routes are ready. Raises KingdomError with those that are not."""
        deadline = time.monotonic() + READY_TIMEOUT
        while True:
            waiting = machine.waiting()
            status = machine.status()
            late = [process for process in status.processes if not process.ready]
            waiting_for([*(process.name for process in late), *waiting])
            if not late and not waiting:
                return status
            if time.monotonic() > deadline:
                named = [f"{item.name}: {item.state} {item.message}".rstrip() for item in late]
                raise KingdomError(
                    f"not everything became ready within {READY_TIMEOUT:.0f} s:",
                    details=[*named, *waiting],
                    remedy=f"See `kingdom logs --stack {self.stack.name} NAME`.",
                )
            time.sleep(0.1)

    def _check_program(self) -> None:
        """Check what the CLI checks before it runs a program. Raises KingdomError of a type checker."""
        if warning := self.project.missing_virtualenv():
            self.notice(warning)
        if self.project.typechecker:
            type_check.run(self.project.typechecker, self.project.main, self.project.virtualenv)

    def _machine(self) -> Machine | None:
        if self.options is None:
            return None
        return Machine.ensure(self.folder, self.stack.name, self.options, self.project.root)

    def _machine_of_records(self) -> Machine | None:
        """Return the machine if resources are recorded, and start it if needed; otherwise None."""
        snapshot = self.store.load()
        return self._machine() if snapshot.resources or snapshot.pending else None

    @contextlib.contextmanager
    def _pack(self, *, dry_run: bool) -> Iterator[PolicyPack | None]:
        """Start the policy pack's process, in parallel to the import of the program's SDKs."""
        if self._policies is None:
            yield None
            return
        context = self._pack_context(dry_run=dry_run)
        process, self._pack_process = self._pack_process, None
        with PolicyPack.of(process or PackProcess.start(self._policies, context), context) as pack:
            yield pack

    def start_pack(self, *, dry_run: bool) -> PackProcess | None:
        """Start the policy pack's process for another session of the stack; None without a pack."""
        if self._policies is None:
            return None
        return PackProcess.start(self._policies, self._pack_context(dry_run=dry_run))

    def _pack_context(self, *, dry_run: bool) -> PackContext:
        config = with_policy_config(self.stack.config, self._policy_config)
        return PackContext(self.project.name, self.stack.name, dry_run, config)

    def _operation(
        self,
        listener: Listener,
        machine: Machine | None,
        pack: PolicyPack | None,
        store: Store | None = None,
        *,
        targets: Targets = ALL,
    ) -> Operation:
        self.project.require_cli_version()
        return Operation(
            program=Program(
                root=self.project.root,
                main=self.project.main,
                project=self.project.name,
                stack=self.stack.name,
                config=self.stack.config,
                entry=self.project.program,
                runs=bool(self.project.runtime),
                secrets=self.stack.secrets,
                unreadable=self.stack.unreadable,
                hidden=self.stack.decrypted,
                references=StackOutputs(self.project, self.stack, self._secrets, self.notice),
            ),
            store=store or self.store,
            factory=lambda package: _provider(package, machine, self.project.main),
            pack=pack,
            listener=listener,
            notice=self.notice,
            targets=targets,
        )


def _evaluation(pack: PolicyPack | KingdomError, plan: Callable[[PolicyPack], Result]) -> Evaluation:
    if isinstance(pack, KingdomError):
        return Evaluation(None, pack, None)
    result: Result | None = None
    error: KingdomError | None = None
    info: PackInfo | None = None
    try:
        result = plan(pack)
    except KingdomError as caught:
        error = caught
    with contextlib.suppress(KingdomError):  # the plan failed with it
        info = pack.info
    return Evaluation(result, error, info)


def _described(error: Diagnostic) -> str:
    """Return the error with the name of its resource and the position of its declaration, if known."""
    about = name_of(error.urn) if error.urn else ""
    return ": ".join(part for part in (error.source, about, error.message) if part)


def _same_records(planned: Snapshot, recorded: Snapshot) -> bool:
    """Return whether applying a plan without changes would not change the state, options included."""
    return not recorded.pending and {item.key: item for item in planned.resources} == {
        item.key: item for item in recorded.resources
    }


def _provider(package: str, machine: Machine | None, main: Path) -> Any:
    clouds = importlib.import_module("rehearsal.providers")
    if package not in clouds.PACKAGES:
        raise KingdomError(
            f"the program uses the package {package!r}, which kingdom does not support",
            remedy=f"Supported packages: {', '.join(clouds.PACKAGES)}.",
        )
    return clouds.provider(package, machine, main)


@contextlib.contextmanager
def _interruptible(operation: Operation, notice: Callable[[str], None]) -> Iterator[None]:
    """Let steps in progress finish after the first Ctrl-C; end the process after the second."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        if operation.cancel.is_set():
            raise KeyboardInterrupt
        notice("interrupted: finishing the steps in progress; press Ctrl-C again to stop immediately")
        operation.interrupt()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
