"""A new project, the plan of its first deployment, and obstacles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rehearsal.engine.state import ResourceState
from rehearsal.providers.constraints.reserved_names import reserved_names
from rehearsal.pulumi.properties import unwrap
from rehearsal.pulumi.urn import name_of

# https://cloud.google.com/service-usage/docs/enabled-service
ENABLED_AT_CREATION: Final = frozenset(
    {"logging", "monitoring", "servicemanagement", "serviceusage", "storage", "storage-api"}
)
# Without it a project cannot be read, so the runbook enables it with the first command.
ENABLED_BY_HAND: Final = frozenset({"cloudresourcemanager"})
# The lowest values reported for new projects (terraform-google-kubernetes-engine#1795).
DEFAULT_QUOTAS: Final[Mapping[str, int]] = {"CPUS": 24, "N2D_CPUS": 24, "N2_CPUS": 24, "SSD_TOTAL_GB": 250}


@dataclass(frozen=True, order=True)
class Obstacle:
    """An obstacle at one resource: its URN, the failure, and the remedy."""

    urn: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{name_of(self.urn) if self.urn else 'stack'}: {self.what}. {self.remedy}"


@dataclass(frozen=True)
class FreshProject:
    """The cloud accounts before the first deployment.

    `enabled` are the enabled Google APIs. `quotas` are the granted quotas of the region by name. `networks`
    are the existing networks. `plan` is the plan of the Cloudflare zone. `taken` lists names that an earlier
    deployment reserved in the project, with their type tokens (see :meth:`after`).
    """

    enabled: frozenset[str] = ENABLED_AT_CREATION | ENABLED_BY_HAND
    quotas: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_QUOTAS))
    networks: frozenset[str] = frozenset({"default"})
    plan: str = "pro"
    taken: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of_stack(cls, config: Mapping[str, str]) -> FreshProject:
        """Read plan and quotas from a stack's `config`, in which structured values are JSON text."""
        edge = json.loads(config.get("kingdom:edge", "{}"))
        granted = json.loads(config.get("quotas:granted", "{}"))
        return cls(quotas={**DEFAULT_QUOTAS, **granted}, plan=str(edge.get("plan", "pro")))

    def after(self, deleted: Iterable[ResourceState]) -> FreshProject:
        """Return the accounts after an earlier deployment: names of `deleted` resources stay taken."""
        left = set(self.taken)
        for resource in deleted:
            reserved = reserved_names().get(resource.type) if resource.custom else None
            name = reserved.of(unwrap(dict(resource.inputs))) if reserved else None
            if name is not None:
                left.add((resource.type, name))
        return replace(self, taken=frozenset(left))


@dataclass(frozen=True)
class CreationPlan:
    """The resources of a plan by URN, with plain inputs and the dependencies of each."""

    resources: Mapping[str, ResourceState]
    inputs: Mapping[str, dict[str, Any]]
    _before: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, resources: Sequence[ResourceState]) -> CreationPlan:
        """Return the plan of these resources, including components and providers, which have dependencies."""
        return cls(
            {item.urn: item for item in resources},
            {item.urn: unwrap(dict(item.inputs)) for item in resources if item.custom},
        )

    def of_type(self, *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """URN and inputs of every resource whose type token is one of `types`."""
        for urn, inputs in self.inputs.items():
            if self.resources[urn].type in types:
                yield urn, inputs

    def before(self, urn: str) -> frozenset[str]:
        """Return the URNs of everything that exists before the resource is created."""
        if urn not in self._before:
            self._before[urn] = frozenset()  # ends the recursion in a cycle, which a program cannot declare
            found: set[str] = set()
            resource = self.resources.get(urn)
            if resource is not None:
                direct = {*resource.dependencies, *_provider_of(resource)}
                for names in resource.property_dependencies.values():
                    direct.update(names)
                for one in direct:
                    found |= {one, *self.before(one)}
            self._before[urn] = frozenset(found)
        return self._before[urn]


def _provider_of(resource: ResourceState) -> tuple[str, ...]:
    """Return the URN of a resource's provider; a provider reference is ``<urn>::<id>``."""
    return (resource.provider.rpartition("::")[0],) if resource.provider else ()
