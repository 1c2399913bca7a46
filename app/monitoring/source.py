"""Sources of signals: one interface for a Prometheus HTTP API and for the local recorder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class SourceError(Exception):
    """A source cannot be read; the text states which and the remedy."""


@dataclass(frozen=True)
class TimeSeries:
    """One line: its labels, and values at times in seconds since 1970, in ascending order."""

    labels: Mapping[str, str]
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Return the labels as text; the value alone if there is one label."""
        if len(self.labels) == 1:
            return next(iter(self.labels.values()))
        return ", ".join(f"{key}={value}" for key, value in sorted(self.labels.items()))


class Source(Protocol):
    """Reads the result of a PromQL query over time. Raises SourceError."""

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        """Return the series of `query` at every `step` seconds from `start` to `end`, gaps left out."""
        ...
