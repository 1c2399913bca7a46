"""Alerts on one machine: thresholds compared with every result, with minimum durations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from app.monitoring.signals import Signal, Signals
from rehearsal.monitoring.promql.evaluator import Labels
from rehearsal.monitoring.recorder import Results


@dataclass(frozen=True)
class Alert:
    """A signal beyond a threshold since `since`; `recovered` is the time of its recovery, None before."""

    signal: str
    title: str
    line: str
    severity: str
    value: float
    limit: float
    unit: str
    since: float
    requirement: str = ""
    recovered: float | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Return the identity of the alert: signal, line and severity."""
        return self.signal, self.line, self.severity

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


# After this many scrapes without a value, such as during a suspend, earlier values are disregarded.
_GAP_SCRAPES: Final = 4


@dataclass
class _Pending:
    beyond: float | None = None  # time of the first value beyond the threshold
    within: float | None = None
    alert: Alert | None = None
    at: float = 0.0  # time of the last value


class Alerts:
    """Alerts by signal, line and severity. `notify` is called once when one begins and once when it ends."""

    def __init__(
        self, signals: Callable[[], Signals], notify: Callable[[Alert], None] = lambda alert: None
    ) -> None:
        self._signals = signals
        self._notify = notify
        self._pending: dict[tuple[str, str, str], _Pending] = {}

    def update(self, at: float, results: Results) -> None:
        """Compare the results of one moment. A signal without a result neither fires nor recovers.

        The times of both begin again after a gap.
        """
        for signal in self._signals().local().values():
            if signal.threshold is None or signal.query not in results:
                continue
            for labels, value in results[signal.query].items():
                # The critical alert implies the warning.
                critical = self._compare(at, signal, labels, value, "critical", signal.threshold.critical)
                if not critical:
                    self._compare(at, signal, labels, value, "warning", signal.threshold.warning)

    def active(self) -> list[Alert]:
        """Return the alerts that have fired and not recovered, critical ones first."""
        # A copy: the recorder's thread adds to it.
        found = [pending.alert for pending in list(self._pending.values()) if pending.alert]
        return sorted(found, key=lambda alert: (alert.severity, alert.since))

    def _compare(
        self, at: float, signal: Signal, labels: Labels, value: float, severity: str, limit: float
    ) -> bool:
        """Return whether the alert of this severity is active afterwards."""
        line = ", ".join(text for _, text in labels)
        key = (signal.name, line, severity)
        pending = self._pending.setdefault(key, _Pending())
        detection = self._signals().detection
        if at - pending.at > _GAP_SCRAPES * detection.scrape_seconds:
            pending.beyond = pending.within = None
        pending.at = at
        beyond = value < limit if signal.worse == "below" else value > limit
        if beyond:
            pending.within = None
            pending.beyond = at if pending.beyond is None else pending.beyond
            if pending.alert is None and at - pending.beyond >= detection.fire_seconds:
                pending.alert = Alert(
                    signal.name, signal.title, line, severity, value, limit, signal.unit, pending.beyond,
                    signal.requirement,
                )  # fmt: skip
                self._notify(pending.alert)
        else:
            pending.beyond = None
            pending.within = at if pending.within is None else pending.within
            if pending.alert is not None and at - pending.within >= detection.recover_seconds:
                recovered = Alert(**{**asdict(pending.alert), "value": value, "recovered": at})
                pending.alert = None
                self._notify(recovered)
        return pending.alert is not None
