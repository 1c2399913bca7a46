"""The operations on a stack: preview, update, destroy, refresh."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rehearsal.engine.deployment import Deployment
from rehearsal.engine.diff import property_changes
from rehearsal.engine.events import Diagnostic, Listener, Op, Result, Severity, Silent, Step
from rehearsal.engine.journal import Journal
from rehearsal.engine.monitor import Engine, Monitor
from rehearsal.engine.policy_checks import Judge, Pack
from rehearsal.engine.providers import ProviderFactory
from rehearsal.engine.state import ResourceState, Snapshot
from rehearsal.engine.step_executor import StepFailedError
from rehearsal.engine.store import Store
from rehearsal.errors import KingdomError
from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.properties import Properties
from rehearsal.pulumi.urn import name_of


@dataclass(frozen=True)
class Program:
    """What is run: the folder `main` of the project at `root`, for one stack, with its configuration."""

    root: Path
    main: Path
    project: str
    stack: str
    config: Mapping[str, str]

    def provider_config(self) -> dict[str, Properties]:
        """Configuration of default providers by package: ``gcp:project`` is the input `project` of gcp's."""
        packages: dict[str, Properties] = {}
        for key, value in self.config.items():
            package, _, name = key.partition(":")
            packages.setdefault(package, {})[name] = value
        return packages


@dataclass
class Operation:
    """The surroundings of one operation. `cancel` may be set from a signal handler or another thread.

    `notice` is for what cannot wait for the result; it is called from any thread.
    """

    program: Program
    store: Store
    factory: ProviderFactory
    pack: Pack | None = None
    listener: Listener = field(default_factory=Silent)
    notice: Callable[[str], None] = lambda text: None
    cancel: threading.Event = field(default_factory=threading.Event)
    _current: Deployment | None = None

    def interrupt(self) -> None:
        """Begins nothing more, and asks the providers to give up what they wait for. From any thread."""
        self.cancel.set()
        if self._current is not None:
            self._current.registry.cancel()

    def preview(self) -> Result:
        """What an update would do. Changes nothing. Raises KingdomError for a program that fails."""
        return self._run_program(self.store.load(), None)

    def update(self) -> Result:
        """Makes the stack what the program declares. The store's lock must be held. Raises KingdomError."""
        snapshot = self.store.load()
        journal = self.store.journal()
        return self._journalled(journal, lambda: self._run_program(snapshot, journal))

    def destroy(self, *, unprotect: bool = False) -> Result:
        """Deletes all the stack has, in reverse order. The store's lock must be held.

        A protected resource keeps everything where it is, unless `unprotect` is given.
        """
        snapshot = self.store.load()
        if not snapshot.resources and not snapshot.pending:
            self.store.remove()
            return Result(self.program.stack)
        journal = self.store.journal()

        def work() -> Result:
            deployment = self._deployment(snapshot, journal)
            deployment.resume()
            deployment.delete_everything(unprotect=unprotect)
            return self._result(deployment)

        result = self._journalled(journal, work)
        if result.ok and not result.snapshot.resources and not result.snapshot.pending:
            self.store.remove()
        return result

    def refresh(self, *, preview: bool = False) -> Result:
        """Compares the records with the clouds and, unless previewing, adopts what the clouds say."""
        snapshot = self.store.load()
        if preview or not (snapshot.resources or snapshot.pending):
            return self._refresh(snapshot, None)
        journal = self.store.journal()
        return self._journalled(journal, lambda: self._refresh(snapshot, journal))

    def _refresh(self, snapshot: Snapshot, journal: Journal | None) -> Result:
        deployment = self._deployment(snapshot, journal)
        gone: set[str] = set()
        for old in snapshot.resources:
            if self.cancel.is_set():
                break
            if not old.custom or old.delete or old.pending_replacement or not old.provider:
                continue
            step = Step(Op.REFRESH, old.urn, old.type, True, old.parent, old.source_position)
            self.listener.begun(step)
            try:
                found = deployment.executor.read(deployment.registry.get(old.provider), old)
            except (StepFailedError, ProviderError) as error:
                self.listener.failed(step, str(error))
                deployment.log(Severity.ERROR, str(error), old.urn)
                continue
            deployment.report.finished(_refreshed(step, old, found))
            if found is None:
                gone.add(old.urn)
                deployment.ledger.drop(old)
            else:
                deployment.ledger.put(found)
        for record in deployment.ledger.all() if gone else ():
            deployment.ledger.put(record.without(gone))  # nothing refers to what is not there
        return self._result(deployment)

    def _run_program(self, snapshot: Snapshot, journal: Journal | None) -> Result:
        from rehearsal.engine import program  # imports the SDK, which takes a second

        deployment = self._deployment(snapshot, journal)
        deployment.resume()
        monitor = Monitor(deployment, self.program.root)
        this = self.program
        try:
            program.run(
                main=this.main,
                root=this.root,
                project=this.project,
                stack=this.stack,
                config=this.config,
                monitor=monitor,
                engine=Engine(deployment),
                dry_run=deployment.preview,
                notice=self.notice,
            )
        except KingdomError as error:
            if monitor.fatal is not None:
                raise monitor.fatal from None
            # What failed before may be why the program did: it is said along with it.
            failures = [
                _described(item) for item in deployment.report.diagnostics if item.severity is Severity.ERROR
            ]
            error.details = (*error.details, *failures)
            raise
        if monitor.fatal is not None:
            raise monitor.fatal
        deployment.finish()
        return self._result(deployment)

    def _deployment(self, snapshot: Snapshot, journal: Journal | None) -> Deployment:
        self._current = Deployment(
            stack=self.program.stack,
            project=self.program.project,
            snapshot=snapshot,
            factory=self.factory,
            config=self.program.provider_config(),
            judge=Judge(self.pack),
            listener=self.listener,
            journal=journal,
            cancelled=self.cancel,
            faults=self.store.folder,
        )
        return self._current

    def _journalled(self, journal: Journal, work: Callable[[], Result]) -> Result:
        """Runs `work` and folds the journal, also when `work` raises: what was done stays recorded."""
        try:
            return work()
        finally:
            journal.close()
            self.store.fold(self.store.load())

    def _result(self, deployment: Deployment) -> Result:
        return Result(
            stack=self.program.stack,
            steps=tuple(deployment.report.steps),
            diagnostics=tuple(deployment.report.diagnostics),
            violations=tuple(deployment.judge.violations),
            remediations=tuple(deployment.judge.remediations),
            outputs=deployment.outputs,
            snapshot=deployment.ledger.snapshot(),
            policy_pack=self.pack.label if self.pack else "",
            planned=deployment.preview,
            interrupted=self.cancel.is_set(),
        )


def _refreshed(step: Step, old: ResourceState, found: ResourceState | None) -> Step:
    if found is None:
        return replace(step, op=Op.DELETE)
    changes = property_changes(old.outputs, found.outputs)
    return replace(step, op=Op.UPDATE if changes else Op.SAME, changes=changes)


def _described(item: Diagnostic) -> str:
    where = f"{name_of(item.urn)}: " if item.urn.count("::") >= 3 else ""
    return f"{item.source}: {where}{item.message}" if item.source else f"{where}{item.message}"
