"""Pods and everything that makes pods: where their specs are, and which containers they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policies.model.property_tree import Node
from policies.model.stack import Object, Resource, objects_of

# Kind to the path of its pod template; the same kinds that Pod Security admission looks into.
TEMPLATES: Final[dict[str, tuple[str, ...]]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    "ReplicationController": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "Deployment": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
# Type tokens of the above, and lists of them. Patch resources are partial objects and judged by the server.
POD_TYPES: Final = r"kubernetes:(core|apps|batch|extensions)/\w+:(" + "|".join(TEMPLATES) + r"|List)(List)?"
CONTAINER_FIELDS: Final = ("initContainers", "containers", "ephemeralContainers")


@dataclass(frozen=True)
class PodTemplate:
    """A pod's metadata and spec, wherever they were found."""

    owner: Object
    node: Node

    @property
    def spec(self) -> Node:
        return self.node["spec"]

    @property
    def security(self) -> Node:
        return self.spec["securityContext"]

    @property
    def annotations(self) -> Node:
        return self.node.at("metadata", "annotations")

    @property
    def labels(self) -> Node:
        return self.node.at("metadata", "labels")

    def containers(self, *fields: str) -> Iterator[Node]:
        """Init, main and ephemeral containers, in that order, or only those of `fields`."""
        for name in fields or CONTAINER_FIELDS:
            yield from self.spec[name].items()

    @property
    def on_windows(self) -> bool:
        """The standard exempts Windows pods from controls that only Linux has (since v1.25)."""
        return self.spec.at("os", "name").like("windows")

    @property
    def in_user_namespace(self) -> bool:
        """``hostUsers: false``: root inside is nobody outside (since v1.35)."""
        return self.spec["hostUsers"].like(False)


def pod_template(owner: Object) -> PodTemplate | None:
    """The template of a pod-making object; None for other kinds."""
    path = TEMPLATES.get(owner.kind)
    return None if path is None else PodTemplate(owner, owner.node.at(*path))


def pod_templates(resource: Resource) -> Iterator[PodTemplate]:
    """Every pod template in a resource, also inside lists."""
    for item in objects_of(resource):
        template = pod_template(item)
        if template is not None:
            yield template


def title(container: Node) -> str:
    """``container "app"``, for messages."""
    name = container.fresh()["name"].raw
    return f'container "{name}"' if isinstance(name, str) else f"container {container.path[-1]}"
