"""Parser of Prometheus text expositions of one target: a known line costs one dictionary lookup."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Final

from rehearsal.monitoring.promql.evaluator import NAME, Labels

# A pod of this platform has less than a thousand: more are label values without a bound, as Prometheus
# limits them with `sample_limit`.
MAX_SERIES: Final = 20_000
_MAX_LINE: Final = 16_384  # characters
_MAX_SHOWN: Final = 100  # characters of a malformed line in a message
_LABEL: Final = r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"([^"\\]*(?:\\.[^"\\]*)*)"[ \t]*(?:,|(?=\}))'
_LABELS: Final = re.compile(_LABEL)
# Name, labels, value and timestamp, as in the text format 0.0.4. The parser of prometheus_client takes 1.3 ms
# for a line, so that the first scrape of ten pods took 12 s.
_LINE: Final = re.compile(
    rf"([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*(?:\{{((?:{_LABEL})*[ \t]*)\}})?"
    r"[ \t]+(\S+)(?:[ \t]+(-?[0-9]+))?[ \t\r]*"
)
_ESCAPED: Final = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Scrape:
    """The values of one scrape by series, and the names of metrics with bad lines.

    `invalid` have a value that is not a finite number, `repeated` a series that occurs twice. Such values are
    left out; of a repeated series the first one counts, as in Prometheus.
    """

    values: dict[Labels, float] = field(default_factory=dict)
    invalid: set[str] = field(default_factory=set)
    repeated: set[str] = field(default_factory=set)


@dataclass
class Exposition:
    """One target: `target_labels` are added to every series, and only `metrics` are read.

    As with `honor_labels: false`, a label that the target exports under the name of a target label becomes
    `exported_<name>`. Timestamps of the target are ignored.
    """

    target_labels: Mapping[str, str]
    metrics: Collection[str]
    # Names after "# TYPE": a counter with labels is declared before it has its first sample.
    families: set[str] = field(default_factory=set)
    _known: dict[str, Labels | None] = field(default_factory=dict)
    _pairs: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def read(self, text: str) -> Scrape:
        """Return the values of one scrape. Raises ValueError for text that is not an exposition."""
        found = Scrape()
        values, known = found.values, self._known
        self.families.clear()
        lines = 0
        for line in text.split("\n"):
            if not line or line[0] == "#":
                if line.startswith("# TYPE "):
                    self.families.add(line.split(" ", 3)[2])
                continue
            lines += 1
            series, _, number = line.rpartition(" ")
            labels = known.get(series)
            if labels is None:
                if series in known:
                    continue
                labels, number = self._learn(line, series, number)
                if labels is None:
                    continue
            value = float(number)
            if not math.isfinite(value):
                found.invalid.add(_name(line))
            elif labels in values:
                found.repeated.add(_name(line))
            else:
                values[labels] = value
        if len(values) > MAX_SERIES:
            raise ValueError(f"{len(values)} series, more than {MAX_SERIES}: a label has too many values")
        if len(known) > 2 * lines + 100:  # series that are not exported any more
            known.clear()
            self._pairs.clear()
        return found

    def exports(self, metric: str) -> bool:
        """Whether the target has declared `metric`, with or without samples."""
        names = {metric, *(metric.removesuffix(suffix) for suffix in ("_bucket", "_count", "_sum", "_total"))}
        return bool(names & self.families)

    def _learn(self, line: str, series: str, number: str) -> tuple[Labels | None, str]:
        """Return the labels of a line that is not known, None for a metric that is not read, and its value.

        Raises ValueError.
        """
        if _name(line) not in self.metrics:
            self._known[intern(series)] = None
            return None, number
        match = _LINE.fullmatch(line) if len(line) <= _MAX_LINE else None
        if match is None:
            raise ValueError(
                f"not a line of a Prometheus exposition ({len(line)} characters): {line[:_MAX_SHOWN]!r}"
            )
        own = {key: _unescaped(value) for key, value in _LABELS.findall(f"{match[2] or ''}}}")}
        words = {f"exported_{key}" if key in self.target_labels else key: own[key] for key in own}
        # Thousands of series have labels in common: sharing the objects reduces memory to a third.
        labels = tuple(
            self._pair(pair) for pair in sorted({**words, **self.target_labels, NAME: match[1]}.items())
        )
        if match[6] is None:
            self._known[intern(series)] = labels
        # With a timestamp, the text before the last space contains the value, so it is not stored as known.
        return labels, match[5]

    def _pair(self, pair: tuple[str, str]) -> tuple[str, str]:
        return self._pairs.setdefault(pair, (intern(pair[0]), intern(pair[1])))


def _name(line: str) -> str:
    """Return the name of the metric of a line."""
    return intern(line.partition("{")[0].partition(" ")[0])


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: {"n": "\n"}.get(found[1], found[1]), text) if "\\" in text else text
