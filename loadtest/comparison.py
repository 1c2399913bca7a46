"""``kingdom load compare --base REF``: windows of the running platform and of another commit, interleaved.

Both run on this machine at once, each on its own port; in every round one window of the base, one of the
change, and one more of the base are measured in random order, so that a change of the machine's speed affects
all of them.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from loadtest.generator.accounts import Account
from loadtest.platform import Platform, find
from loadtest.run import Settings, execute
from loadtest.statistics.samples import SIDES, Samples
from rehearsal.host.processes.ports import is_free
from rehearsal.pulumi.project import Project
from rehearsal.review.base_checkout import checked_out
from rehearsal.scenarios.rate_curve import RateCurve

_UP_SECONDS: Final = 240.0
_PORTS: Final = range(8453, 8553)
_PORT: Final = re.compile(r"^(\s+(?:edgePort|port): )8443$", re.MULTILINE)
_COMMAND: Final = "from rehearsal.cli.__main__ import run; run()"


class BaseUpError(Exception):
    """The base could not be started on this machine; the message ends with its output."""


def measure(
    base: Platform,
    change: Platform,
    mix: tuple[str, Mapping[str, float]],
    windows: int,
    seconds: float,
    rate: float,
    accounts: int,
    seed: int,
    notice: Callable[[str], None],
) -> Samples:
    """Measure rounds of one window for each side, in random order. Raises the errors of :func:`execute`."""
    rng, found = random.Random(seed), Samples()  # noqa: S311 (repeatable, not secret)
    prepared: dict[str, list[Account]] = {}
    curve = RateCurve(((0.0, rate), (seconds, rate)))
    for number in range(windows):
        for side in rng.sample(SIDES, len(SIDES)):
            platform = change if side == "change" else base
            settings = Settings(side, curve, *mix, 1.0, 1.0, accounts, rng.randrange(1_000_000))
            run = execute(settings, platform, prepared=prepared.get(platform.address), observe=False)
            prepared[platform.address] = run.plan.prepared
            found.add(side, {"P50": run.total.p50, "P95": run.total.p95}, run.invalid())
        notice(f"round {number + 1} of {windows}")
    return found


@contextmanager
def base_platform(root: Path, ref: str, notice: Callable[[str], None]) -> Iterator[Platform]:
    """Start the project as of `ref` on a free port of this machine; stop and remove it afterwards."""
    with checked_out(Project.at(root), ref) as base:
        tree = base.project.root
        port = next(each for each in _PORTS if is_free(each))
        stack = tree / "stacks" / "Pulumi.local.yaml"
        stack.write_text(_PORT.sub(rf"\g<1>{port}", stack.read_text()))
        notice(f"bringing {ref} ({base.commit[:12]}) up on port {port}")
        try:
            _kingdom(tree, "up", "--stack", "local", "--policy-pack", "none")
            yield find("local", tree)
        finally:
            _kingdom(tree, "down", "--stack", "local", check=False)


def _kingdom(tree: Path, *arguments: str, check: bool = True) -> None:
    """Run a command of the checkout's version. Raises BaseUpError if it fails or takes too long."""
    command = f"`kingdom {' '.join(arguments)}`"
    try:
        # The checkout's modules take precedence over the installed ones.
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, *arguments],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            capture_output=True,
            text=True,
            timeout=_UP_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        if check:
            raise BaseUpError(f"{command} did not end within {_UP_SECONDS:g} s") from error
        return
    if check and done.returncode:
        raise BaseUpError(f"{command} failed: {(done.stderr or done.stdout)[-2000:]}")
