"""Kubernetes objects from plain dicts, for tests of the model."""

from __future__ import annotations

from typing import Any

from policies.model.property_tree import Node
from policies.model.scale_targets import Scaling
from policies.model.stack import Object, Resource, Stack, objects_of


def resource(type_: str, props: dict[str, Any], name: str = "it", **more: Any) -> Resource:
    """Return a resource; a Kubernetes type may leave out `kubernetes:`."""
    full = type_ if type_.count(":") > 1 else f"kubernetes:{type_}"
    return Resource(f"urn:pulumi:test::kingdom::{full}::{name}", full, name, Node(props), **more)


def declared(type_: str, spec: dict[str, Any] | None = None, name: str = "it", **more: Any) -> Resource:
    """Return a Kubernetes object of the namespace `n`; `more` are its other top-level fields."""
    metadata = {"name": name, "namespace": "n"} | more.pop("metadata", {})
    return resource(type_, {"metadata": metadata} | ({"spec": spec} if spec is not None else {}) | more, name)


def one(item: Resource) -> Object:
    """Return the only object of a resource."""
    [found] = objects_of(item)
    return found


def scaling(*resources: Resource) -> Scaling:
    return Scaling.of(Stack.of(list(resources)))
