"""Deletes what is no longer wanted: dependents before what they depend on, independent ones side by side."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final

from rehearsal.clouds.errors import ProviderError
from rehearsal.engine.events import Diagnostic, Op, Severity, Step
from rehearsal.engine.executor import StepFailedError
from rehearsal.engine.state import ResourceState

if TYPE_CHECKING:
    from rehearsal.engine.deployment import Deployment

_PARALLEL: Final = 16


class Deletion:
    """The deletions of one operation."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._ledger = deployment.ledger

    def of_undeclared(self, declared: Collection[str], *, unprotect: bool = False) -> None:
        """Deletes every record whose URN is not in `declared`, and every one retired by a replacement.

        When one of them is protected, nothing is deleted and each protected one is reported.
        """
        for pending in self._ledger.pending():
            if pending.type == "creating" and pending.resource.urn not in declared:
                self.complete(pending.resource, pending.type)
        doomed = [item for item in self._ledger.all() if item.delete or item.urn not in declared]
        protected = [item for item in doomed if item.protect and not item.delete and not unprotect]
        if protected:
            for item in protected:
                self._deployment.note(
                    Diagnostic(
                        Severity.ERROR,
                        "it is protected and would be deleted. Set protect to false in the program and run"
                        " `up` first, if this is meant.",
                        item.urn,
                        item.source_position,
                    )
                )
            return
        self._all(doomed)

    def complete(self, resource: ResourceState, operation: str) -> None:
        """Ends an `operation` of which only the beginning is recorded by deleting what came of it."""
        executor = self._deployment.executor
        try:
            if operation == "deleting":
                executor.delete(self._owner(resource), resource)
            elif not executor.preview and (owner := self._owner(resource)) is not None:
                executor.ask_for_deletion(owner, resource)
                self._ledger.end(operation, resource)
        except (StepFailedError, ProviderError) as error:
            self._deployment.note(Diagnostic(Severity.ERROR, str(error), resource.urn))

    def _owner(self, resource: ResourceState):
        return self._deployment.provider(resource.provider) if resource.provider else None

    def _all(self, doomed: list[ResourceState]) -> None:
        waiting = {item.key: item for item in doomed}
        going = {item.urn for item in doomed if not item.delete}
        running: dict[Future[None], ResourceState] = {}
        stuck: list[ResourceState] = []  # what stays, and so keeps what it needs
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="delete") as pool:
            while waiting:
                needed = _needs([*waiting.values(), *running.values()])
                kept = _needs(stuck)
                ready = [item for item in waiting.values() if item.urn not in needed[item.delete]]
                # A cycle can only come from a damaged state; then any order is as good as another.
                for item in ready or ([] if running else list(waiting.values())):
                    del waiting[item.key]
                    if self._deployment.cancelled.is_set() or item.urn in kept[item.delete]:
                        stuck.append(item)
                    else:
                        running[pool.submit(self._one, item, going)] = item
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                stuck += [item for future in done if (item := running.pop(future)) and future.exception()]

    def _one(self, resource: ResourceState, going: set[str]) -> None:
        deployment = self._deployment
        step = Step(
            Op.DELETE,
            resource.urn,
            resource.type,
            resource.custom,
            resource.parent,
            resource.source_position,
            retained=resource.retain_on_delete,
        )
        ask = not resource.retain_on_delete and resource.deleted_with not in going
        deployment.listener.begun(step)
        try:
            owner = self._owner(resource) if ask and not deployment.preview else None
            deployment.executor.delete(owner, resource, ask=ask)
        except (StepFailedError, ProviderError) as error:
            deployment.listener.failed(step, str(error))
            deployment.note(Diagnostic(Severity.ERROR, str(error), resource.urn, resource.source_position))
            raise
        if resource.delete:  # the second half of a replacement, which was counted as one step
            deployment.listener.done(step)
        else:
            deployment.finished(step)


def _needs(items: list[ResourceState]) -> dict[bool, set[str]]:
    """The URNs that `items` refer to: under False all of them, under True those of retired items only.

    What a replacement retired is held by other retired resources alone: the live ones have moved on.
    """
    return {
        retired: {urn for item in items if item.delete or not retired for urn in item.references()}
        for retired in (False, True)
    }
