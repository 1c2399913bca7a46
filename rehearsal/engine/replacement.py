"""Which resources must be replaced along with one that is deleted before it is created anew."""

from __future__ import annotations

from collections.abc import Callable

from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.ledger import Ledger
from rehearsal.engine.providers import Provider
from rehearsal.engine.state import ResourceState, in_order
from rehearsal.engine.urn import is_provider, name_of, split_reference
from rehearsal.properties import UNKNOWN, encode


def dependent_replacements(
    root: ResourceState, ledger: Ledger, provider_of: Callable[[str], Provider]
) -> list[ResourceState]:
    """The live dependents of `root` that cannot outlive it, in the order in which to delete them.

    A dependent goes along when its provider is among the replaced, or when it would itself be replaced were
    the properties that come from them unknown. This is ``calculateDependentReplacements`` of
    ``pkg/resource/deploy/step_generator.go``.
    """
    replaced = {root.urn}
    chosen: list[ResourceState] = []
    for resource in in_order(item for item in ledger.all() if not item.delete):
        if resource.urn in replaced or not resource.custom or resource.external:
            continue
        if resource.provider and split_reference(resource.provider)[0] in replaced:
            replaced.add(resource.urn)
            chosen.append(resource)
            continue
        touched = [key for key, urns in resource.property_dependencies.items() if replaced & set(urns)]
        if not touched and not (not resource.property_dependencies and replaced & set(resource.dependencies)):
            continue
        if is_provider(resource.type) or _would_be_replaced(
            resource, touched, provider_of(resource.provider)
        ):
            replaced.add(resource.urn)
            chosen.append(resource)
    return chosen[::-1]


def _would_be_replaced(resource: ResourceState, touched: list[str], provider: Provider) -> bool:
    news = {key: UNKNOWN if key in touched else value for key, value in resource.inputs.items()}
    answer = provider.Diff(
        provider_pb2.DiffRequest(
            id=resource.id,
            urn=resource.urn,
            name=name_of(resource.urn),
            type=resource.type,
            olds=encode(resource.outputs),
            old_inputs=encode(resource.inputs),
            news=encode(news),
            ignoreChanges=resource.ignore_changes,
        ),
        None,
    )
    return bool(answer.replaces)
