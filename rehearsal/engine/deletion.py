"""Deletes what is no longer wanted: dependents before what they depend on, independent ones side by side."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final

from rehearsal.engine.events import Op, Step
from rehearsal.engine.providers.registry import Provider
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.engine.step_executor import StepFailedError
from rehearsal.errors import KingdomError
from rehearsal.providers.errors import ProviderError

if TYPE_CHECKING:
    from rehearsal.engine.deployment import Deployment

_PARALLEL: Final = 16


class Deletion:
    """The deletions of one operation."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._snapshot = deployment.snapshot

    def of_undeclared(self, declared: Collection[str], *, unprotect: bool = False) -> None:
        """Deletes every record whose URN is not in `declared`, and every one retired by a replacement.

        Each protected one is reported. When there is one, nothing is deleted; a preview shows all the same
        what would be.
        """
        doomed = [item for item in self._snapshot.all() if item.delete or item.urn not in declared]
        protected = [item for item in doomed if item.protect and not item.delete and not unprotect]
        for item in protected:
            message = (
                "it is protected and would be deleted. Set protect to false in the program and run `up`"
                " first, if this is meant."
            )
            self._error(item, message, protected=True)
        if protected and not self._deployment.preview:
            return
        self._half_created(declared)
        self._all(doomed)

    def resume(self) -> None:
        """Finishes deletions that an earlier operation began and of whose end nothing is known.

        What was live then keeps its record until it is created anew, or until the program turns out not to
        declare it any more: others may still refer to it.
        """
        for pending in self._snapshot.pending():
            if pending.type == "deleting":
                resource = pending.resource
                try:
                    self._deployment.executor.delete(
                        self._owner(resource), resource, awaits_replacement=not resource.delete
                    )
                except (StepFailedError, ProviderError) as error:
                    self._error(resource, str(error))

    def _half_created(self, declared: Collection[str]) -> None:
        """Removes what interrupted creations may have made of resources that are no longer declared."""
        for pending in self._snapshot.pending():
            resource = pending.resource
            if pending.type != "creating" or resource.urn in declared:
                continue
            try:
                if not self._deployment.preview:
                    provider = self._deployment.registry.get(resource.provider)
                    live = self._snapshot.live(resource.urn)
                    if live is None or live.pending_replacement:
                        self._deployment.executor.request_deletion(provider, resource)
                    else:  # it was about to take over from one that stands
                        self._deployment.executor.undo_creation(provider, resource, spare=live.id)
                self._snapshot.end("creating", resource)
            except (StepFailedError, ProviderError) as error:
                self._error(resource, str(error))

    def _owner(self, resource: ResourceState) -> Provider | None:
        if not resource.provider or self._deployment.preview:
            return None
        return self._deployment.registry.get(resource.provider)

    def _error(self, resource: ResourceState, message: str, *, protected: bool = False) -> None:
        self._deployment.recorder.error(resource.urn, resource.source_position, message, protected=protected)

    def _all(self, doomed: list[ResourceState]) -> None:
        waiting = {item.key: item for item in doomed}
        going = {(item.urn, item.delete) for item in doomed}
        running: dict[Future[None], ResourceState] = {}
        stuck: list[ResourceState] = []  # what stays, and so keeps what it needs
        fatal: KingdomError | None = None  # the state cannot be written: begin nothing more
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="delete") as pool:
            while waiting:
                needed = _needs([*waiting.values(), *running.values()])
                kept = _needs(stuck)
                ready = [item for item in waiting.values() if item.urn not in needed[item.delete]]
                # A cycle can only come from a damaged state; then any order is as good as another.
                for item in ready or ([] if running else list(waiting.values())):
                    del waiting[item.key]
                    if fatal or self._deployment.cancelled.is_set() or item.urn in kept[item.delete]:
                        stuck.append(item)
                    else:
                        running[pool.submit(self._one, item, going)] = item
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    item, error = running.pop(future), future.exception()
                    if error is not None:
                        stuck.append(item)
                    if error is not None and not isinstance(error, (StepFailedError, ProviderError)):
                        if not isinstance(error, KingdomError):
                            raise error
                        fatal = fatal or error
        for future in running:
            if isinstance(error := future.exception(), KingdomError):
                fatal = fatal or error
        if fatal is not None:
            raise fatal

    def _one(self, resource: ResourceState, going: set[tuple[str, bool]]) -> None:
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
        ask = not resource.retain_on_delete and (resource.deleted_with, resource.delete) not in going
        deployment.recorder.listener.begun(step)
        try:
            owner = self._owner(resource) if ask and not resource.pending_replacement else None
            deployment.executor.delete(owner, resource, ask=ask)
        except (StepFailedError, ProviderError) as error:
            deployment.recorder.listener.failed(step, str(error))
            self._error(resource, str(error))
            raise
        if resource.delete:
            deployment.recorder.listener.done(step)  # half of a replacement, which was counted as one step
        else:
            deployment.recorder.finished(step)


def _needs(items: list[ResourceState]) -> dict[bool, set[str]]:
    """The URNs that `items` refer to: under False all of them, under True those of retired items only.

    What a replacement retired is held by other retired resources alone: the live ones have moved on.
    """
    return {
        retired: {urn for item in items if item.delete or not retired for urn in item.references()}
        for retired in (False, True)
    }
