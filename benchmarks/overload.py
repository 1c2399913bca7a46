"""Goodput of a pod at four times its capacity.

A closed loop finds the capacity. Open arrivals then run at the capacity and at four times the capacity. A
good response has status 200 within 500 ms of its arrival. The server has one core, the load generator
another. The note contains the goodput of the same service without its concurrency limiter.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import _sides
from benchmarks._benchmark import Benchmark, Measurement
from benchmarks._sides import Figures
from tests.support import backends

SECONDS = 6.0
WARM_SECONDS = 3.0
LEAST = 0.85
BOUND_MS = 500.0


@contextmanager
def served(how: str) -> Iterator[int]:
    """Run the service of `sides/overload_server.py`; yield its port."""
    port = backends.free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.sides.overload_server", str(port), how]
        server = backends.Process(command, port, Path(folder) / "server.log")
        server.start()
        try:
            _sides.pin(server.pid, 0)
            yield port
        finally:
            server.kill()


def load(port: int, rate: float, seconds: float) -> Figures:
    """Send that many arrivals per second; 0 is a closed loop."""
    return _sides.ours("overload_load", str(port), str(rate), str(seconds))


def goodput() -> Measurement:
    """Compare the goodput at four times the capacity with that at the capacity, in responses per second."""
    with served("gate") as port:
        load(port, 0, WARM_SECONDS)
        capacity = load(port, 0, WARM_SECONDS)["goodput"]
        at_capacity = load(port, capacity, SECONDS)
        at_four = load(port, 4 * capacity, SECONDS)
    with served("open") as port:
        load(port, 0, 1.0)
        without = load(port, 4 * capacity, SECONDS)
    # A slow period of the machine must not lower the reference.
    reference = max(capacity, at_capacity["goodput"])
    ratio = at_four["goodput"] / reference
    p95 = at_four["p95"]
    note = f"P95 of the admitted {p95:.0f} ms (< {BOUND_MS:g}), {at_four['refused']:.0%} refused with 503; "
    note += f"without the limiter {without['goodput']:.0f} responses/s in time"
    ok = ratio >= LEAST and p95 < BOUND_MS
    return Measurement(at_four["goodput"], reference, ratio, ok, note)


BENCHMARKS = [Benchmark("overload-goodput", "itself at capacity", "responses/s", f"≥ {LEAST}", goodput)]
