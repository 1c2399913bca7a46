"""Deletion of undeclared resources: dependents before their dependencies, independent ones in parallel."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final

from rehearsal.engine.events import Op, Severity, Step
from rehearsal.engine.providers.registry import Provider
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.engine.step_executor import StepFailedError
from rehearsal.errors import KingdomError
from rehearsal.providers.dynamic import PACKAGE as DYNAMIC
from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.urn import package_of

if TYPE_CHECKING:
    from rehearsal.engine.deployment import Deployment

_PARALLEL: Final = 16


class Deletion:
    """Deletes resources for one operation."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._snapshot = deployment.snapshot

    def of_undeclared(self, declared: Collection[str], *, unprotect: bool = False) -> None:
        """Delete every resource whose URN is not in `declared`, and every one retired by a replacement.

        A protected resource is reported as an error. An update then deletes nothing; a preview still shows
        the planned deletions.
        """
        adopted = self._deployment.adopted
        declared = {*declared, *adopted.values()}  # a record that is not included has its former URN
        targets = self._deployment.selection.targets
        deletable = targets.deletable(self._deployment.initial.resources)
        undeclared = [item for item in self._snapshot.all() if item.delete or item.urn not in declared]
        needed = self._deployment.selection.needed(self._deployment.initial.resources)
        to_delete: list[ResourceState] = []
        for item in undeclared:
            former = adopted.get(item.urn, item.urn)
            if deletable(former) and (item.delete or former not in needed):
                to_delete.append(item)
            else:
                self._note_retained(item)
        if unrequested := [item for item in to_delete if targets.unrequested(item.urn)]:
            for item in unrequested:
                self._error(
                    item,
                    "it would be deleted, because it depends on a target, and is not a target itself. Name"
                    " it as a target too, or add --target-dependents",
                )
            if not self._deployment.preview:
                return
        protected = [item for item in to_delete if item.protect and not item.delete and not unprotect]
        for item in protected:
            message = (
                "it is protected and would be deleted. To delete it, set protect to false in the program and"
                " run `up` first."
            )
            self._error(item, message, protected=True)
        if protected and not self._deployment.preview:
            return
        self._half_created(declared, deletable)
        self._all(to_delete)

    def _note_retained(self, item: ResourceState) -> None:
        """Report an undeclared resource that the operation does not include as unchanged."""
        if not item.delete:
            step = Step(Op.SAME, item.urn, item.type, item.custom, item.parent, item.source_position)
            self._deployment.recorder.finished(step)

    def refuse_hooks(self) -> bool:
        """Report every resource with delete hooks as an error; return whether there is one."""
        found = False
        for item in self._snapshot.all():
            if names := [
                name for kind in ("BeforeDelete", "AfterDelete") for name in item.hooks.get(kind, ())
            ]:
                found = True
                message = (
                    f"it has delete hooks ({', '.join(names)}), which only a running program can call. Remove"
                    " the resource or its hooks from the program and run `up` first."
                )
                self._error(item, message)
        return found

    def resume(self) -> None:
        """Finish deletions that an earlier operation started and did not record as finished.

        A resource that was live keeps its record, marked as pending replacement, because others may still
        refer to it. It is created again, or dropped when the program no longer declares it. A creation by a
        dynamic provider, whose code can neither repeat it nor find its result, is only reported.
        """
        for pending in self._snapshot.pending():
            resource = pending.resource
            if pending.type == "creating" and package_of(resource.type) == DYNAMIC:
                self._deployment.log(
                    Severity.WARNING,
                    "its creation was interrupted: what its dynamic provider has created is not recorded",
                    resource.urn,
                )
                self._snapshot.end("creating", resource)
            elif pending.type == "deleting":
                try:
                    self._deployment.executor.delete(
                        self._owner(resource),
                        resource,
                        ask=not resource.delete or not self._is_in_use(resource),
                        awaits_replacement=not resource.delete,
                    )
                except (StepFailedError, ProviderError) as error:
                    self._error(resource, str(error))

    def _half_created(self, declared: Collection[str], deletable: Callable[[str], bool]) -> None:
        """Remove what interrupted creations may have created of resources that are no longer declared."""
        for pending in self._snapshot.pending():
            resource = pending.resource
            if pending.type != "creating" or resource.urn in declared or not deletable(resource.urn):
                continue
            try:
                if not self._deployment.preview:
                    provider = self._deployment.registry.get(resource.provider)
                    live = self._snapshot.live(resource.urn)
                    if live is None or live.pending_replacement:
                        self._deployment.executor.request_deletion(provider, resource)
                    else:  # it would have replaced a resource that still exists
                        self._deployment.executor.undo_creation(provider, resource, spare=live.id)
                self._snapshot.end("creating", resource)
            except (StepFailedError, ProviderError) as error:
                self._error(resource, str(error))

    def _owner(self, resource: ResourceState) -> Provider | None:
        if not resource.provider or self._deployment.preview:
            return None
        return self._deployment.registry.get(resource.provider)

    def _is_in_use(self, retired: ResourceState) -> bool:
        """Return whether `retired` must not be deleted, because a live resource has its id.

        The code of dynamic providers is called, as by the CLI: it is real, and chooses the ids itself.
        """
        return package_of(retired.type) != DYNAMIC and self._snapshot.uses_id_of(retired)

    def _error(self, resource: ResourceState, message: str, *, protected: bool = False) -> None:
        self._deployment.recorder.error(resource.urn, resource.source_position, message, protected=protected)

    def _all(self, to_delete: list[ResourceState]) -> None:
        order = _DeletionOrder(to_delete, self._deployment.initial.resources)
        preview = self._deployment.preview
        together = {(item.urn, item.delete) for item in to_delete}
        # Determined before any deletion: afterwards the live records may be absent.
        in_use = {item.key for item in to_delete if item.delete and self._is_in_use(item)}
        running: dict[Future[None], ResourceState] = {}
        fatal: KingdomError | None = None  # the state cannot be written: start no further deletion
        failed, failed_before = False, self._deployment.failed
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="delete") as pool:
            while True:
                # As in the CLI, resources are deleted in groups without references to each other, and an
                # update starts no further group after a deletion has failed, or its hook.
                failed = failed or (self._deployment.failed and not failed_before)
                stopped = fatal or self._deployment.cancelled.is_set() or (failed and not preview)
                for item in order.ready():
                    if stopped:
                        order.retain(item)
                    else:
                        running[pool.submit(self._one, item, together, in_use=item.key in in_use)] = item
                if not running:
                    break
                wait(running)
                for future in list(running):
                    item, error = running.pop(future), future.exception()
                    if error is None:
                        continue
                    order.retain(item)
                    failed = True
                    if not isinstance(error, (StepFailedError, ProviderError)):
                        if not isinstance(error, KingdomError):
                            raise error
                        fatal = fatal or error
        if fatal is not None:
            raise fatal

    def _one(self, resource: ResourceState, together: set[tuple[str, bool]], *, in_use: bool) -> None:
        """Delete `resource`; if its id is `in_use` by a live resource, only its record is deleted."""
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
        ask = (
            not resource.retain_on_delete
            and not in_use
            and (resource.deleted_with, resource.delete) not in together
        )
        deployment.recorder.listener.begun(step)
        try:
            owner = self._owner(resource) if ask and not resource.pending_replacement else None
            deployment.executor.delete(owner, resource, ask=ask)
        except (StepFailedError, ProviderError) as error:
            deployment.recorder.listener.failed(step, str(error))
            self._error(resource, str(error))
            raise
        if resource.delete:
            deployment.recorder.listener.done(step)  # part of a replacement, which counts as one step
        else:
            deployment.recorder.finished(step)


class _DeletionOrder:
    """Groups of deletions: everything that refers to a resource is in an earlier group.

    A resource is in the last group that this allows, as in ``ScheduleDeletes`` of
    ``pkg/resource/deploy/step_generator.go``. `recorded` are the records before the operation: a reference
    of a live resource means a replaced one if that precedes it there. Each reference is visited a constant
    number of times, so the time is linear in their number.
    """

    def __init__(self, items: list[ResourceState], recorded: Sequence[ResourceState] = ()) -> None:
        self._waiting = {item.key: item for item in items}
        self._by_urn: dict[str, list[ResourceState]] = {}
        for item in items:
            self._by_urn.setdefault(item.urn, []).append(item)
        self._position = {(item.urn, item.id): index for index, item in enumerate(recorded)}
        self._groups = self._grouped(items)

    def ready(self) -> list[ResourceState]:
        """Return the next group without what is retained, which is empty at the end.

        No deletion may be running.
        """
        while self._groups:
            found = [item for item in self._groups.pop() if self._waiting.pop(item.key, None) is not None]
            if found:
                return found
        return []

    def retain(self, item: ResourceState) -> None:
        """Leave out everything that `item`, which is not deleted, depends on."""
        pending = [item]
        while pending:
            needed = self._targets(pending.pop())
            pending += [target for target in needed if self._waiting.pop(target.key, None) is not None]

    def _grouped(self, items: list[ResourceState]) -> list[list[ResourceState]]:
        """Return the groups, the last one to be deleted first.

        Resources of a cycle, which occurs only in a damaged state, are deleted first, in any order.
        """
        targets = {item.key: self._targets(item) for item in items}
        users: dict[tuple[str, str], list[ResourceState]] = {}
        for item in items:
            for target in targets[item.key]:
                users.setdefault(target.key, []).append(item)
        missing = {key: len(found) for key, found in targets.items()}
        groups: list[list[ResourceState]] = []
        group = [item for item in items if not missing[item.key]]
        while group:
            groups.append(group)
            following: list[ResourceState] = []
            for user in (user for item in group for user in users.get(item.key, ())):
                missing[user.key] -= 1
                if not missing[user.key]:
                    following.append(user)
            group = following
        if cycle := [item for item in items if missing[item.key]]:
            groups.append(cycle)
        return groups

    def _targets(self, item: ResourceState) -> list[ResourceState]:
        return [
            target
            for urn in dict.fromkeys(item.references())
            for target in self._by_urn.get(urn, ())
            if target.key != item.key and self._is_meant(target, item)
        ]

    def _is_meant(self, target: ResourceState, item: ResourceState) -> bool:
        """Return whether a reference of `item` to the URN of `target` means `target`."""
        if item.delete or not target.delete:
            return True
        before = self._position.get((target.urn, target.id))
        after = self._position.get((item.urn, item.id))
        return before is not None and after is not None and before < after
