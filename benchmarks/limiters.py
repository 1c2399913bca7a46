"""`app.rate_limits` compared with the library `limits`: decisions per second, and tokens granted.

A decision covers three rules: account, class of endpoint and address. The peer's decision is three hits, with
the faster of its fixed and its moving window. Fifty callers run concurrently.
"""

import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from benchmarks import _sides
from benchmarks._benchmark import Benchmark, Measurement
from benchmarks._sides import Figures

DECISIONS = 4_000
ROUNDS = 3
PODS = 3
LIMIT, WINDOW, SECONDS = 2_000, 1.0, 4.0


@cache
def comparison() -> tuple[Figures, Figures]:
    """Run both sides alternately and return the medians."""
    return _sides.in_turns(
        ROUNDS,
        lambda server: _sides.ours("limits_ours", server.url, str(DECISIONS)),
        lambda server: _sides.peer("limits_peer", server.url, str(DECISIONS)),
    )


def _rate(mode: str, target: float) -> Measurement:
    ours, theirs = comparison()
    note = f"median of {ROUNDS}"
    if mode == "leased":
        note += f"; {ours['called']:.2%} of the decisions called Redis"
    best = max(theirs["fixed"], theirs["moving"])
    return Measurement.min_ratio(target, ours=ours[mode], peer=best, note=note)


def _granted(lease: int) -> tuple[int, int]:
    """Return the maximum certainly granted within one window, and the total granted."""
    words = [str(LIMIT), str(lease), str(WINDOW), str(SECONDS)]
    with _sides.redis() as server, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.sides.limits_grants", server.url, *words]
        files = [Path(folder) / f"pod{number}.json" for number in range(PODS)]
        pods = [subprocess.Popen([*command, str(file)], cwd=_sides.ROOT) for file in files]
        for pod in pods:
            if pod.wait(_sides.SECONDS):
                raise RuntimeError(f"a pod ended with {pod.returncode}")
        spans = [(began, ended) for file in files for began, ended in json.loads(file.read_text())]
    return max_within(spans, WINDOW), len(spans)


def max_within(spans: list[tuple[float, float]], window: float) -> int:
    """Return the maximum number of grants requested and received within any one window."""
    maximum = first = 0
    starts = sorted(began for began, _ in spans)
    ends = sorted(end for _, end in spans)
    for last, end in enumerate(ends):
        # Grants received so far, without those that may have been granted before the window.
        while starts[first] <= end - window:
            first += 1
        maximum = max(maximum, last + 1 - first)
    return maximum


def _over(lease: int) -> Measurement:
    granted, total = _granted(lease)
    bound = LIMIT + (PODS * lease if lease > 1 else 0)
    note = f"{PODS} processes, {LIMIT:,} a second, {total:,} granted in {SECONDS:g} s"
    if lease > 1:
        note += f", leases of {lease}: {max(0, granted - LIMIT)} over the limit"
    return Measurement.max_ratio(1, ours=granted, peer=bound, note=note)


BENCHMARKS = [
    Benchmark("limits-exact", "limits 5.8, three hits", "/s", "≥ 2", lambda: _rate("exact", 2)),
    Benchmark("limits-leased", "limits 5.8, three hits", "/s", "≥ 10", lambda: _rate("leased", 10)),
    Benchmark("limits-granted-exact", "the limit", "in a window", "≤ 1", lambda: _over(1)),
    Benchmark("limits-granted-leased", "the bound", "in a window", "≤ 1", lambda: _over(LIMIT // 20)),
]
