"""One operation on one stack: turns what the program registers into steps and has them carried out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.default_providers import Defaults
from rehearsal.engine.deletion import Deletion
from rehearsal.engine.diff import Diff, interpret, reset_ignored
from rehearsal.engine.errors import SkippedError
from rehearsal.engine.event_recorder import Report
from rehearsal.engine.events import Diagnostic, Listener, Op, PropertyChange, Severity, Step
from rehearsal.engine.goal import Goal
from rehearsal.engine.journal import Journal
from rehearsal.engine.policy_checks import Judge
from rehearsal.engine.providers import Provider, ProviderFactory, Registry
from rehearsal.engine.replacement import Claims, dependent_replacements, refusal
from rehearsal.engine.snapshot_manager import Ledger
from rehearsal.engine.state import ResourceState, Snapshot
from rehearsal.engine.step_executor import Executor, StepFailedError, with_additional_secrets
from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.properties import (
    Change,
    Properties,
    contains_unknown,
    decode,
    differences,
    encode,
    format_path,
    with_secrets_of,
)
from rehearsal.pulumi.urn import ROOT_STACK_TYPE, is_provider, package_of


class Deployment:
    """Steps of one operation. Registrations come from many threads; each returns when its step is done.

    `config` holds the provider configuration by package. Without a journal it is a preview: nothing is
    changed, and a resource that fails does not keep the others from being looked at, so that every problem
    is found at once. `faults` is the folder where tracebacks of internal errors are kept.
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
        faults: Path | None = None,
    ) -> None:
        self.stack = stack
        self.project = project
        self.preview = journal is None
        self.judge = judge
        self.ledger = Ledger(snapshot, journal)
        self.registry = Registry(factory, self.ledger, faults)
        self.executor = Executor(self.ledger, preview=self.preview)
        self.cancelled = cancelled
        self.report = Report(listener)
        self.outputs: Properties = {}
        self._registered: dict[str, Goal] = {}
        self._failed: set[str] = set()
        self._replaced: set[str] = set()
        self._claims = Claims()
        self._lock = threading.Lock()
        self.defaults = Defaults(stack, project, config, self.register)

    # -- registration -----------------------------------------------------------------------------------

    def register(self, goal: Goal) -> ResourceState:
        """Does what `goal` needs and returns its record. Raises StepFailedError or SkippedError."""
        if (parent := self._registered.get(goal.parent)) is not None:
            goal = goal.with_aliases_of(parent)
        self._enlist(goal)
        try:
            self._stop_if_hopeless()
            return self._component(goal) if not goal.custom else self._custom(goal)
        except (StepFailedError, SkippedError):
            self.fail(goal.urn)
            raise

    def _enlist(self, goal: Goal) -> None:
        """Notes that `goal` is declared, once nothing deletes what it stands for any more."""
        self._claims.enter(goal.urn, goal.aliases)
        with self._lock:
            twice = goal.urn in self._registered
            self._registered.setdefault(goal.urn, goal)
        if twice:
            self.fail(goal.urn)
            self._fail(goal, f"{goal.urn} is declared twice; names must be unique")

    def fail(self, urn: str) -> None:
        """Notes that something went wrong: an update begins nothing new after it."""
        with self._lock:
            self._failed.add(urn)

    def _stop_if_hopeless(self) -> None:
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
        self.report.listener.begun(step)
        state = self.ledger.put(state)
        self.report.finished(step)
        return state

    def _custom(self, goal: Goal) -> ResourceState:
        goal = self._with_provider(goal)
        old = self._adopt(goal)
        provider, imported = self._provider_for(goal), False
        if goal.import_id and (old is None or goal.import_id not in (old.id, old.import_id)):
            old, imported = self._import(goal, provider, old), True
        if old is not None and old.pending_replacement:
            return self._create(self._judged(self._checked(goal, provider, None)), provider, Op.REPLACE)
        if old is not None and goal.ignore_changes:
            goal = self._with_ignored(goal, old)
        declared = goal
        goal = self._judged(self._checked(goal, provider, old))
        if old is None:  # what was somebody else's counts as replaced, as under the CLI
            op = Op.CREATE if self.ledger.live(goal.urn) is None else Op.REPLACE
            return self._create(goal, provider, op)
        diff = self._diff(goal, provider, old)
        if diff.replace:
            if goal.import_id:
                paths = ", ".join(format_path(item.path) for item in diff.changes if item.replaces)
                self._fail(goal, f"what is imported is not as declared, and may not be replaced: {paths}")
            # The check carried names and defaults over from the resource that is now going away.
            goal = self._judged(self._checked(declared, provider, None))
            return self._replace(goal, provider, old, diff)
        unfinished = self._undo_replacement(goal, provider, old)
        if diff or old.init_errors or unfinished or self.ledger.is_pending("updating", goal.urn):
            step = self._step(Op.UPDATE, goal, diff.changes)
            return self._run(
                step, goal, lambda: self._enable(self.executor.update(provider, old, goal.state()))
            )
        outputs = with_additional_secrets(old.outputs, goal.additional_secret_outputs)
        state = replace(goal.state(), id=old.id, outputs=outputs)
        if imported:  # that was its step
            return self.ledger.put(state)
        step = self._step(Op.SAME, goal)
        return self._run(step, goal, lambda: self._enable(self.ledger.put(state)))

    def _adopt(self, goal: Goal) -> ResourceState | None:
        """The record `goal` continues: its own, or that of one of its aliases, renamed."""
        if (old := self.ledger.live(goal.urn)) is not None:
            return None if old.external else old
        for alias in goal.aliases:
            old = self.ledger.live(alias)
            if old is not None and not old.external and alias not in self._registered:
                return self.ledger.rename(old, goal.urn, goal.parent)
        return None

    # -- providers --------------------------------------------------------------------------------------

    def _with_provider(self, goal: Goal) -> Goal:
        if is_provider(goal.type) or goal.provider:
            return goal
        return replace(goal, provider=self.defaults.reference(package_of(goal.type), goal.version))

    def _provider_for(self, goal: Goal) -> Provider:
        try:
            if is_provider(goal.type):
                return self.registry.unconfigured(package_of(goal.type))
            return self.registry.get(goal.provider)
        except ProviderError as error:
            self._fail(goal, str(error))

    def _enable(self, state: ResourceState) -> ResourceState:
        """A provider resource is configured as soon as it stands, so that bad configuration fails there."""
        if is_provider(state.type):
            self.registry.configure(state)
        return state

    # -- single steps -----------------------------------------------------------------------------------

    def _with_ignored(self, goal: Goal, old: ResourceState) -> Goal:
        try:
            return replace(goal, inputs=reset_ignored(goal.inputs, old.inputs, goal.ignore_changes))
        except ValueError as error:
            self._fail(goal, f"ignoreChanges: {error}")

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
                self.report.error(goal.urn, goal.source, f"{where}{failure.reason}")
            raise StepFailedError("its inputs are not valid")
        return replace(goal, inputs=with_secrets_of(decode(answer.inputs), goal.inputs))

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
        if goal.deleted_with in self._replaced:  # what goes along with another also comes back with it
            return Diff((PropertyChange(("deletedWith",), Change.UPDATE, replaces=True),), replace=True)
        try:
            answer = (provider.DiffConfig if is_provider(goal.type) else provider.Diff)(request, None)
            moved = self.registry.moved(old.provider, goal.provider)
            diff = interpret(answer, old.inputs, goal.inputs, replace_on_changes=goal.replace_on_changes)
        except ProviderError as error:
            self._fail(goal, str(error))
        except ValueError as error:
            self._fail(goal, f"replaceOnChanges: {error}")
        # Under the new provider it may well get the same id: the old one has to go first, or it would take
        # the new one along.
        return replace(diff, replace=True, delete_before_replace=True) if moved and not diff.replace else diff

    def _create(self, goal: Goal, provider: Provider, op: Op) -> ResourceState:
        step = self._step(op, goal)

        def create() -> ResourceState:
            pending = self.ledger.is_pending("creating", goal.urn)
            if pending is not None and not self.preview and pending.resource.inputs != goal.inputs:
                # Something else was begun under this name, and may stand: it would be lost track of.
                self.executor.ask_for_deletion(provider, pending.resource)
            return self._enable(self.executor.create(provider, goal.state()))

        return self._run(step, goal, create)

    def _import(self, goal: Goal, provider: Provider, old: ResourceState | None) -> ResourceState:
        """What exists under the id to import, recorded; what was recorded before is to be deleted."""
        step = self._step(Op.CREATE if old is None else Op.REPLACE, goal)
        if old is not None and old.protect:
            self._fail(goal, refusal("replaced", old))

        def read() -> ResourceState:
            # A cloud that exists knows its inputs; a rehearsed one has it that they are as declared.
            declared = self._checked(goal, provider, None)
            found = self.executor.read(provider, replace(declared.state(), id=goal.import_id))
            if found is None:
                raise StepFailedError(f"there is nothing to import under the id {goal.import_id!r}")
            found = replace(found, inputs=with_secrets_of(found.inputs, goal.inputs))
            return self.ledger.put(found, retires=old)

        return self._run(step, goal, read)

    def _undo_replacement(self, goal: Goal, provider: Provider, live: ResourceState) -> bool:
        """Removes what an interrupted replacement may have made, now that this one is not wanted any more.

        Returns whether there was one: the live resource is then to be put in order.
        """
        pending = self.ledger.is_pending("creating", goal.urn)
        if pending is None:
            return False
        if not self.preview:
            try:
                self.executor.undo_creation(provider, pending.resource, spare=live.id)
            except (StepFailedError, ProviderError) as error:
                self._fail(goal, str(error))
        return True

    def _replace(self, goal: Goal, provider: Provider, old: ResourceState, diff: Diff) -> ResourceState:
        first = diff.delete_before_replace
        if goal.delete_before_replace is not None:
            first = goal.delete_before_replace
        step = replace(self._step(Op.REPLACE, goal, diff.changes), delete_before_replace=first)
        if old.protect:
            self._refuse((replace(old, source_position=goal.source), refusal("replaced", old)))
        with self._lock:
            self._replaced.add(goal.urn)

        def carry_out() -> ResourceState:
            pending = self.ledger.is_pending("creating", goal.urn)
            if pending is not None and pending.resource.inputs != goal.inputs:
                self._undo_replacement(goal, provider, old)
            if not first:
                return self._enable(self.executor.create(provider, goal.state(), retires=old))
            self._delete_with_dependents(goal, old)
            return self._enable(self.executor.create(provider, goal.state()))

        return self._run(step, goal, carry_out)

    def _delete_with_dependents(self, goal: Goal, old: ResourceState) -> None:
        """Deletes `old` after everything that cannot outlive it; all of it is to be created anew."""

        def find(planned: Collection[str]) -> list[ResourceState]:
            return dependent_replacements(old, self.ledger, self.registry.get, planned)

        dependents = self._claims.claim(find)
        try:
            protected = [item for item in dependents if item.protect]
            self._refuse(
                *((item, refusal("replaced along with what it depends on", item)) for item in protected)
            )
            for item in [*dependents, old]:
                owner = self.registry.get(item.provider) if item.provider else None
                self.executor.delete(owner, item, ask=not item.retain_on_delete, awaits_replacement=True)
        finally:
            self._claims.release(dependents)

    def _run(self, step: Step, goal: Goal, action: Callable[[], ResourceState]) -> ResourceState:
        self._stop_if_hopeless()
        self.report.listener.begun(step)
        try:
            state = action()
        except (StepFailedError, ProviderError) as error:
            self.report.listener.failed(step, str(error))
            self._fail(goal, str(error))
        self.report.finished(step)
        return state

    # -- what else the program asks ---------------------------------------------------------------------

    def read(self, goal: Goal, id_: str) -> ResourceState:
        """A resource that exists already, read and recorded as external. One that was managed is retired."""
        self._enlist(goal)
        try:
            self._stop_if_hopeless()
            goal = self._with_provider(goal)
            step = self._step(Op.READ, goal)
            provider = self._provider_for(goal)
            old = self.ledger.live(goal.urn)
            retires = old if old and not old.external and old.id != id_ else None
            if retires is not None and retires.protect:
                self._fail(goal, refusal("replaced", retires))

            def carry_out() -> ResourceState:
                found = self.executor.read(provider, replace(goal.state(), id=id_, outputs=goal.inputs))
                if found is None:
                    raise StepFailedError(f"{goal.type} {id_!r} does not exist")
                return self.ledger.put(replace(found, external=True), retires=retires)

            return self._run(step, goal, carry_out)
        except (StepFailedError, SkippedError):
            self.fail(goal.urn)
            raise

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Records a component's outputs; the root stack's are the outputs of the stack."""
        record = self.ledger.live(urn)
        if record is None:
            return
        if record.type == ROOT_STACK_TYPE:
            self.outputs = outputs
        # After a failure what depends on it is unknown: the outputs of before stand until the next update.
        if self.preview or not contains_unknown(outputs):
            self.ledger.put(replace(record, outputs=outputs))

    def log(self, severity: Severity, message: str, urn: str = "") -> None:
        self.report.note(Diagnostic(severity, message, urn, self._source_of(urn)))

    # -- the end ----------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Finishes deletions that an earlier operation began and of whose end nothing is known."""
        Deletion(self).resume()

    def finish(self) -> None:
        """After the program has ended well: deletes what it no longer declares, and judges the whole."""
        if self._failed or self.cancelled.is_set():
            if not self.preview:
                return
        else:
            Deletion(self).of_undeclared(self._registered)
        live = [self.ledger.live(urn) for urn in list(self._registered)]
        states = [state for state in live if state is not None]
        self.judge.stack(states)

    def delete_everything(self, *, unprotect: bool) -> None:
        """Deletes all that is recorded, in reverse order."""
        Deletion(self).of_undeclared({}, unprotect=unprotect)

    # -- bookkeeping ------------------------------------------------------------------------------------

    def _step(self, op: Op, goal: Goal, changes: tuple[PropertyChange, ...] = ()) -> Step:
        return Step(op, goal.urn, goal.type, goal.custom, goal.parent, goal.source, changes)

    def _source_of(self, urn: str) -> str:
        goal = self._registered.get(urn)
        return goal.source if goal else ""

    def _refuse(self, *refused: tuple[ResourceState, str]) -> None:
        """Reports what protection forbids. A preview goes on, to show the rest of the plan."""
        for item, message in refused:
            self.report.error(item.urn, item.source_position, message, protected=True)
        if refused and not self.preview:
            raise StepFailedError(f"{len(refused)} protected resources would be taken away")

    def _fail(self, goal: Goal, reason: str) -> NoReturn:
        self.report.error(goal.urn, goal.source, reason)
        raise StepFailedError(reason)
