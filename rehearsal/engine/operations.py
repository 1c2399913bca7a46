"""Operations on a stack: preview, update, destroy, refresh."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from rehearsal.engine.deployment import Deployment
from rehearsal.engine.deployment_executor import DeploymentExecutor
from rehearsal.engine.diff import property_changes
from rehearsal.engine.events import Diagnostic, Listener, Op, Result, Severity, Silent, Step
from rehearsal.engine.policy_checks import Pack, PolicyChecks
from rehearsal.engine.program.function_calls import FunctionCalls
from rehearsal.engine.program.monitor import Engine, Monitor
from rehearsal.engine.program.secret_filter import SecretFilter
from rehearsal.engine.providers.autonaming import Autonaming
from rehearsal.engine.providers.registry import ProviderFactory
from rehearsal.engine.state.journal import Journal
from rehearsal.engine.state.resource_state import ResourceState, Snapshot
from rehearsal.engine.state.store import Store
from rehearsal.engine.step_executor import StepFailedError, with_additional_secrets
from rehearsal.engine.targets import ALL, Patterns, Targets
from rehearsal.errors import KingdomError
from rehearsal.providers.dynamic import PACKAGE as DYNAMIC
from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.properties import UNKNOWN, Properties, Secret
from rehearsal.pulumi.urn import name_of

# The CLI registers nothing then, without any message.
_NO_RUNTIME: Final = (
    "the project file names no runtime: no program runs, and what is recorded is deleted, as by `pulumi`;"
    " add `runtime: python`"
)


@dataclass(frozen=True)
class Program:
    """Program in the folder `main` of the project at `root`, with the configuration of one stack."""

    root: Path
    main: Path
    project: str
    stack: str
    config: Mapping[str, str]
    entry: Path | None = None  # file to run, if it is not `__main__.py`
    runs: bool = True  # False if the project names no runtime
    secrets: frozenset[str] = frozenset()  # keys of `config` whose values are secret
    unreadable: frozenset[str] = frozenset()  # secret keys that could not be decrypted
    hidden: frozenset[str] = frozenset()  # decrypted texts, which are not displayed
    references: Callable[[str], Properties | None] = lambda name: None  # outputs of another stack

    def provider_config(self) -> dict[str, Properties]:
        """Return the configuration of default providers by package, such as ``gcp:project`` for gcp.

        That of dynamic providers is the whole configuration with full keys (``GetPackageConfig`` in
        ``pkg/resource/deploy/target.go``).
        """
        packages: dict[str, Properties] = {}
        for key, value in self.config.items():
            package, _, name = key.partition(":")
            known = UNKNOWN if key in self.unreadable else value
            given = Secret(known) if key in self.secrets else value
            packages.setdefault(package, {})[name] = given
            packages.setdefault(DYNAMIC, {})[key] = given
        return packages


@dataclass
class Operation:
    """One operation and its dependencies. `cancel` may be set from a signal handler or another thread.

    `notice` receives messages that are shown before the operation ends; it is called from any thread.
    `targets` limits the operation to some resources. `compared` is a second pack, whose findings on a preview
    are the `compared` of the result.
    """

    program: Program
    store: Store
    factory: ProviderFactory
    pack: Pack | None = None
    listener: Listener = field(default_factory=Silent)
    notice: Callable[[str], None] = lambda text: None
    cancel: threading.Event = field(default_factory=threading.Event)
    targets: Targets = ALL
    compared: Pack | None = None
    _current: Deployment | None = None

    def interrupt(self) -> None:
        """Start no further step, and cancel the waits of providers. May be called from any thread."""
        self.cancel.set()
        if self._current is not None:
            self._current.registry.cancel()

    def preview(self, *, refresh: bool = False, before_update: bool = False) -> Result:
        """Plan an update without changing anything. Raises KingdomError if the program fails.

        A reference to an unknown stack is an error of a plan `before_update`, because the update would fail;
        otherwise the outputs of the stack are unknown.

        With `refresh`, the plan starts from the values that the clouds have. Errors of the refresh end the
        operation.
        """
        snapshot = self.store.load()
        if refresh:
            refreshed = self._refresh(snapshot, None)
            if not refreshed.ok:
                return refreshed
            snapshot = refreshed.snapshot
        return self._run_program(snapshot, None, requires_stacks=before_update)

    def update(self) -> Result:
        """Update the stack to the declared state. The store's lock must be held. Raises KingdomError."""
        snapshot = self.store.load()
        journal = self.store.journal()
        return self._journalled(journal, lambda: self._run_program(snapshot, journal))

    def destroy(self, *, unprotect: bool = False) -> Result:
        """Delete all resources of the stack in reverse order. The store's lock must be held.

        If a resource is protected, nothing is deleted, unless `unprotect` is set. If a resource has delete
        hooks, which only a running program can call, nothing is deleted either.
        """
        snapshot = self.store.load()
        if not snapshot.resources and not snapshot.pending:
            self.store.remove()
            return Result(self.program.stack)
        self._require_known(snapshot, self.targets.targets, self.targets.excludes)
        journal = self.store.journal()

        def work() -> Result:
            deployment = self._deployment(snapshot, journal)
            DeploymentExecutor(deployment).delete_everything(unprotect=unprotect)
            return self._result(deployment)

        result = self._journalled(journal, work)
        if result.ok and not result.snapshot.resources and not result.snapshot.pending:
            self.store.remove()
        return result

    def refresh(self, *, preview: bool = False) -> Result:
        """Compare the records with the clouds and, unless `preview` is set, record the differences."""
        snapshot = self.store.load()
        self._require_known(snapshot, self.targets.targets, self.targets.excludes)
        if preview or not (snapshot.resources or snapshot.pending):
            return self._refresh(snapshot, None)
        journal = self.store.journal()
        return self._journalled(journal, lambda: self._refresh(snapshot, journal))

    def _refresh(self, snapshot: Snapshot, journal: Journal | None) -> Result:
        deployment = self._deployment(snapshot, journal)
        deleted: set[str] = set()
        included = self.targets.refreshed(snapshot.resources)
        for old in snapshot.resources:
            if self.cancel.is_set():
                break
            if old.urn not in included:
                continue
            if not old.custom and old.additional_secret_outputs:  # the CLI marks the outputs of each step
                outputs = with_additional_secrets(old.outputs, old.additional_secret_outputs)
                deployment.snapshot.put(replace(old, outputs=outputs))
            if not old.custom or old.pending_replacement or not old.provider:
                continue
            step = Step(Op.REFRESH, old.urn, old.type, True, old.parent, old.source_position)
            self.listener.begun(step)
            try:
                found = deployment.executor.read(deployment.registry.get(old.provider), old)
            except (StepFailedError, ProviderError) as error:
                self.listener.failed(step, str(error))
                deployment.recorder.error(old.urn, old.source_position, str(error))
                continue
            deployment.recorder.finished(_refreshed(step, old, found))
            if found is None:
                if not old.delete:
                    deleted.add(old.urn)
                deployment.snapshot.drop(old)
            else:
                deployment.snapshot.put(found)
        for record in deployment.snapshot.all() if deleted else ():
            deployment.snapshot.put(record.without(deleted))  # no record may refer to a deleted one
        return self._result(deployment)

    def _run_program(
        self, snapshot: Snapshot, journal: Journal | None, *, requires_stacks: bool = True
    ) -> Result:
        from rehearsal.engine.program import runner as program  # imports the SDK, which takes a second

        self._require_known(snapshot, self.targets.replaces)
        if self.program.unreadable:
            self._note_unreadable(previewing=journal is None)
        deployment = self._deployment(snapshot, journal, requires_stacks=requires_stacks)
        for key in sorted(self.program.unreadable):
            deployment.log(
                Severity.WARNING, f"config {key} is encrypted and was not decrypted: it is unknown"
            )
        executor = DeploymentExecutor(deployment)
        executor.resume()
        monitor = Monitor(executor, self.program.root, self.program.main)
        this = self.program
        try:
            if not this.runs:
                deployment.log(Severity.WARNING, _NO_RUNTIME)
                executor.finish()
                return self._result(deployment)
            program.run(
                main=this.main,
                root=this.root,
                project=this.project,
                stack=this.stack,
                config=this.config,
                entry=this.entry,
                secrets=this.secrets,
                unreadable=this.unreadable,
                monitor=monitor,
                engine=Engine(deployment),
                dry_run=deployment.preview,
                notice=self.notice,
            )
        except KingdomError as error:
            if monitor.fatal is not None:
                raise monitor.fatal from None
            executor.retain_former_outputs()
            # An earlier failure may be the cause of the program's: report both.
            failures = [
                _described(item)
                for item in deployment.recorder.diagnostics
                if item.severity is Severity.ERROR
            ]
            hidden = SecretFilter(this.hidden)
            error.message = hidden.text(error.message)
            error.details = tuple(map(hidden.text, (*error.details, *failures)))
            raise
        finally:
            deployment.registry.close()
            if monitor.fatal is None and not deployment.preview:
                deployment.snapshot.follow_renamed(deployment.adopted)
        if monitor.fatal is not None:
            raise monitor.fatal
        result = self._result(deployment)
        # Deletions after the program may have failed, too.
        if deployment.failed or result.errors or result.mandatory:
            executor.retain_former_outputs()
            result = replace(result, snapshot=deployment.snapshot.snapshot())
        elif not deployment.preview:
            self.store.record_calls(deployment.calls.made)
        return result

    def _require_known(self, snapshot: Snapshot, *patterns: Patterns) -> None:
        """Refuse URNs in `patterns` that no record has."""
        known = {item.urn for item in snapshot.resources}
        if unknown := [urn for one in patterns for urn in one.unknown(known)]:
            raise KingdomError(
                f"the state of {self.program.stack} has no resource with these URNs:",
                details=unknown,
                remedy="A URN that contains `$` or `*` must be quoted. State and `--json` list the URNs.",
            )

    def _note_unreadable(self, *, previewing: bool) -> None:
        """Refuse an update whose configuration cannot be decrypted; a preview treats it as unknown."""
        if not previewing:
            raise KingdomError(
                "the configuration holds encrypted values that cannot be decrypted:",
                details=[f"config.{key}" for key in sorted(self.program.unreadable)],
                remedy="Set PULUMI_CONFIG_PASSPHRASE (or …_FILE) to the passphrase of the stack file. With a"
                " `secretsprovider` that is a key service, the stack can only be previewed.",
            )

    def _deployment(
        self, snapshot: Snapshot, journal: Journal | None, *, requires_stacks: bool = True
    ) -> Deployment:
        self._current = Deployment(
            stack=self.program.stack,
            project=self.program.project,
            snapshot=snapshot,
            factory=self.factory,
            config=self.program.provider_config(),
            policy_checks=PolicyChecks(self.pack, self.compared),
            listener=self.listener,
            journal=journal,
            cancelled=self.cancel,
            crash_folder=self.store.folder,
            references=self.program.references,
            requires_stacks=requires_stacks,
            hidden=SecretFilter(self.program.hidden),
            calls=self._function_calls(updating=journal is not None),
            targets=self.targets,
            autonaming=Autonaming.parse(self.program.config, self.program.project, self.program.stack),
        )
        return self._current

    def _function_calls(self, *, updating: bool) -> FunctionCalls:
        """Return the calls of the last update. A preview before it has none, and needs no passphrase."""
        former = self.store.calls()
        return FunctionCalls(former, self.store.crypter.digest if updating or former else None)

    def _journalled(self, journal: Journal, work: Callable[[], Result]) -> Result:
        """Run `work` and fold the journal, also when `work` raises, so that completed steps stay recorded.

        A temporary store has no journal: the records in memory are written instead.
        """
        self._current = None  # an earlier preview's, whose records are not written
        try:
            return work()
        finally:
            journal.close()
            if not self.store.temporary:
                self.store.fold(self.store.load())
            elif self._current is not None:
                self.store.fold(self._current.snapshot.snapshot())

    def _result(self, deployment: Deployment) -> Result:
        deployment.registry.close()  # what providers printed is part of the result
        hidden = SecretFilter(self.program.hidden)
        result = Result(
            stack=self.program.stack,
            steps=tuple(deployment.recorder.steps),
            diagnostics=tuple(deployment.recorder.diagnostics),
            violations=tuple(deployment.policy_checks.violations),
            remediations=tuple(deployment.policy_checks.remediations),
            outputs=deployment.outputs,
            snapshot=deployment.snapshot.snapshot(),
            policy_pack=self.pack.label if self.pack else "",
            planned=deployment.preview,
            interrupted=self.cancel.is_set(),
        )
        if self.compared is None or (violations := deployment.policy_checks.compared) is None:
            return hidden.result(result)
        label = self.compared.label
        compared = replace(result, violations=tuple(violations), policy_pack=label)
        return replace(hidden.result(result), compared=hidden.result(compared))


def _refreshed(step: Step, old: ResourceState, found: ResourceState | None) -> Step:
    if found is None:
        return replace(step, op=Op.DELETE)
    changes = property_changes(old.outputs, found.outputs)
    return replace(step, op=Op.UPDATE if changes else Op.SAME, changes=changes)


def _described(item: Diagnostic) -> str:
    where = f"{name_of(item.urn)}: " if item.urn.count("::") >= 3 else ""
    return f"{item.source}: {where}{item.message}" if item.source else f"{where}{item.message}"
