"""``kingdom load compare --base REF``: windows of the running platform and of another commit, interleaved.

Both run on this machine at once, each on its own port; in every round one window of the base, one of the
change, and one more of the base are measured in random order, so that a change of the machine's speed affects
all of them.
"""

from __future__ import annotations

import math
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from loadtest.generator.accounts import Account
from loadtest.platform import Platform, find
from loadtest.run import Settings, execute
from loadtest.statistics.samples import SIDES, Samples
from rehearsal.host.client import Machine
from rehearsal.host.errors import MachineError
from rehearsal.host.processes import orphans
from rehearsal.host.processes.ports import is_free
from rehearsal.interrupts import deferred
from rehearsal.pulumi.project import Project
from rehearsal.review.base_checkout import checked_out
from rehearsal.scenarios.rate_curve import RateCurve

# Maximum share of the rounds that are repeated.
_MAX_REPEATED: Final = 0.5
_UP_SECONDS: Final = 240.0
# An interrupted `up` ends when the operations in progress have ended.
_INTERRUPT_SECONDS: Final = 60.0
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
    """Measure rounds of one window for each side, in random order.

    All windows have the same requests at the same times, those of `seed`: with a schedule of its own, the P50
    of one platform's windows varies by 15 %, with the same one by 6 %. Raises the errors of :func:`execute`.
    """
    rng, found = random.Random(seed), Samples()  # noqa: S311 (repeatable, not secret)
    prepared: dict[str, list[Account]] = {}
    curve = RateCurve(((0.0, rate), (seconds, rate)))
    # A window that was left out is measured again, in rounds of all sides.
    for number in range(windows + math.ceil(windows * _MAX_REPEATED)):
        if found.complete >= windows:
            break
        for side in rng.sample(SIDES, len(SIDES)):
            platform = change if side == "change" else base
            settings = Settings(side, curve, *mix, 1.0, 1.0, accounts, seed)
            run = execute(settings, platform, prepared=prepared.get(platform.address), observe=False)
            prepared[platform.address] = run.plan.prepared
            found.add(side, {"P50": run.total.p50, "P95": run.total.p95}, run.invalid(), number)
        repeated = number + 1 - windows
        notice(f"round {min(number + 1, windows)} of {windows}" + f", repeated {repeated}" * (repeated > 0))
    return found


@contextmanager
def base_platform(change: Platform, ref: str, notice: Callable[[str], None]) -> Iterator[Platform]:
    """Start the project as of `ref` on a free port of this machine, with the priority of `change`.

    Stops and removes it afterwards, also after Ctrl-C; another Ctrl-C takes effect when it is removed.
    Raises BaseUpError, InputError for an invalid ref, or KeyboardInterrupt.
    """
    with checked_out(Project.at(change.root), ref) as base:
        tree = base.project.root
        port = next(each for each in _PORTS if is_free(each))
        stack = tree / "stacks" / "Pulumi.local.yaml"
        stack.write_text(_PORT.sub(rf"\g<1>{port}", stack.read_text()))
        notice(f"bringing {ref} ({base.commit[:12]}) up on port {port}")
        try:
            _kingdom(tree, change.priority, "up", "--stack", "local", "--policy-pack", "none")
            yield find("local", tree)
        finally:
            with deferred():
                notice(f"removing {ref}")
                _remove(tree, notice)


def _remove(tree: Path, notice: Callable[[str], None]) -> None:
    """Take the base down; if that fails, stop its processes, before the checkout is removed."""
    try:
        _kingdom(tree, 0, "down", "--stack", "local")
    except BaseUpError as error:
        notice(f"the base was not stopped in order: {error}")
    state = (tree / ".rehearsal" / "local").absolute()
    try:
        if (machine := Machine.find(state)) is not None:
            machine.stop()
    except MachineError as error:
        notice(f"the supervisor of the base was not stopped: {error}")
    orphans.end(state)


def _kingdom(tree: Path, priority: int, *arguments: str) -> None:
    """Run a command of the checkout's version. Raises BaseUpError if it fails or takes too long.

    It has a process group of its own: Ctrl-C reaches this process, which interrupts the command and waits.
    """
    command = f"`kingdom {' '.join(arguments)}`"
    # The checkout's modules take precedence over the installed ones.
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    # A process with real-time priority, as this one, passes on neither that nor a higher priority.
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, priority)
    try:
        output, errors = process.communicate(timeout=_UP_SECONDS)
    except BaseException as error:
        _interrupt(process)
        if isinstance(error, subprocess.TimeoutExpired):
            raise BaseUpError(f"{command} did not end within {_UP_SECONDS:g} s") from error
        raise
    if process.returncode:
        raise BaseUpError(f"{command} failed: {(errors or output)[-2000:]}")


def _interrupt(process: subprocess.Popen[str]) -> None:
    """Interrupt a command, so that it records what it has begun; kill it if that takes too long."""
    process.send_signal(signal.SIGINT)
    with deferred():
        try:
            process.communicate(timeout=_INTERRUPT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
