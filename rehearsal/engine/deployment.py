"""Shared context of one operation on one stack: records, providers, policy checks and failures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NoReturn

from rehearsal.engine.callbacks.client import Callbacks
from rehearsal.engine.callbacks.hooks import Hooks
from rehearsal.engine.callbacks.transforms import Transforms
from rehearsal.engine.errors import SkippedError
from rehearsal.engine.event_recorder import EventRecorder
from rehearsal.engine.events import Diagnostic, Listener, Op, PropertyChange, Severity, Step
from rehearsal.engine.goal import Goal
from rehearsal.engine.policy_checks import PolicyChecks
from rehearsal.engine.program.function_calls import FunctionCalls
from rehearsal.engine.program.secret_filter import SecretFilter
from rehearsal.engine.providers.autonaming import AS_PROVIDER, Autonaming
from rehearsal.engine.providers.builtin import PACKAGE, BuiltinProvider
from rehearsal.engine.providers.registry import ProviderFactory, ProviderRegistry
from rehearsal.engine.state.journal import Journal
from rehearsal.engine.state.resource_state import ResourceState, Snapshot
from rehearsal.engine.state.snapshot_manager import SnapshotManager
from rehearsal.engine.step_executor import StepExecutor, StepFailedError
from rehearsal.engine.targets import ALL, Selection, Targets
from rehearsal.pulumi.properties import UNKNOWN, Properties, Secret
from rehearsal.pulumi.urn import split_reference


class Deployment:
    """Context of one operation. Thread-safe: registrations come from many threads.

    `config` holds the provider configuration by package. Without a journal the operation is a preview: it
    changes nothing, and plans the remaining resources after a failure, so that all problems are reported at
    once. Tracebacks of internal errors are written to `crash_folder`. `references` returns the outputs of
    another stack, or None if they are unknown, which is an error if `requires_stacks`. `calls` has the calls
    of functions without a model, and `hidden` is the filter of messages. `targets` limits the operation to
    some resources, and `autonaming` holds the preferred names of resources that declare none.
    """

    def __init__(
        self,
        *,
        stack: str,
        project: str,
        snapshot: Snapshot,
        factory: ProviderFactory,
        config: Mapping[str, Properties],
        policy_checks: PolicyChecks,
        listener: Listener,
        journal: Journal | None,
        cancelled: threading.Event,
        crash_folder: Path | None = None,
        references: Callable[[str], Properties | None] = lambda name: None,
        requires_stacks: bool = True,
        calls: FunctionCalls | None = None,
        hidden: SecretFilter | None = None,
        targets: Targets = ALL,
        autonaming: Autonaming = AS_PROVIDER,
    ) -> None:
        self.stack = stack
        self.project = project
        self.preview = journal is None
        self.policy_checks = policy_checks
        self.snapshot = SnapshotManager(snapshot, journal)
        self.initial = snapshot
        self.selection = Selection(targets)
        self.autonaming = autonaming
        self.calls = calls or FunctionCalls()
        builtin = BuiltinProvider(
            self.snapshot, references, lambda urn: urn in self.registered, requires_stacks=requires_stacks
        )
        self.registry = ProviderRegistry(
            lambda package: builtin if package == PACKAGE else factory(package),
            self.snapshot,
            crash_folder,
            # Credentials that could not be decrypted are not required.
            optional=frozenset(
                (package, name)
                for package, values in config.items()
                for name, value in values.items()
                if value == Secret(UNKNOWN)
            ),
            log=partial(self.log, Severity.INFO),
        )
        self.cancelled = cancelled
        self.recorder = EventRecorder(listener, hidden)
        self.callbacks = Callbacks()
        self.transforms = Transforms(self.callbacks)
        self.hooks = Hooks(self.callbacks, preview=self.preview, warn=partial(self.log, Severity.WARNING))
        self.executor = StepExecutor(
            self.snapshot, self.hooks, preview=self.preview, failed=self.step_followed_by_failure
        )
        self.outputs: Properties = {}
        self.registered: dict[str, Goal] = {}
        self.adopted: dict[str, str] = {}  # former URNs of resources whose record was found by an alias
        self._adopters: dict[str, str] = {}  # the same by the former URN
        self._recorded = {item.urn for item in snapshot.resources if not item.delete}
        self._failed: set[str] = set()
        self._replaced: set[str] = set()
        self._lock = threading.Lock()
        self.config = config

    @property
    def failed(self) -> bool:
        with self._lock:
            return bool(self._failed)

    def has_failed(self, urn: str) -> bool:
        with self._lock:
            return urn in self._failed

    def fail(self, urn: str) -> None:
        """Record a failure: an update starts no further step after it."""
        with self._lock:
            self._failed.add(urn)

    def stop_after_failure(self) -> None:
        """Raise SkippedError after cancellation, and in an update after any failure."""
        if self.cancelled.is_set() or (self.failed and not self.preview):
            raise SkippedError

    def declare(self, goal: Goal) -> bool:
        """Record the declaration of `goal`; return False if its URN was declared before."""
        with self._lock:
            known = goal.urn in self.registered
            self.registered.setdefault(goal.urn, goal)
            return not known

    def redeclare(self, goal: Goal) -> None:
        """Record `goal` again after its provider is resolved."""
        with self._lock:
            self.registered[goal.urn] = goal

    def adopter(self, urn: str) -> str:
        """Return the URN of the resource that adopted the record `urn` by an alias, or an empty string."""
        with self._lock:
            return self._adopters.get(urn, "")

    def adopt(self, alias: str, urn: str) -> bool:
        """Record that `urn` adopts the record `alias`; return False if there was none at the beginning.

        Raises ValueError if another declared resource has that record, as the CLI does
        (``getOldResource`` in ``pkg/resource/deploy/step_generator.go``).
        """
        if alias == urn or alias not in self._recorded:
            return False
        with self._lock:
            if owner := self._adopters.get(alias) or (alias if alias in self.registered else ""):
                raise ValueError(
                    f"its alias {alias} is the resource {owner}: two resources cannot be the same one. Remove"
                    " one of the aliases"
                )
            self.adopted[urn], self._adopters[alias] = alias, urn
            return True

    def was_adopted(self, reference: str) -> bool:
        """Return whether the provider of `reference` was found by an alias: then it is the same provider."""
        with self._lock:
            return split_reference(reference)[0] in self.adopted

    def note_replacement(self, urn: str) -> None:
        with self._lock:
            self._replaced.add(urn)

    def is_replaced(self, urn: str) -> bool:
        """Return whether the resource `urn` is replaced in this operation."""
        with self._lock:
            return urn in self._replaced

    def log(self, severity: Severity, message: str, urn: str = "") -> None:
        """Record a message that does not fail the operation, whatever its severity."""
        self.recorder.note(Diagnostic(severity, message, urn, self._source_of(urn), logged=True))

    def step(self, op: Op, goal: Goal, changes: tuple[PropertyChange, ...] = ()) -> Step:
        """Create the event for `op` on the resource of `goal`."""
        return Step(op, goal.urn, goal.type, goal.custom, goal.parent, goal.source, changes)

    def reject(self, goal: Goal, reason: str) -> NoReturn:
        """Report an error of `goal`. Raises StepFailedError."""
        self.recorder.error(goal.urn, goal.source, reason)
        raise StepFailedError(reason)

    def refuse_protected(self, *refused: tuple[ResourceState, str]) -> None:
        """Report the protected resources that a step would delete, each with a message.

        Raises StepFailedError in an update; a preview continues, to show the rest of the plan.
        """
        for item, message in refused:
            self.recorder.error(item.urn, item.source_position, message, protected=True)
        if refused and not self.preview:
            raise StepFailedError(f"{len(refused)} protected resources would be deleted")

    def step_followed_by_failure(self, urn: str, reason: str) -> None:
        """Report a failure after a step whose result stays recorded, such as a failed after hook."""
        self.recorder.error(urn, self._source_of(urn), reason)
        self.fail(urn)

    def _source_of(self, urn: str) -> str:
        goal = self.registered.get(urn)
        return goal.source if goal else ""
