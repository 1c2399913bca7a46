"""Dependents that must be replaced along with a resource that is deleted before it is created again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable

from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.diff import interpret
from rehearsal.engine.providers.registry import Provider
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.engine.state.snapshot_manager import SnapshotManager
from rehearsal.pulumi.properties import UNKNOWN, encode
from rehearsal.pulumi.urn import is_provider, name_of, split_reference


def refusal(what: str, resource: ResourceState) -> str:
    """Return the error for a protected `resource` that would be ``replaced``."""
    return (
        f"it is protected and would be {what}: {resource.urn}. To allow it, set protect to false in the"
        " program and run `up` first."
    )


class DeletionClaims:
    """Resources that are deleted before their own registration. Thread-safe.

    Pulumi plans resources one after the other. Here registrations run in parallel, so a resource that is
    deleted along with another one must not be planned at the same time.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._claimed: set[str] = set()
        self._entered: set[str] = set()

    def enter(self, urn: str, aliases: Collection[str]) -> None:
        """Mark `urn` as planned; wait while it is claimed."""
        names = {urn, *aliases}
        with self._condition:
            self._condition.wait_for(lambda: not names & self._claimed)
            self._entered |= names

    def claim(self, find: Callable[[Collection[str]], list[ResourceState]]) -> list[ResourceState]:
        """Claim the resources that `find` returns, given the URNs that are planned already."""
        with self._condition:
            found = find(self._entered)
            self._claimed |= {resource.urn for resource in found}
            return found

    def release(self, resources: Iterable[ResourceState]) -> None:
        with self._condition:
            self._claimed -= {resource.urn for resource in resources}
            self._condition.notify_all()


def dependent_replacements(
    root: ResourceState,
    snapshot: SnapshotManager,
    provider_of: Callable[[str], Provider],
    planned: Collection[str] = (),
) -> list[ResourceState]:
    """Return the live dependents of `root` that must be replaced too, in the order of their deletion.

    A dependent is replaced if its provider is replaced, if it is deleted with a replaced resource, or if its
    diff requires a replacement when the properties that come from replaced resources are unknown. Resources
    in `planned` are skipped: their registration no longer refers to the old resource. This is
    ``calculateDependentReplacements`` of ``pkg/resource/deploy/step_generator.go``. Raises ProviderError.
    """
    replaced = {root.urn}
    chosen: list[ResourceState] = []
    for resource in snapshot.dependents(root.urn):
        if resource.urn in replaced or resource.urn in planned or resource.pending_replacement:
            continue
        if resource.external:
            continue
        if resource.custom and _replaced_after(resource, replaced, provider_of):
            replaced.add(resource.urn)
            chosen.append(resource)
        # ``findDependentCascadeReplacements``: of any kind, but bound to the root only. Dependents of such a
        # resource are not replaced before their own registration.
        elif root.urn in resource.replace_with or resource.deleted_with == root.urn:
            chosen.append(resource)
    return chosen[::-1]


def _replaced_after(
    resource: ResourceState, replaced: set[str], provider_of: Callable[[str], Provider]
) -> bool:
    if resource.provider and split_reference(resource.provider)[0] in replaced:
        return True
    if resource.deleted_with in replaced:
        return True
    touched = [
        key
        for key, urns in resource.property_dependencies.items()
        if key in resource.inputs and not replaced.isdisjoint(urns)
    ]
    return bool(touched) and _would_be_replaced(resource, touched, provider_of)


def _would_be_replaced(
    resource: ResourceState, touched: list[str], provider_of: Callable[[str], Provider]
) -> bool:
    news = {key: UNKNOWN if key in touched else value for key, value in resource.inputs.items()}
    request = provider_pb2.DiffRequest(
        id=resource.id,
        urn=resource.urn,
        name=name_of(resource.urn),
        type=resource.type,
        olds=encode(resource.outputs),
        old_inputs=encode(resource.inputs),
        news=encode(news),
        ignoreChanges=resource.ignore_changes,
    )
    if is_provider(resource.type):
        response = provider_of(f"{resource.urn}::{resource.id}").DiffConfig(request, None)
    else:
        response = provider_of(resource.provider).Diff(request, None)
    diff = interpret(response, resource.inputs, news, replace_on_changes=resource.replace_on_changes)
    return diff.replace
