"""Violations of each rule in the real program: the plan of production with one changed resource each.

A row has the resource by kind and logical name (``Deployment/api``), the changes, and the resource of the
finding if it is another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One violation of one rule.

    Attributes:
        policy: the only rule that must report it.
        resource: the changed resource, ``Kind/name``.
        changes: path to value in its inputs; none with `gone`.
        on: the resource of the finding, if it is not the changed one.
        gone: remove the resource instead of changing it.
        plant: the type of a resource to add, for kinds that the program does not declare; `changes` are then
            its inputs.
    """

    policy: str
    resource: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    on: str = ""
    gone: bool = False
    plant: str = ""

    @property
    def about(self) -> str:
        return self.on or self.resource


def planted(policy: str, type_: str, inputs: Mapping[str, Any]) -> Row:
    """Return a row that adds a resource of a type that the program does not declare."""
    return Row(policy, f"{type_.rsplit(':', 1)[-1]}/planted", inputs, plant=type_)
