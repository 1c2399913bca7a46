"""Property trees: plain values with paths, in which every unknown value is recorded.

The SDK's proxies raise at the first unknown value, so that no other violation is found. A :class:`Node`
instead records every unknown that an evaluation depended on; the policy continues with the rest, and the
values that it could not evaluate are listed in the end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pulumi_policy import Secret, proxy
from pulumi_policy.proxy import UnknownValueError

from policies.model.paths import Path, format_path
from policies.model.unknown import UNKNOWN as UNKNOWN

# The engine's markers of unknown values, one for each type.
_UNKNOWNS: Final = frozenset(
    value for name, value in vars(proxy).items() if name.startswith("UNKNOWN_") and isinstance(value, str)
)
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?")
# Larger numbers are treated as this one: the API server counts in 64 bits.
_MAX_INTEGER: Final = 2**63 - 1


def plain(value: Any) -> Any:
    """Return `value` without the SDK's proxies: dicts, lists and scalars, with UNKNOWN for unknown values.

    Secrets are unwrapped.
    """
    if isinstance(value, Mapping):
        return {key: _entry(value, key) for key in value}
    if isinstance(value, (list, tuple)) or (
        isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    ):
        return [_entry(value, index) for index in range(len(value))]
    return plain(value.value) if isinstance(value, Secret) else value


def _entry(container: Any, key: Any) -> Any:
    try:
        return plain(container[key])
    except UnknownValueError:
        return UNKNOWN


def as_sent(value: Any) -> Any:
    """Return `value` as a remediation receives it, without proxies: secrets wrapped, unknowns as UNKNOWN."""
    if isinstance(value, (Mapping, Sequence)) and not isinstance(value, (str, bytes, dict, list, tuple)):
        proxied: Any = value
        # The SDK's own serializer reads the target of a proxy in the same way.
        return as_sent(proxied["__target"])
    if isinstance(value, dict):
        return {key: as_sent(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_sent(item) for item in value]
    if isinstance(value, Secret):
        return Secret(as_sent(value.value))
    return UNKNOWN if isinstance(value, str) and value in _UNKNOWNS else value


def to_send(value: Any) -> Any:
    """Return the inverse of :func:`as_sent`, for the SDK to serialize."""
    if isinstance(value, dict):
        return {key: to_send(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_send(item) for item in value]
    if isinstance(value, Secret):
        return Secret(to_send(value.value))
    return proxy.UNKNOWN_STRING_VALUE if value is UNKNOWN else value


def known_from(declared: Any, state: Any) -> Any:
    """Return `declared` with every unknown in it replaced by the value of `state` at the same path."""
    if declared is UNKNOWN:
        return UNKNOWN if state is None else state
    if isinstance(declared, dict) and isinstance(state, dict):
        return {key: known_from(value, state.get(key)) for key, value in declared.items()}
    if isinstance(declared, list) and isinstance(state, list) and len(declared) == len(state):
        return [known_from(item, state[index]) for index, item in enumerate(declared)]
    return declared


@dataclass(frozen=True)
class Finding:
    """One violation: the message, the path, and the resource if it is one of a stack."""

    message: str
    path: Path = ()
    urn: str = ""
    # Whether the value is unknown: then it is listed as not evaluated instead of reported.
    doubtful: bool = False

    def __str__(self) -> str:
        return f"{format_path(self.path)}: {self.message}" if self.path else self.message


class Unevaluated(dict[str, str]):
    """Values that could not be evaluated: path and reason of each.

    Every active :meth:`Node.track_unknowns` also receives the paths.
    """

    def __init__(self) -> None:
        super().__init__()
        self.watchers: list[list[str]] = []
        # The same reasons by the URN of the resource and the path.
        self.places: dict[tuple[str, Path], str] = {}

    def note(self, urn: str, path: Path, reason: str) -> None:
        """Record a path, for the report and for all active trackers."""
        place = f"{urn.rsplit('::', 1)[-1]} {format_path(path)}".strip()
        self[place] = reason
        self.places[urn, path] = reason
        for places in self.watchers:
            places.append(place)


class Node:
    """A value in a resource together with its path.

    Indexing never fails: an absent value is a node whose `raw` is None. Methods that compare note the path if
    the value is unknown, and then return the result for which nothing is reported.
    """

    __slots__ = ("path", "raw", "unevaluated", "urn")

    def __init__(
        self, raw: Any, path: Path = (), unevaluated: Unevaluated | None = None, urn: str = ""
    ) -> None:
        self.raw = raw
        self.path = path
        self.urn = urn
        # Maps a path to the reason, shared by all nodes of one evaluation.
        self.unevaluated: Unevaluated = Unevaluated() if unevaluated is None else unevaluated

    def __getitem__(self, key: str | int) -> Node:
        raw = self.raw
        if raw is UNKNOWN:
            return self
        found: Any = None
        if isinstance(raw, dict):
            found = raw.get(key)
        elif isinstance(raw, list) and isinstance(key, int) and key < len(raw):
            found = raw[key]
        return Node(found, (*self.path, key), self.unevaluated, self.urn)

    def at(self, *keys: str | int) -> Node:
        # Equals repeated indexing without intermediate nodes, which took a fifth of an evaluation.
        raw = self.raw
        for at, key in enumerate(keys):
            if raw is UNKNOWN:
                keys = keys[:at]
                break
            if isinstance(raw, dict):
                raw = raw.get(key)
            elif isinstance(raw, list) and isinstance(key, int) and key < len(raw):
                raw = raw[key]
            else:
                raw = None
        return Node(raw, (*self.path, *keys), self.unevaluated, self.urn)

    def fresh(self) -> Node:
        """Return the same node with a record of its own: for reads that are not part of the evaluation."""
        return Node(self.raw, self.path, None, self.urn)

    @property
    def shown(self) -> str:
        """Return the value for a message. An engine sends each number as a float, so 3.0 is shown as 3."""
        raw = self.raw
        return str(int(raw)) if isinstance(raw, float) and raw.is_integer() else str(raw)

    @property
    def present(self) -> bool:
        """Whether a value is present; an unknown value is."""
        return self.raw is not None

    def known(self) -> bool:
        """Whether the value can be evaluated; if not, that is noted."""
        if self.raw is UNKNOWN:
            self.mark_unevaluated("is not known yet")
            return False
        return True

    def mark_unevaluated(self, reason: str) -> None:
        """Note that the evaluation is left out here, with the reason."""
        self.unevaluated.note(self.urn, self.path, reason)

    def is_not_one_of(self, *allowed: Any) -> bool:
        """Whether the value is known and none of `allowed` (True and 1 are different)."""
        return self.known() and not any(self.raw == item and type(self.raw) is type(item) for item in allowed)

    def is_one_of(self, *wanted: Any) -> bool:
        """Whether the value is known and one of `wanted`."""
        return self.known() and any(self.raw == item and type(self.raw) is type(item) for item in wanted)

    def items(self) -> Iterator[Node]:
        """Yield the elements of a list; none if it is absent or unknown."""
        if self.known() and isinstance(self.raw, list):
            for index in range(len(self.raw)):
                yield self[index]

    def entries(self) -> Iterator[tuple[str, Node]]:
        """Yield the fields of an object; none if it is absent or unknown."""
        if self.known() and isinstance(self.raw, dict):
            for key, value in self.raw.items():  # YAML permits keys that are not text, such as 8080
                yield str(key), Node(value, (*self.path, str(key)), self.unevaluated, self.urn)

    def text(self) -> str:
        """Return the value as text; "" if it is absent, unknown or not a string."""
        return self.raw if self.known() and isinstance(self.raw, str) else ""

    def number(self, default: float = 0) -> float:
        """Return the value as a finite number, also from text; `default` for anything else."""
        if self.known() and isinstance(self.raw, (int, float)) and not isinstance(self.raw, bool):
            if isinstance(self.raw, int):
                return max(-_MAX_INTEGER, min(self.raw, _MAX_INTEGER))
            return self.raw if math.isfinite(self.raw) else default
        if isinstance(self.raw, str) and _DECIMAL.fullmatch(self.raw.strip()):
            number = float(self.raw)
            return number if math.isfinite(number) else default
        return default

    def integer(self, default: int = 0) -> int:
        """Return the value as a 64-bit integer, truncated; `default` if :meth:`number` rejects it."""
        return int(max(-_MAX_INTEGER, min(self.number(default), _MAX_INTEGER)))

    def flag(self) -> bool:
        """Whether the value is known and true."""
        return self.known() and self.raw is True

    def leaves(self) -> Iterator[Node]:
        """Yield every scalar below, in order; unknown ones are noted and left out."""
        if not self.known():
            return
        if isinstance(self.raw, dict):
            for _, value in self.entries():
                yield from value.leaves()
        elif isinstance(self.raw, list):
            for index in range(len(self.raw)):
                yield from self[index].leaves()
        elif self.raw is not None:
            yield self

    def finding(self, message: str) -> Finding:
        return Finding(message, self.path, self.urn, doubtful=not self.known())

    @contextmanager
    def track_unknowns(self) -> Iterator[list[str]]:
        """Collect the paths that cannot be evaluated within the block; they are recorded as usual too."""
        places: list[str] = []
        self.unevaluated.watchers.append(places)
        try:
            yield places
        finally:
            self.unevaluated.watchers.pop()


def all_known(nodes: Iterable[Node]) -> bool:
    """Whether all of them are known. Every node is checked, so that every unknown one is noted."""
    return not [node for node in nodes if not node.known()]
