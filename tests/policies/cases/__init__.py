"""Cases of the policies that must pass or be found: one table per concern.

A case starts from resources that the policy passes and breaks them in one place; the finding must name that
place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from policies.testing import ResourceFixture, changed


@dataclass(frozen=True)
class Break:
    """Changes (path to value) to the `index`-th resource, and what the finding's text must contain."""

    changes: Mapping[str, Any]
    expect: str
    index: int = 0
    become: str = ""  # another type, where the type itself is what is wrong


@dataclass(frozen=True)
class Case:
    """One policy: resources it passes, changes it must find, and changes it must still pass."""

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
    """Breaks from (path, value[, expected text]); the expected text is the path itself unless given."""
    made = []
    for item in paths:
        path, value, *expect = item
        made.append(Break({path: value}, expect[0] if expect else path, index))
    return tuple(made)
