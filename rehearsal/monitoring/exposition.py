"""Parser of Prometheus text expositions of one target: a known line costs one dictionary lookup."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from sys import intern

from prometheus_client.parser import text_string_to_metric_families

from rehearsal.monitoring.promql.evaluator import NAME, Labels


@dataclass
class Exposition:
    """One target: `target_labels` are added to every series, and only `metrics` are read.

    As with `honor_labels: false`, a label that the target exports under the name of a target label becomes
    `exported_<name>`.
    """

    target_labels: Mapping[str, str]
    metrics: Collection[str]
    # Names after "# TYPE": a counter with labels is declared before it has its first sample.
    families: set[str] = field(default_factory=set)
    _known: dict[str, Labels | None] = field(default_factory=dict)

    def read(self, text: str) -> tuple[dict[Labels, float], set[str]]:
        """Return the values by series, and the names of metrics with a value that is not a finite number.

        Raises ValueError for text that is not an exposition.
        """
        values: dict[Labels, float] = {}
        invalid: set[str] = set()
        self.families.clear()
        for line in text.splitlines():
            if not line or line[0] == "#":
                if line.startswith("# TYPE "):
                    self.families.add(line.split(" ", 3)[2])
                continue
            series, _, number = line.rpartition(" ")
            labels = self._known.get(series)
            if labels is None:
                if series in self._known:
                    continue
                labels = self._known[series] = self._labels(line)
                if labels is None:
                    continue
            value = float(number)
            if math.isfinite(value):
                values[labels] = value
            else:
                invalid.add(line.partition("{")[0].partition(" ")[0])
        return values, invalid

    def exports(self, metric: str) -> bool:
        """Whether the target has declared `metric`, with or without samples."""
        names = {metric, *(metric.removesuffix(suffix) for suffix in ("_bucket", "_count", "_sum", "_total"))}
        return bool(names & self.families)

    def _labels(self, line: str) -> Labels | None:
        name = line.partition("{")[0].partition(" ")[0]
        if name not in self.metrics:
            return None
        samples = [sample for family in text_string_to_metric_families(line) for sample in family.samples]
        if len(samples) != 1:
            raise ValueError(f"not a line of a Prometheus exposition: {line[:100]!r}")
        # Thousands of series have the same words: one object for each saves a third of their memory.
        labels = {
            intern(f"exported_{key}" if key in self.target_labels else key): intern(value)
            for key, value in samples[0].labels.items()
        }
        return tuple(sorted({**labels, **self.target_labels, NAME: intern(name)}.items()))
