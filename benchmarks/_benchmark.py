"""Benchmark types: a figure of this project compared with that of a peer or a lower bound."""

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
        """Return a measurement of time or memory: met if ours ÷ peer is at most `limit`."""
        ratio = ours / peer
        return cls(ours, peer, ratio, ratio <= limit, note)

    @classmethod
    def min_ratio(cls, limit: float, *, ours: float, peer: float, note: str = "") -> "Measurement":
        """Return a measurement of throughput: met if ours ÷ peer is at least `limit`."""
        ratio = ours / peer
        return cls(ours, peer, ratio, ratio >= limit, note)


@dataclass(frozen=True)
class Benchmark:
    """One comparison of this project with a peer.

    Attributes:
        name: unique, lower case, words joined by hyphens: `preview-time`.
        peer: the peer, with its version if it matters: `SAQ 0.26`, `bare import`.
        unit: of both figures: `s`, `MB`, `µs`, `jobs/s`.
        target: the condition on the ratio, as printed: `≤ 1.3`, `≥ 3`.
        run: measures; raises `NotMeasurableError` if this machine cannot; other exceptions are failures.
    """

    name: str
    peer: str
    unit: str
    target: str
    run: Callable[[], Measurement]
