"""One operation on one stack: turns what the program registers into steps and has them carried out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from pulumi.runtime.proto import provider_pb2

from rehearsal.clouds.errors import ProviderError
from rehearsal.engine.deletion import Deletion
from rehearsal.engine.differ import Diff, interpret, reset_ignored
from rehearsal.engine.events import Diagnostic, Listener, Op, PropertyChange, Severity, Step
from rehearsal.engine.executor import Executor, StepFailedError
from rehearsal.engine.goal import Goal
from rehearsal.engine.judge import Judge
from rehearsal.engine.ledger import Ledger
from rehearsal.engine.providers import Provider, ProviderFactory, Registry
from rehearsal.engine.replacement import dependent_replacements
from rehearsal.engine.state import ResourceState, Snapshot
from rehearsal.engine.store import Journal
from rehearsal.engine.urn import (
    PROVIDER_PREFIX,
    ROOT_STACK_TYPE,
    default_provider_name,
    is_provider,
    package_of,
)
from rehearsal.properties import Properties, contains_unknown, decode, differences, encode


class SkippedError(Exception):
    """The resource was left as it is, because something before it failed or the operation was interrupted."""


class Deployment:
    """Steps of one operation. Registrations come from many threads; each returns when its step is done.

    `config` holds the provider configuration by package. With `preview` nothing is changed, and a resource
    that fails does not keep the others from being looked at: every problem is found at once.
    """

    def __init__(
        self,
        *,
        stack: str,
        project: str,
        snapshot: Snapshot,
        factory: ProviderFactory,
        config: Mapping[str, Properties],
        judge: Judge,
        listener: Listener,
        journal: Journal | None,
        cancelled: threading.Event,
        log: Path | None = None,
    ) -> None:
        self.stack = stack
        self.project = project
        self.preview = journal is None
        self.judge = judge
        self.ledger = Ledger(snapshot, journal)
        self.registry = Registry(factory, self.ledger, log)
        self.executor = Executor(self.ledger, preview=self.preview)
        self.cancelled = cancelled
        self.steps: list[Step] = []
        self.diagnostics: list[Diagnostic] = []
        self.outputs: Properties = {}
        self._config = config
        self.listener = listener
        self._registered: dict[str, Goal] = {}
        self._failed: set[str] = set()
        self._lock = threading.Lock()
        self._defaults: dict[tuple[str, str], str] = {}
        self._defaults_lock = threading.Lock()

    # -- registration -----------------------------------------------------------------------------------

    def register(self, goal: Goal) -> ResourceState:
        """Does what `goal` needs and returns its record. Raises StepFailedError or SkippedError."""
        with self._lock:
            if goal.urn in self._registered:
                self._report(goal.urn, goal.source, f"{goal.urn} is declared twice; names must be unique")
                raise StepFailedError("declared twice")
            self._registered[goal.urn] = goal
        try:
            self._stop_if_hopeless(goal)
            return self._component(goal) if not goal.custom else self._custom(goal)
        except (StepFailedError, SkippedError):
            with self._lock:
                self._failed.add(goal.urn)
            raise

    def _stop_if_hopeless(self, goal: Goal) -> None:
        if self.cancelled.is_set():
            raise SkippedError
        with self._lock:
            if self._failed and not self.preview:
                raise SkippedError

    def _component(self, goal: Goal) -> ResourceState:
        old = self._adopt(goal)
        state = replace(goal.state(), outputs=old.outputs if old else {})
        found = differences(old.inputs, goal.inputs) if old else {}
        changes = tuple(PropertyChange(path, kind) for path, kind in found.items())
        op = Op.CREATE if old is None else Op.UPDATE if changes else Op.SAME
        step = self._step(op, goal, changes)
        self._judge(state, None)
        self.listener.begun(step)
        state = self.ledger.put(state)
        self.finished(step)
        return state

    def _custom(self, goal: Goal) -> ResourceState:
        if not is_provider(goal.type) and not goal.provider:
            goal = replace(goal, provider=self.default_provider(package_of(goal.type), goal.version))
        old = self._adopt(goal)
        kept = None if old and old.pending_replacement else old
        provider = self._provider_for(goal)
        if old and goal.ignore_changes:
            goal = replace(goal, inputs=reset_ignored(goal.inputs, old.inputs, goal.ignore_changes))
        declared = goal
        goal = self._judged(self._checked(goal, provider, kept))
        if goal.import_id and old is None:
            return self._import(goal, provider)
        if old is None:
            return self._create(goal, provider, Op.CREATE)
        if old.pending_replacement:  # deleted ahead of its own registration, to be created anew
            return self._create(goal, provider, Op.REPLACE)
        diff = self._diff(goal, provider, old)
        if diff.replace:
            # The check carried names and defaults over from the resource that is now going away.
            goal = self._judged(self._checked(declared, provider, None))
            return self._replace(goal, provider, old, diff)
        if diff or old.init_errors or self.ledger.is_pending("updating", goal.urn):
            step = self._step(Op.UPDATE, goal, diff.changes)
            return self._run(
                step, goal, lambda: self._enable(self.executor.update(provider, old, goal.state()))
            )
        step = self._step(Op.SAME, goal)
        state = replace(goal.state(), id=old.id, outputs=old.outputs)
        return self._run(step, goal, lambda: self._enable(self.ledger.put(state)))

    def _adopt(self, goal: Goal) -> ResourceState | None:
        """The record `goal` continues: its own, or that of one of its aliases, renamed."""
        if (old := self.ledger.live(goal.urn)) is not None:
            return None if old.external else old
        for alias in goal.aliases:
            if (old := self.ledger.live(alias)) is None or alias in self._registered:
                continue
            return self.ledger.rename(old, goal.urn, goal.parent)
        return None

    # -- providers --------------------------------------------------------------------------------------

    def default_provider(self, package: str, version: str) -> str:
        """The reference of the package's default provider at `version`; registered on first use."""
        with self._defaults_lock:
            if (known := self._defaults.get((package, version))) is not None:
                return known
            inputs = dict(self._config.get(package, {}))
            if version:
                inputs["version"] = version
            type_, name = PROVIDER_PREFIX + package, default_provider_name(version)
            urn = f"urn:pulumi:{self.stack}::{self.project}::{type_}::{name}"
            state = self.register(Goal(urn=urn, type=type_, name=name, custom=True, inputs=inputs))
            reference = f"{state.urn}::{state.id}"
            self._defaults[(package, version)] = reference
            return reference

    def _provider_for(self, goal: Goal) -> Provider:
        package = package_of(goal.type)
        try:
            if is_provider(goal.type):
                return self.registry.unconfigured(package)
            return self.provider(goal.provider)
        except ProviderError as error:
            self._fail(goal, str(error))

    def provider(self, reference: str) -> Provider:
        """The configured provider behind `reference`, from this run or from the state."""
        return self.registry.get(reference)

    def _enable(self, state: ResourceState) -> ResourceState:
        """A provider resource is configured as soon as it stands, so that bad configuration fails there."""
        if is_provider(state.type):
            self.registry.configure(state)
        return state

    # -- single steps -----------------------------------------------------------------------------------

    def _checked(self, goal: Goal, provider: Provider, old: ResourceState | None) -> Goal:
        request = provider_pb2.CheckRequest(
            urn=goal.urn,
            name=goal.name,
            type=goal.type,
            olds=encode(old.inputs if old else {}),
            news=encode(goal.inputs),
        )
        try:
            check = provider.CheckConfig if is_provider(goal.type) else provider.Check
            answer = check(request, None)
        except ProviderError as error:
            self._fail(goal, str(error))
        if answer.failures:
            for failure in answer.failures:
                where = f"{failure.property}: " if failure.property else ""
                self._report(goal.urn, goal.source, f"{where}{failure.reason}")
            raise StepFailedError("its inputs are not valid")
        return replace(goal, inputs=decode(answer.inputs))

    def _judged(self, goal: Goal) -> Goal:
        """`goal` after the pack's remediations. Raises StepFailedError for what it forbids."""
        owner = self.ledger.live(goal.provider_urn) if goal.provider else None
        inputs = self.judge.remediate(goal.state(), owner)
        if inputs is not goal.inputs:
            goal = replace(goal, inputs=inputs)
        self._judge(goal.state(), owner)
        return goal

    def _judge(self, state: ResourceState, owner: ResourceState | None) -> None:
        if any(violation.mandatory for violation in self.judge.resource(state, owner)) and not self.preview:
            raise StepFailedError("the policy pack forbids it")

    def _diff(self, goal: Goal, provider: Provider, old: ResourceState) -> Diff:
        request = provider_pb2.DiffRequest(
            id=old.id,
            urn=goal.urn,
            name=goal.name,
            type=goal.type,
            olds=encode(old.outputs),
            old_inputs=encode(old.inputs),
            news=encode(goal.inputs),
            ignoreChanges=goal.ignore_changes,
        )
        try:
            answer = (provider.DiffConfig if is_provider(goal.type) else provider.Diff)(request, None)
        except ProviderError as error:
            self._fail(goal, str(error))
        diff = interpret(answer, old.inputs, goal.inputs, replace_on_changes=goal.replace_on_changes)
        if not diff.replace and self.registry.moved(old.provider, goal.provider):
            return replace(diff, replace=True)
        return diff

    def _create(self, goal: Goal, provider: Provider, op: Op) -> ResourceState:
        step = self._step(op, goal)
        return self._run(step, goal, lambda: self._enable(self.executor.create(provider, goal.state())))

    def _import(self, goal: Goal, provider: Provider) -> ResourceState:
        step = self._step(Op.CREATE, goal)

        def read() -> ResourceState:
            found = self.executor.read(provider, replace(goal.state(), id=goal.import_id))
            if found is None:
                raise StepFailedError(f"there is nothing to import under the id {goal.import_id!r}")
            return self.ledger.put(found)

        return self._run(step, goal, read)

    def _replace(self, goal: Goal, provider: Provider, old: ResourceState, diff: Diff) -> ResourceState:
        first = diff.delete_before_replace
        if goal.delete_before_replace is not None:
            first = goal.delete_before_replace
        step = replace(self._step(Op.REPLACE, goal, diff.changes), delete_before_replace=first)
        if old.protect:
            self._fail(goal, _protected("replaced", old))

        def carry_out() -> ResourceState:
            if not first:
                return self._enable(self.executor.create(provider, goal.state(), retires=old))
            dependents = dependent_replacements(old, self.ledger, self.provider)
            for dependent in dependents:
                if dependent.protect:
                    raise StepFailedError(_protected("replaced along with it", dependent))
            for dependent in dependents:
                self.executor.delete(self._owner(dependent), dependent, awaits_replacement=True)
            ask = not old.retain_on_delete
            self.executor.delete(self._owner(old), old, ask=ask, awaits_replacement=True)
            return self._enable(self.executor.create(provider, goal.state()))

        return self._run(step, goal, carry_out)

    def _owner(self, resource: ResourceState) -> Provider | None:
        return self.provider(resource.provider) if resource.provider else None

    def _run(self, step: Step, goal: Goal, action: Callable[[], ResourceState]) -> ResourceState:
        self._stop_if_hopeless(goal)
        self.listener.begun(step)
        try:
            state = action()
        except (StepFailedError, ProviderError) as error:
            self.listener.failed(step, str(error))
            self._fail(goal, str(error))
        self.finished(step)
        return state

    # -- what else the program asks ---------------------------------------------------------------------

    def read(self, goal: Goal, id_: str) -> ResourceState:
        """A resource that exists already, read and recorded as external."""
        goal = replace(goal, custom=True)
        if not goal.provider:
            goal = replace(goal, provider=self.default_provider(package_of(goal.type), goal.version))
        step = self._step(Op.READ, goal)
        provider = self._provider_for(goal)

        def carry_out() -> ResourceState:
            found = self.executor.read(provider, replace(goal.state(), id=id_, outputs=goal.inputs))
            if found is None:
                raise StepFailedError(f"{goal.type} {id_!r} does not exist")
            return self.ledger.put(replace(found, external=True))

        with self._lock:
            self._registered[goal.urn] = goal
        return self._run(step, goal, carry_out)

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Records a component's outputs; the root stack's are the outputs of the stack."""
        record = self.ledger.live(urn)
        if record is None:
            return
        if not self.preview:  # what comes of a resource that failed stays unknown, and is not recorded
            outputs = {key: value for key, value in outputs.items() if not contains_unknown(value)}
        if record.type == ROOT_STACK_TYPE:
            self.outputs = outputs
        self.ledger.put(replace(record, outputs=outputs))

    def log(self, severity: Severity, message: str, urn: str = "") -> None:
        self.note(Diagnostic(severity, message, urn, self._source_of(urn)))

    # -- the end ----------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Finishes deletions that an earlier operation began and of whose end nothing is known."""
        for pending in self.ledger.pending():
            if pending.type == "deleting":
                self._deletion().complete(pending.resource, pending.type)

    def finish(self) -> None:
        """After the program has ended well: deletes what it no longer declares, and judges the whole."""
        if self._failed or self.cancelled.is_set():
            if not self.preview:
                return
        else:
            self._deletion().of_undeclared(self._registered)
        live = [self.ledger.live(urn) for urn in list(self._registered)]
        states = [state for state in live if state is not None]
        self.judge.stack(states)

    def delete_everything(self, *, unprotect: bool) -> None:
        """Deletes all that is recorded, in reverse order."""
        self._deletion().of_undeclared({}, unprotect=unprotect)

    def _deletion(self) -> Deletion:
        return Deletion(self)

    # -- bookkeeping ------------------------------------------------------------------------------------

    def _step(self, op: Op, goal: Goal, changes: tuple[PropertyChange, ...] = ()) -> Step:
        return Step(op, goal.urn, goal.type, goal.custom, goal.parent, goal.source, changes)

    def finished(self, step: Step) -> None:
        with self._lock:
            self.steps.append(step)
        self.listener.done(step)

    def _source_of(self, urn: str) -> str:
        goal = self._registered.get(urn)
        return goal.source if goal else ""

    def _report(self, urn: str, source: str, message: str) -> None:
        self.note(Diagnostic(Severity.ERROR, message, urn, source))

    def note(self, diagnostic: Diagnostic) -> None:
        self.diagnostics.append(diagnostic)
        self.listener.diagnostic(diagnostic)

    def _fail(self, goal: Goal, reason: str) -> NoReturn:
        self._report(goal.urn, goal.source, reason)
        raise StepFailedError(reason)


def _protected(what: str, resource: ResourceState) -> str:
    return (
        f"it is protected and would be {what}: {resource.urn}. Set protect to false in the program and run"
        " `up` first, if this is meant."
    )
