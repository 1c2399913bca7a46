"""Compliant and violating resources of each policy: one table per concern.

A case has compliant resources and changes of one property each; the finding must name the changed property.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from policies.testing import ResourceFixture, changed


@dataclass(frozen=True)
class Break:
    """A violation: changes (path to value) of the resource `index`, and a text that the finding contains."""

    changes: Mapping[str, Any]
    expect: str
    index: int = 0
    become: str = ""  # the new type of the resource, if its type is the violation


@dataclass(frozen=True)
class Case:
    """One policy: compliant resources, changes that violate it, and changes that do not."""

    policy: str
    good: tuple[ResourceFixture, ...]
    breaks: tuple[Break, ...] = ()
    passes: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def broken(self, change: Break) -> list[ResourceFixture]:
        return [
            ResourceFixture(
                change.become or item.type, changed(item.props, change.changes), item.name, item.protect
            )
            if index == change.index
            else item
            for index, item in enumerate(self.good)
        ]


def breaking(*paths: str | tuple[str, Any] | tuple[str, Any, str], index: int = 0) -> tuple[Break, ...]:
    """Return breaks from (path, value[, expected text]); by default, the expected text is the path."""
    made = []
    for item in paths:
        path, value, *expect = item
        made.append(Break({path: value}, expect[0] if expect else path, index))
    return tuple(made)
