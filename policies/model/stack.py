"""Resources and the whole state, with indexes that several rules share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from policies.model.property_tree import Node

CLUSTER_SCOPED: Final = frozenset(
    {
        "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "GatewayClass", "IngressClass",
        "MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass",
        "RuntimeClass", "StorageClass", "ValidatingWebhookConfiguration",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Resource:
    """One resource: inputs for resource rules, state for stack rules. Secrets come unwrapped."""

    urn: str
    type: str
    name: str
    node: Node
    protect: bool = False
    ignore_changes: tuple[str, ...] = ()
    parent: str = ""
    # The file of a manifest; "" for a resource of a program.
    source: str = ""
    # Indexes that several rules share; cleared when the resource becomes part of another stack.
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, args: Any, props: Any) -> Resource:
        """Create from the SDK's ResourceValidationArgs or PolicyResource, and the plain properties."""
        parent = getattr(args, "parent", None)
        return cls(
            urn=args.urn,
            type=args.resource_type,
            name=args.name,
            node=Node(props),
            protect=bool(args.opts.protect),
            ignore_changes=tuple(args.opts.ignore_changes),
            parent=parent.urn if parent is not None else str(args.opts.parent or ""),
        )

    @property
    def label(self) -> str:
        return f"{self.type.rsplit(':', 1)[-1]} {self.name!r}"


# Kinds that were served as ``extensions/v1beta1``, with their current group: it is the same object
# (https://kubernetes.io/docs/reference/using-api/deprecation-guide/#v1-16).
_MOVED: Final = {
    **dict.fromkeys(("DaemonSet", "Deployment", "ReplicaSet"), "apps"),
    **dict.fromkeys(("Ingress", "NetworkPolicy"), "networking.k8s.io"),
    "PodSecurityPolicy": "policy",
}


def served_group(group: str, kind: str) -> str:
    """Return the current API group of a kind. Kinds of ``extensions`` moved, and name the same objects."""
    return _MOVED.get(kind, group) if group == "extensions" else group


@dataclass(frozen=True)
class Object:
    """A Kubernetes object inside a resource (itself, or an item of a List)."""

    api_version: str
    kind: str
    node: Node
    urn: str
    source: str = ""

    @cached_property
    def group(self) -> str:
        """The API group; "" for the core group."""
        group, slash, _ = self.api_version.partition("/")
        return group if slash and group != "core" else ""

    @property
    def served_group(self) -> str:
        """The API group that the object is in now: see :func:`served_group`."""
        return served_group(self.group, self.kind)

    @property
    def name(self) -> str:
        """Return the name; "" if it is unknown, which is noted: a lookup by name may miss the object."""
        name = self.node.at("metadata", "name")
        return str(name.raw or "") if name.known() else ""

    @property
    def namespace(self) -> str:
        """Return the namespace: "" for cluster-scoped kinds, "?" if unknown, "default" if none is set."""
        if self.kind in CLUSTER_SCOPED:
            return ""
        namespace = self.node.at("metadata", "namespace")
        return str(namespace.raw or "default") if namespace.known() else "?"

    @property
    def identified(self) -> bool:
        """Whether its name and namespace are known; if not, that is noted."""
        named, placed = (self.node.at("metadata", key).known() for key in ("name", "namespace"))
        return named and placed

    @property
    def label(self) -> str:
        return f"{self.kind} {self.name!r}"


def objects_of(resource: Resource) -> list[Object]:
    """Return the Kubernetes objects of a resource; lists (``PodList``, ``List``) are flattened."""
    found: list[Object] | None = resource.memo.get("objects")
    if found is None:
        found = []
        if resource.type.startswith("kubernetes:"):
            _, version, kind = resource.type.split(":", 2)
            found = list(_flattened(version.removeprefix("core/"), kind, resource.node, resource))
        resource.memo["objects"] = found
    return found


def _flattened(version: str, kind: str, node: Node, resource: Resource) -> Iterator[Object]:
    if not kind.endswith("List") or not node["items"].present:
        yield Object(version, kind, node, resource.urn, resource.source)
        return
    for item in node["items"].items():
        own = item.fresh()
        # Items of a typed list need not repeat kind and apiVersion.
        item_kind = str(own["kind"].raw or kind.removesuffix("List"))
        yield from _flattened(str(own["apiVersion"].raw or version), item_kind, item, resource)


@dataclass
class Stack:
    """All resources of a stack, with indexes for rules."""

    resources: list[Resource]
    # Contains the record of values that could not be evaluated; every resource's node shares it.
    node: Node = field(default_factory=lambda: Node({}))
    # Indexes that several rules share.
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, resources: list[Resource]) -> Stack:
        stack = cls(resources)
        for resource in resources:
            resource.memo.clear()
            resource.node.unevaluated = stack.node.unevaluated
            resource.node.urn = resource.urn
        return stack

    @cached_property
    def _by_type(self) -> dict[str, list[Resource]]:
        index: dict[str, list[Resource]] = {}
        for resource in self.resources:
            index.setdefault(resource.type, []).append(resource)
        return index

    @property
    def types(self) -> Iterable[str]:
        """The type tokens of all resources, each once."""
        return self._by_type.keys()

    def of_type(self, *types: str) -> list[Resource]:
        return [resource for wanted in types for resource in self._by_type.get(wanted, ())]

    @cached_property
    def objects(self) -> list[Object]:
        return [item for resource in self.resources for item in objects_of(resource)]

    @cached_property
    def _by_kind(self) -> dict[str, list[Object]]:
        index: dict[str, dict[tuple[object, ...], Object]] = {}
        for item in self.objects:
            metadata = item.node["metadata"].fresh()
            name, namespace = metadata["name"].raw, metadata["namespace"].raw
            key: tuple[object, ...] = (id(item),)
            # The last of several declarations of one object in a file counts.
            if item.source and isinstance(name, str) and name and isinstance(namespace, (str, type(None))):
                key = item.source, item.served_group, namespace or "default", name
            index.setdefault(item.kind, {})[key] = item
        return {kind: list(found.values()) for kind, found in index.items()}

    def of_kind(self, *kinds: str) -> list[Object]:
        """The objects of these kinds, each once."""
        return [item for kind in kinds for item in self._by_kind.get(kind, ())]

    def by_namespace(self, kind: str) -> dict[str, list[Object]]:
        """The objects of a kind by namespace ("?" where it is unknown), each once."""
        key = f"{kind} by namespace"
        if key not in self.memo:
            index: dict[str, list[Object]] = {}
            for item in self.of_kind(kind):
                index.setdefault(item.namespace, []).append(item)
            self.memo[key] = index
        found: dict[str, list[Object]] = self.memo[key]
        return found
