"""Base class of the components, and the environment that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi


@dataclass(frozen=True, slots=True)
class Environment:
    """Stack name, Google project and region of an environment, and the labels of all its resources."""

    name: str
    project: str
    project_number: str
    region: str
    labels: Mapping[str, str]
    protect: bool

    def label(self, part: str) -> dict[str, str]:
        """The environment's labels and the name of the component, for resources that carry labels."""
        return {**self.labels, "part": part}


class Component(pulumi.ComponentResource):
    """Base class of components. Every resource that a component declares is its child.

    `token` is the resource type, a literal `kingdom:<module>:<Class>` in each subclass: it is part of the URN
    of every resource below the component, so it must not change with a rename of a module or class.
    """

    def __init__(self, token: str, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(token, name, None, opts)
        self.name = name

    def child(self, **options: Any) -> pulumi.ResourceOptions:
        """Options of a resource that belongs to this component."""
        return pulumi.ResourceOptions(parent=self, **options)
