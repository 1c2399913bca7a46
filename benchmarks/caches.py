"""Memory layer of `app.cache` compared with cashews and aiocache, and many readers of one missing key.

Hits: microseconds of an awaited read in the fastest of fifty rounds, of a value of 600 bytes under one of
1,000 keys. cashews' plain `get` is its fastest read; the note has its decorator, which loads missing values
as ours does. The herd is 1,000 readers in two processes at once; the peer uses its lock.
"""

import json
import subprocess
import sys
from collections.abc import Callable

from benchmarks import _sides
from benchmarks._benchmark import Benchmark, Measurement
from benchmarks._sides import Figures

ROUNDS = 3
READERS = 500


def _hit(peer: Callable[[], Figures], note: Callable[[Figures], str]) -> Measurement:
    with _sides.redis() as server:
        turns = [(_sides.ours("cache.hit_ours", server.url), peer()) for _ in range(ROUNDS)]
    ours, theirs = (_sides.median(side) for side in zip(*turns, strict=True))
    return Measurement.max_ratio(0.2, ours=ours["hit"], peer=theirs["get"], note=note(theirs))


def hit_beside_cashews() -> Measurement:
    """Compare a hit with that of cashews."""
    return _hit(
        lambda: _sides.peer("cache.hit_cashews"),
        lambda theirs: f"cashews by its decorator: {theirs['decorated']:.3g} µs; median of {ROUNDS}",
    )


def hit_beside_aiocache() -> Measurement:
    """Compare a hit with that of aiocache."""
    return _hit(lambda: _sides.peer("cache.hit_aiocache"), lambda _: f"median of {ROUNDS}")


def _herd(python: str, module: str, url: str) -> Figures:
    """Start two processes at once; return the calls of the source and the seconds of the slower process."""
    command = [python, "-m", f"benchmarks.sides.{module}", url, str(READERS)]
    herd = [subprocess.Popen(command, cwd=_sides.ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    figures: list[Figures] = []
    for process in herd:
        output, _ = process.communicate(timeout=_sides.SECONDS)
        if process.returncode:
            raise RuntimeError(f"{module} ended with {process.returncode}")
        figures.append(json.loads(output.splitlines()[-1]))
    return {name: max(figure[name] for figure in figures) for name in ("loads", "seconds")}


def herd() -> Measurement:
    """Compare the calls of the source; the target is one call."""
    with _sides.redis() as server:
        ours = _herd(sys.executable, "cache.herd_ours", server.url)
        server.empty()
        theirs = _herd(_sides.peer_python(), "cache.herd_cashews", server.url)
    note = f"a source of 200 ms; all 1,000 served after {ours['seconds']:.2f} s, {theirs['seconds']:.2f} s"
    loads = ours["loads"]
    return Measurement(loads, theirs["loads"], loads / theirs["loads"], loads == 1, note)


BENCHMARKS = [
    Benchmark("cache-hit", "cashews 7.6", "µs", "≤ 0.2", hit_beside_cashews),
    Benchmark("cache-hit-aiocache", "aiocache 0.12", "µs", "≤ 0.2", hit_beside_aiocache),
    Benchmark("cache-herd", "cashews 7.6", "calls", "≤ 1", herd),
]
