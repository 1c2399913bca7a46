"""A platform with generated metrics and simulated time, and a recorder of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.monitoring.signals import Signals
from rehearsal.monitoring.clock import RecordingClock
from rehearsal.monitoring.platform import EMULATED, PlatformState, ScrapeTarget
from rehearsal.monitoring.promql.evaluator import Labels
from rehearsal.monitoring.promql.parser import parse, selectors
from rehearsal.monitoring.recorder import Recorder
from rehearsal.monitoring.signals import declared
from rehearsal.monitoring.store import Recording
from rehearsal.pulumi.project import Project
from tests.repository._tree import ROOT

BOUNDS = ("0.01", "0.1", "0.5", "1.0", "+Inf")
LABELS = {
    "kingdom_http_request_seconds": [
        f'method="GET",route="{route}",status="{status}"'
        for route in ("/v1/contents", "/v1/feed", "/livez")
        for status in ("200", "500")
    ],
    "kingdom_mongodb_command_seconds": ['command="find",collection="contents"'],
    "kingdom_job_seconds": ['kind="generate",outcome="done"'],
    "kingdom_cache_reads": [f'cache="feed",outcome="{name}"' for name in ("memory", "redis", "loads")],
    "kingdom_network_bytes": ['direction="received"', 'direction="sent"'],
    "kingdom_system_memory_bytes": ['of="available"'],
}


@dataclass
class MadeUp:
    """Two pods whose counters grow at random; `values` may be changed by a test."""

    seed: int = 1
    pods: tuple[str, ...] = ("api-1", "api-2")
    away: set[str] = field(default_factory=set)
    rename: dict[str, str] = field(default_factory=dict)
    running: bool = True
    wall: float = 1_700_000_000.0
    elapsed: float = 0.0
    exposed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.signals: Signals = declared(Project.at(ROOT), "local")
        self._random = random.Random(self.seed)
        self._counters: dict[str, float] = {}
        self._metrics = sorted(
            {
                each.metric
                for signal in self.signals.local().values()
                for each in selectors(parse(signal.query))
            }
        )

    def observe(self, at: float) -> PlatformState | None:
        if not self.running:
            return None
        gauges: dict[Labels, float] = {
            (
                ("__name__", metric),
                ("memory_type", "non-evictable"),
                ("monitored_resource", "k8s_container"),
                ("namespace", "kingdom"),
                ("namespace_name", "kingdom"),
                ("pod_name", "api-1"),
            ): float(self._random.randint(1, 4))
            for metric in sorted(EMULATED)
        }
        targets = [
            ScrapeTarget(name, 1, {"pod": name, "top_level_controller_name": "api"}) for name in self.pods
        ]
        self.exposed = {name: "".join(self._lines(name)) for name in self.pods}
        return PlatformState(targets, gauges)

    def fetch(self, target: ScrapeTarget, seconds: float = 2.0) -> str:
        if target.name in self.away:
            raise ConnectionRefusedError("refused")
        return self.exposed[target.name]

    def recorder(self, store: Recording | None = None) -> Recorder:
        clock = RecordingClock(0.0, lambda: self.wall, lambda: self.elapsed)
        return Recorder(store or Recording(None), lambda: self.signals, self, fetch=self.fetch, clock=clock)

    def advance(self, seconds: float = 15.013) -> None:
        self.wall += seconds
        self.elapsed += seconds

    def reset(self, pod: str) -> None:
        """A pod starts again: its counters begin at 0."""
        self._counters = {key: 0.0 if key.startswith(pod) else value for key, value in self._counters.items()}

    def _lines(self, pod: str) -> Iterator[str]:
        written: set[str] = set()
        for metric in self._metrics:
            if metric in EMULATED:
                continue
            base = metric.removesuffix("_bucket").removesuffix("_count").removesuffix("_total")
            kind = "histogram" if metric.endswith(("_bucket", "_count")) else "counter"
            name = self.rename.get(metric, metric)
            if base not in written:
                written.add(base)
                yield f"# TYPE {name if kind == 'counter' else base} {kind}\n"
            for labels in LABELS.get(base, [""]):
                if metric.endswith("_bucket"):
                    grown = 0.0
                    for bound in BOUNDS:
                        grown += self._random.randint(0, 5)
                        full = f'{labels},le="{bound}"'.removeprefix(",")
                        yield f"{name}{{{full}}} {self._count(f'{pod} {metric} {full}', grown)}\n"
                else:
                    full = f"{{{labels}}}" if labels else ""
                    count = self._count(f"{pod} {metric} {full}", self._random.randint(0, 9))
                    yield f"{name}{full} {count}\n"

    def _count(self, key: str, grown: float) -> float:
        # Counters are old: they do not begin within the recording.
        self._counters[key] = self._counters.get(key, 100_000.0) + grown
        return self._counters[key]
