"""Benchmark types: a named figure of this project beside the same figure of a peer or floor."""

from collections.abc import Callable
from dataclasses import dataclass


class NotMeasurableError(Exception):
    """The machine lacks a requirement of the comparison (a binary, a newer server); the message names it.

    The benchmark is listed as not run, with the reason, and does not fail the run.
    """


@dataclass(frozen=True)
class Measurement:
    """One comparison.

    Attributes:
        ours: our figure, in the benchmark's unit.
        peer: the figure of the peer or floor, measured in the same run, in the same unit.
        ratio: ours divided by the peer's, unless the note states otherwise.
        ok: whether the target is met.
        note: context needed to interpret the figure (sizes, counts, conditions).
    """

    ours: float
    peer: float
    ratio: float
    ok: bool
    note: str = ""

    @classmethod
    def max_ratio(cls, limit: float, *, ours: float, peer: float, note: str = "") -> "Measurement":
        """Less is better (time, memory): met when ours ÷ peer ≤ limit."""
        ratio = ours / peer
        return cls(ours, peer, ratio, ratio <= limit, note)

    @classmethod
    def min_ratio(cls, limit: float, *, ours: float, peer: float, note: str = "") -> "Measurement":
        """More is better (throughput): met when ours ÷ peer ≥ limit."""
        ratio = ours / peer
        return cls(ours, peer, ratio, ratio >= limit, note)


@dataclass(frozen=True)
class Benchmark:
    """A comparison that can be run.

    Attributes:
        name: unique, lower case, words joined by hyphens: `preview-time`.
        peer: what ours is compared with, with its version where that matters: `SAQ 0.26`, `bare import`.
        unit: of both figures: `s`, `MB`, `µs`, `jobs/s`.
        target: what the ratio must be, as it is printed: `≤ 1.3`, `≥ 3`.
        run: measures; raises `NotMeasurableError` where this machine cannot; any other exception fails.
    """

    name: str
    peer: str
    unit: str
    target: str
    run: Callable[[], Measurement]
