"""The real program, broken once for each rule: production as the rehearsal plans it, with one thing changed.

A row names the resource by kind and logical name (``Deployment/api``), what changes in it, and where the
finding must be when that is another resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One way to break one rule.

    Attributes:
        policy: the rule that must find it, and no other may.
        resource: the resource that is changed, ``Kind/name``.
        changes: path to value in its inputs; none with `gone`.
        on: the resource that the finding must be about, where it is not the changed one.
        gone: the resource is taken away instead.
        plant: the type of a resource that is added, where the program declares none of this kind;
            `changes` are its inputs then.
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
    """A row whose resource the program does not declare."""
    return Row(policy, f"{type_.rsplit(':', 1)[-1]}/planted", inputs, plant=type_)
