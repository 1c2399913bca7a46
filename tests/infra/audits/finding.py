"""A finding of an audit: the property, the resource that violates it, and how."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.engine.state.resource_state import ResourceState


@dataclass(frozen=True)
class Finding:
    """One violation. As text: `stores: storage (gcp:storage/bucket:Bucket) forceDestroy is true`."""

    promise: str
    resource: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.resource} {self.what}"


def title(resource: ResourceState) -> str:
    """Return the title of a resource: logical name and type."""
    return f"{resource.urn.rpartition('::')[2]} ({resource.type})"


def is_of_a_cloud(resource: ResourceState) -> bool:
    """Return whether the resource exists in a cloud: it is neither a component nor a provider."""
    return resource.custom and not resource.type.startswith("pulumi:")
