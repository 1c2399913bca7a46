"""The wait for a pack's port: long enough for a slow machine, limited for a pack that hangs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rehearsal.policy.pack_start import Activity, Hang, await_line

LIMIT = 60.0
SLOW = "the machine is too slow, or the pack imports too much"
HANGING = "it hangs before `PolicyPack(...)` is reached"


class Machine:
    """A simulated process with a simulated clock, which prints its port after `needed` seconds of CPU time.

    It gets the fraction `share` of the elapsed time as CPU time, and is `running` while it waits for more.
    """

    def __init__(self, needed: float, share: float, *, running: bool = True) -> None:
        self.needed, self.share, self.running = needed, share, running
        self.now = 0.0

    def wait(self, seconds: float) -> str | None:
        self.now += seconds
        return "4711\n" if self.now * self.share >= self.needed else None

    def activity(self) -> Activity:
        return Activity(self.now * self.share, self.running)

    def result(self) -> str | Hang:
        return await_line(self.wait, self.activity, LIMIT, lambda: self.now)


def test_port_is_returned_at_once() -> None:
    assert await_line(lambda _: "4711\n", lambda: None, LIMIT) == "4711\n"


@pytest.mark.parametrize("share", [0.5, 0.02, 0.005])
def test_pack_that_gets_little_processor_time_is_awaited(share: float) -> None:
    machine = Machine(needed=2, share=share)
    assert machine.result() == "4711\n"
    assert machine.now == pytest.approx(2 / share, abs=1)


HANGS: dict[str, tuple[Machine, str, str]] = {
    "waits": (
        Machine(needed=1, share=0, running=False),
        f"printed no port in 60 s, and was idle for 60 s of them: {HANGING}",
        "Look for a prompt, a lock or a network call at import time.",
    ),
    "polls": (
        Machine(needed=100, share=0.001, running=False),
        f"printed no port in 60 s, and was idle for 60 s of them: {HANGING}",
        "Look for a prompt, a lock or a network call at import time.",
    ),
    "loops": (
        Machine(needed=1000, share=0.8),
        f"printed no port in 75 s, and used 60 s of processor time: {HANGING}",
        "Look for a loop at import time.",
    ),
    "starves": (
        Machine(needed=10, share=0.001),
        f"printed no port in 600 s, of which it was idle for 0 s and used 1 s of processor time: {SLOW}",
        "Run it again when the machine has less load.",
    ),
}


@pytest.mark.parametrize("case", HANGS)
def test_hung_pack_is_reported_with_reason_and_remedy(case: str) -> None:
    machine, reason, remedy = HANGS[case]
    assert machine.result() == Hang(reason, remedy)


def test_end_of_the_process_ends_the_wait() -> None:
    lines = iter([None, ""])
    assert await_line(lambda _: next(lines), lambda: None, LIMIT) == ""


def test_activity_is_that_of_the_process() -> None:
    code = "import sys; sum(range(3_000_000)); print('done', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = Activity.of(process.pid)
        assert found is not None
        assert found.processor > 0
    assert Activity.of(process.pid) is None
