"""Compare every step of traces between the upstream controller and this implementation."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.host.kubernetes.hpa.model import MetricStatus
from rehearsal.host.kubernetes.hpa.trace import Replayed, replay
from tests.cluster.binaries import MODULE, run_go

# Upstream lists pods and autoscalers in the order of a Go map, and names the first that is invalid.
_ANY_ORDER = re.compile(
    r"missing request for \S+ in container \S+ of Pod \S+|missing pod-level request for \S+ in Pod \S+"
    r"|container \S+ not found in Pod \S+|\(e\.g\. .*\)"
)


@dataclass(frozen=True)
class Difference:
    """The first step of a trace at which the decisions differ."""

    trace: str
    step: int
    field: str
    ours: Any
    upstream: Any


def build(folder: Path, deadline: float) -> Path:
    """Build the test binary with the upstream controller in `folder`. Raises UnavailableError."""
    binary = folder / "hpa-oracle"
    run_go(["test", "-c", "-o", str(binary), "./hpa"], deadline)
    return binary


def decide_upstream(binary: Path, traces: Sequence[Mapping[str, Any]], folder: Path) -> list[list[Any]]:
    """Return the decisions of the upstream controller at each step of each trace."""
    given, found = folder / "traces.jsonl", folder / "decisions.jsonl"
    given.write_text("".join(json.dumps(trace) + "\n" for trace in traces))
    subprocess.run(
        [str(binary), "-test.run=^TestDecisions$", "-test.timeout=0"],
        cwd=MODULE / "hpa",
        env={**os.environ, "HPA_TRACES": str(given), "HPA_DECISIONS": str(found)},
        check=True,
        capture_output=True,
    )
    rows = [json.loads(line) for line in found.read_text().splitlines()]
    assert [row["id"] for row in rows] == [trace["id"] for trace in traces]
    return [row["decisions"] for row in rows]


def differences(
    traces: Sequence[Mapping[str, Any]], upstream: Iterable[Sequence[Mapping[str, Any]]]
) -> tuple[int, list[Difference]]:
    """Return the number of compared decisions and the first difference of each differing trace."""
    found: list[Difference] = []
    compared = 0
    for trace, decisions in zip(traces, upstream, strict=True):
        for number, (replayed, decision) in enumerate(zip(replay(trace), decisions, strict=True)):
            compared += 1
            ours, theirs = _ours(replayed), _theirs(decision)
            wrong = [name for name in theirs if ours[name] != theirs[name]]
            if wrong:
                name = wrong[0]
                found.append(Difference(str(trace["id"]), number, name, ours[name], theirs[name]))
                break
    return compared, found


def _ours(replayed: Replayed) -> dict[str, Any]:
    state = replayed.state
    return {
        "syncs": 1,
        "specReplicas": replayed.spec_replicas,
        "desired": state.desired_replicas,
        "current": state.current_replicas,
        "conditions": {
            item.type: (item.status, item.reason, _text(item.message), item.since)
            for item in state.conditions
        },
        "metrics": [_values(item) for item in state.metrics],
    }


def _values(status: MetricStatus | None) -> dict[str, int]:
    if status is None:
        return {}
    given = {"utilization": status.utilization, "average": status.average, "value": status.value}
    return {name: value for name, value in given.items() if value is not None}


def _theirs(decision: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "syncs": decision["syncs"],
        "specReplicas": decision["specReplicas"],
        "desired": decision["desired"],
        "current": decision["current"],
        "conditions": {
            item["type"]: (item["status"], item["reason"], _text(item["message"]), item["since"])
            for item in decision["conditions"] or []
        },
        "metrics": decision["metrics"] or [],
    }


def _text(message: str) -> str:
    return _ANY_ORDER.sub("ANY", message)
