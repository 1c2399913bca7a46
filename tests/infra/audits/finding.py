"""What a walk found: which promise is broken, by which resource, and how."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.engine.state.resource_state import ResourceState


@dataclass(frozen=True)
class Offence:
    """One broken promise. As text: `stores: storage (gcp:storage/bucket:Bucket) forceDestroy is true`."""

    promise: str
    resource: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.resource} {self.what}"


def title(resource: ResourceState) -> str:
    """A resource as people find it: logical name and type."""
    return f"{resource.urn.rpartition('::')[2]} ({resource.type})"


def is_of_a_cloud(resource: ResourceState) -> bool:
    """Whether it is something in a cloud: no component, no provider."""
    return resource.custom and not resource.type.startswith("pulumi:")
