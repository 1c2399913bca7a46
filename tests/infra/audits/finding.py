"""Result of an audit: the requirement, the resource and the difference."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.engine.state import ResourceState


@dataclass(frozen=True)
class Finding:
    """One violated requirement; as text `stores: data (gcp:storage/bucket:Bucket) forceDestroy is true`."""

    promise: str
    resource: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.resource} {self.what}"


def title(resource: ResourceState) -> str:
    """Logical name and type of a resource."""
    return f"{resource.urn.rpartition('::')[2]} ({resource.type})"


def is_of_a_cloud(resource: ResourceState) -> bool:
    """Whether it is something in a cloud: no component, no provider."""
    return resource.custom and not resource.type.startswith("pulumi:")
