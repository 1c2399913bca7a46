"""Label selectors, evaluated against an index of the labels in one namespace.

Semantics: ``LabelSelectorAsSelector`` of k8s.io/apimachinery. An empty selector selects all, an absent one
none. Each selector costs set operations on the index instead of a comparison with every object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from policies.model.property_tree import UNKNOWN, Node


class Requirement(NamedTuple):
    """One condition on the label `key`: one of `values`, or any value if that is None; or the opposite."""

    key: str
    values: frozenset[Any] | None
    negated: bool = False


@dataclass(frozen=True)
class Selector:
    """The known requirements of a LabelSelector, and its parts that are unknown."""

    requirements: frozenset[Requirement]
    unknown: tuple[Node, ...] = ()

    @classmethod
    def of(cls, node: Node) -> Selector | None:
        """Read a LabelSelector. Return None if it selects nothing: it is absent, malformed or unknown.

        An unknown selector is noted as not evaluated.
        """
        if not node.known() or not isinstance(node.raw, Mapping):
            return None
        found: list[Requirement] = []
        unknown = [node[part] for part in ("matchLabels", "matchExpressions") if node[part].raw is UNKNOWN]
        if node["matchLabels"].raw is not UNKNOWN:
            for key, value in node["matchLabels"].entries():
                if value.raw is UNKNOWN:
                    unknown.append(value)
                else:
                    found.append(Requirement(key, _values([value.raw])))
        if node["matchExpressions"].raw is not UNKNOWN:
            for expression in node["matchExpressions"].items():
                parts = _unknown_parts(expression)
                unknown += parts
                if not parts:
                    found.append(_requirement(expression))
        return cls(frozenset(found), tuple(unknown))


def _unknown_parts(expression: Node) -> list[Node]:
    """Return the parts of an expression that are unknown."""
    parts = [expression["key"], expression["operator"], expression["values"]]
    if parts[-1].raw is not UNKNOWN:
        parts += expression["values"].items()
    return [part for part in parts if part.raw is UNKNOWN]


def _requirement(expression: Node) -> Requirement:
    key, values = expression["key"].text(), _values(item.raw for item in expression["values"].items())
    match expression["operator"].text():
        case "In":
            return Requirement(key, values)
        case "NotIn":
            return Requirement(key, values, negated=True)
        case "Exists":
            return Requirement(key, None)
        case "DoesNotExist":
            return Requirement(key, None, negated=True)
    return Requirement(key, frozenset())  # an invalid operator selects nothing


def _values(raw: Iterable[Any]) -> frozenset[Any]:
    """Return the scalars of `raw`; the API server decodes null as an empty string."""
    return frozenset("" if item is None else item for item in raw if _is_scalar(item) or item is None)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool))


_Item = TypeVar("_Item")


class LabelIndex(Generic[_Item]):
    """Items by their labels; those with unknown labels match no selector."""

    def __init__(self, items: Sequence[_Item], labels: Iterable[Node]) -> None:
        self._items = items
        # Positions in `items`.
        self._all: set[int] = set()
        self._by_key: dict[str, set[int]] = {}
        self._by_value: dict[tuple[str, Any], set[int]] = {}
        self._unknown: list[Node] = []
        self._selected: dict[frozenset[Requirement], tuple[_Item, ...]] = {}
        for position, node in enumerate(labels):
            self._add(position, node)

    def _add(self, position: int, labels: Node) -> None:
        unknown = [labels] if labels.raw is UNKNOWN else [value for _, value in labels.entries()]
        unknown = [node for node in unknown if node.raw is UNKNOWN]
        if unknown:
            self._unknown += unknown
            return
        self._all.add(position)
        for key, value in labels.entries():
            self._by_key.setdefault(key, set()).add(position)
            for item in _values([value.raw]):
                self._by_value.setdefault((key, item), set()).add(position)

    def select(self, selector: Selector) -> tuple[_Item, ...]:
        """Return the items that `selector` selects, in order; equal selectors share one tuple.

        Labels and parts of the selector that are unknown, and may change the result, are noted.
        """
        for label in self._unknown:
            label.known()
        found = self._selected.get(selector.requirements)
        if found is None:
            positions = sorted(self._matching(selector))
            found = self._selected[selector.requirements] = tuple(self._items[at] for at in positions)
        if found and selector.unknown:
            for part in selector.unknown:
                part.known()
            return ()
        return found

    def _matching(self, selector: Selector) -> set[int]:
        wanted = [self._having(item) for item in selector.requirements if not item.negated]
        # From the fewest, so that the cost is that of the rarest label.
        wanted.sort(key=len)
        found = wanted[0] if wanted else self._all
        for other in wanted[1:]:
            found = found & other
        for item in selector.requirements:
            if item.negated:
                found = found - self._having(item)
        return found

    def _having(self, item: Requirement) -> set[int]:
        """Return the positions whose label has one of the values."""
        if item.values is None:
            return self._by_key.get(item.key, set())
        found = [self._by_value.get((item.key, value), set()) for value in item.values]
        return found[0] if len(found) == 1 else set().union(*found)
