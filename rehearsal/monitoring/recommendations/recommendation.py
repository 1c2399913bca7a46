"""One recommended change with its evidence and expected effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ExpectedEffect:
    """An expected effect: the current quantity, and the interval in which it is expected afterwards."""

    quantity: str
    unit: str
    now: float
    low: float
    high: float


@dataclass(frozen=True)
class StackRecommendation:
    """One change of the value at `path` of a stack file, from `old` to `new`, with its reason.

    If no setting of a stack file exists, `path` is empty and `instead` states the command or the code change.
    """

    rule: str
    finding: str
    path: tuple[str, ...]
    old: str
    new: str
    evidence: Mapping[str, float]
    effect: ExpectedEffect
    risk: str
    undo: str
    instead: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
