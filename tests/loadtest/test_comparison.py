"""The comparison with another commit: its windows, and the base that is brought up for them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from loadtest import comparison as module
from loadtest.comparison import BaseUpError, base_platform, measure
from loadtest.platform import Platform
from loadtest.run import Run, Settings
from tests.loadtest.factories import run
from tests.rehearsal.review.repositories import Repository

# Replaces the base's `kingdom` command: records its arguments, its stack file and its folder.
KINGDOM = """
import json, pathlib, sys, time
def run():
    stack = pathlib.Path("stacks/Pulumi.local.yaml").read_text()
    with open({calls!r}, "a") as calls:
        print(json.dumps([sys.argv[1:], stack, str(pathlib.Path.cwd())]), file=calls)
    {action}
"""
STACK = """\
config:
  kingdom:edge:
    port: 8443
  rehearsal:machine:
    edgePort: 8443
    webPort: 8443
"""


def platform(port: int, tmp_path: Path) -> Platform:
    return Platform(f"https://localhost:{port}", tmp_path, None, tmp_path, "local")


def found_at(stack: str, root: Path) -> Platform:
    return Platform("", root, None, root, stack)


def test_windows_of_base_and_change_are_interleaved_in_random_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[tuple[str, str, bool]] = []
    schedules: set[int] = set()

    def execute(settings: Settings, platform: Platform, *, prepared: list[Any] | None, observe: bool) -> Run:
        calls.append((settings.name, platform.address, bool(prepared)))
        assert not observe
        schedules.add(settings.seed)
        assert settings.rates.points == ((0.0, 40.0), (6.0, 40.0))
        change = settings.name == "change"
        found = run(10, response=0.2 if change else 0.1, lateness=0.5 if len(calls) == 2 else 0.0)
        account: Any = object()
        found.plan.prepared = [account]
        return found

    monkeypatch.setattr(module, "execute", execute)
    notices: list[str] = []
    base, change = platform(8453, tmp_path), platform(8443, tmp_path)
    mix = {"GET /v1/feed": 1.0}
    found = measure(base, change, ("mixed", mix), 4, 6.0, 40.0, 3, 7, notices.append)
    # One round more, since a window was left out.
    assert notices == [*(f"round {number} of 4" for number in (1, 2, 3, 4)), "round 4 of 4, repeated 1"]
    # The same requests at the same times in all windows.
    assert schedules == {7}
    rounds = [[side for side, _, _ in calls[at : at + 3]] for at in (0, 3, 6, 9, 12)]
    assert all(sorted(each) == ["again", "base", "change"] for each in rounds)
    assert len({tuple(each) for each in rounds}) > 1
    assert all(address == (change if side == "change" else base).address for side, address, _ in calls)
    # Accounts are prepared once for each platform.
    assert Counter(address for _, address, ready in calls if not ready) == Counter(
        {base.address: 1, change.address: 1}
    )
    # The window in which the generator lagged is left out.
    left_out = calls[1][0]
    assert [each.partition(":")[0] for each in found.invalid] == [left_out]
    assert found.complete == 4
    assert found.rounds[0]["change"]["P95"] == pytest.approx(0.2, rel=0.02)


def change(base: Base) -> Platform:
    """The platform that is up, brought up from the work tree of the repository."""
    return platform(8443, base.repository.root)


def test_no_more_than_half_of_the_rounds_are_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def execute(settings: Settings, platform: Platform, *, prepared: list[Any] | None, observe: bool) -> Run:
        return run(10, lateness=0.5)

    monkeypatch.setattr(module, "execute", execute)
    notices: list[str] = []
    mix = {"GET /v1/feed": 1.0}
    one = platform(8443, tmp_path)
    found = measure(one, one, ("mixed", mix), 4, 6.0, 40.0, 3, 7, notices.append)
    assert len(notices) == 6
    assert len(found.invalid) == 18
    assert found.complete == 0


class Base:
    """A repository whose first commit has a command `kingdom` that acts as given; the second has another."""

    def __init__(self, tmp_path: Path, action: str) -> None:
        self.repository = Repository(tmp_path / "project", stacks=())
        self._calls = tmp_path / "calls"
        self.repository.write("stacks/Pulumi.local.yaml", STACK)
        self.repository.write("rehearsal/__init__.py", "")
        self.repository.write("rehearsal/cli/__init__.py", "")
        command = "rehearsal/cli/__main__.py"
        self.repository.write(command, KINGDOM.format(calls=str(self._calls), action=action))
        self.commit = self.repository.commit("base")
        self.repository.write(command, "def run():\n    raise SystemExit('not the base')\n")
        self.repository.commit("change")

    def calls(self) -> list[tuple[list[str], str, Path]]:
        """Arguments, stack file and folder of every call."""
        lines = self._calls.read_text().splitlines()
        return [(words, stack, Path(folder)) for words, stack, folder in map(json.loads, lines)]


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """The ports of bases: one on which another process listens, and a free one."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
        found = taken.getsockname()[1], free.getsockname()[1]
        free.close()
        monkeypatch.setattr(module, "_PORTS", found)
        yield found


def test_base_runs_its_own_code_on_a_free_port_and_is_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ports: tuple[int, int]
) -> None:
    base = Base(tmp_path, "pass")
    monkeypatch.setattr(module, "find", found_at)
    notices: list[str] = []
    with base_platform(change(base), base.commit, notices.append) as given:
        (up, stack, folder), *rest = base.calls()
        assert given.root == folder != base.repository.root
        assert up == ["up", "--stack", "local", "--policy-pack", "none"]
        # Both ports of the platform, and no other setting.
        assert stack == STACK.replace(" port: 8443", f" port: {ports[1]}").replace(
            "edgePort: 8443", f"edgePort: {ports[1]}"
        )
        assert rest == []
    assert [words for words, _, _ in base.calls()] == [up, ["down", "--stack", "local"]]
    assert base.repository.worktrees() == base.repository.leftovers() == []
    assert notices == [
        f"bringing {base.commit} ({base.commit[:12]}) up on port {ports[1]}",
        f"removing {base.commit}",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("sys.exit('no such setting: ' + 'x' * 3000)", r"^`kingdom up .+ none` failed: x{1999}\n$"),
        ("print('on standard output'); sys.exit(2)", r"failed: on standard output"),
        ("time.sleep(60)", r"^`kingdom up --stack local --policy-pack none` did not end within 1 s$"),
    ],
)
def test_base_that_does_not_start_is_taken_down_and_its_output_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ports: tuple[int, int], action: str, message: str
) -> None:
    monkeypatch.setattr(module, "_UP_SECONDS", 1.0)
    base = Base(tmp_path, action)
    with (
        pytest.raises(BaseUpError, match=message),
        base_platform(change(base), base.commit, lambda text: None),
    ):
        raise AssertionError("the base is not up")
    assert [words[0] for words, _, _ in base.calls()] == ["up", "down"]
    assert base.repository.worktrees() == base.repository.leftovers() == []


def test_base_is_taken_down_after_an_error_in_the_comparison(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ports: tuple[int, int]
) -> None:
    base = Base(tmp_path, "pass")
    monkeypatch.setattr(module, "find", found_at)
    with pytest.raises(ZeroDivisionError), base_platform(change(base), base.commit, print):
        raise ZeroDivisionError
    assert [words[0] for words, _, _ in base.calls()] == ["up", "down"]


# A comparison in a process of its own. Prints what it does; its windows last until it is interrupted.
COMPARISON = """
import sys, time
from pathlib import Path
from loadtest import comparison as module
from loadtest.platform import Platform

module.find = lambda stack, root: Platform("", root, None, root, stack)
root = Path(sys.argv[1])
change = Platform("https://localhost:8443", root, None, root, "local")
with module.base_platform(change, sys.argv[2], lambda text: print(text, flush=True)):
    if sys.argv[3] != "down":
        print("measuring", flush=True)
        time.sleep(60)
"""
# Replaces git: `worktree add` creates the checkout and then hangs until it is interrupted.
SLOW_GIT = """#!/bin/sh
case " $* " in
*" worktree add "*) {git} "$@"; : > {began}; exec sleep 60;;
esac
exec {git} "$@"
"""


def wait_for(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", ["checkout", "up", "windows", "down"])
def test_base_is_removed_after_an_interruption_in_every_phase(
    tmp_path: Path, phase: str, number: signal.Signals
) -> None:
    began, stopped = tmp_path / "began", tmp_path / "stopped"
    waiting = f"pathlib.Path({str(began)!r}).touch(); time.sleep({{seconds}})"
    actions = {
        "up": f"if sys.argv[1] == 'up': {waiting.format(seconds=60)}",
        # `down` must not be interrupted: processes would remain whose checkout is removed.
        "down": f"if sys.argv[1] == 'down': {waiting.format(seconds=0.5)}",
    }
    stop = f"\n    if sys.argv[1] == 'down': pathlib.Path({str(stopped)!r}).touch()"
    base = Base(tmp_path, actions.get(phase, "pass") + stop)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    if phase == "checkout":
        git = tmp_path / "bin" / "git"
        git.parent.mkdir()
        git.write_text(SLOW_GIT.format(git=shutil.which("git"), began=began))
        git.chmod(0o755)
        environment["PATH"] = f"{git.parent}{os.pathsep}{environment['PATH']}"
    process = subprocess.Popen(
        [sys.executable, "-c", COMPARISON, str(base.repository.root), base.commit, phase],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    if phase == "windows":
        while process.stdout.readline() != "measuring\n":
            assert process.poll() is None
    else:
        wait_for(began.exists)
    if number == signal.SIGINT:
        # A terminal sends the signal to the whole foreground process group.
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors.splitlines()[-1]
    assert process.returncode
    assert stopped.exists() == (phase != "checkout")
    assert base.repository.worktrees() == base.repository.leftovers() == []
    assert base.repository.git("status", "--porcelain") == ""


def test_processes_that_the_base_cannot_stop_itself_are_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ports: tuple[int, int]
) -> None:
    pid = tmp_path / "pid"
    up = (
        "import os, subprocess\n"
        "    mark = {'KINGDOM_REHEARSAL': str(pathlib.Path('.rehearsal/local').absolute())}\n"
        "    if sys.argv[1] == 'down': sys.exit('cannot stop')\n"
        "    quiet = dict.fromkeys(('stdout', 'stderr'), subprocess.DEVNULL)\n"
        "    found = subprocess.Popen(\n"
        "        ['sleep', '60'], env={**os.environ, **mark}, start_new_session=True, **quiet\n"
        "    )\n"
        f"    pathlib.Path({str(pid)!r}).write_text(str(found.pid))"
    )
    base = Base(tmp_path, up)
    monkeypatch.setattr(module, "find", found_at)
    notices: list[str] = []
    with base_platform(change(base), base.commit, notices.append):
        process = psutil.Process(int(pid.read_text()))
        assert process.is_running()
    wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    assert notices[-1].startswith("the base was not stopped in order: `kingdom down --stack local` failed")


def test_base_runs_with_the_priority_of_the_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ports: tuple[int, int]
) -> None:
    seen = tmp_path / "nice"
    base = Base(tmp_path, f"import os; pathlib.Path({str(seen)!r}).write_text(str(os.nice(0)))")
    monkeypatch.setattr(module, "find", found_at)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    process: Any = SimpleNamespace(pid=os.getpid())

    def getpriority(kind: int, pid: int) -> int:
        return own + 1

    monkeypatch.setattr(os, "getpriority", getpriority)
    machine: Any = SimpleNamespace(status=lambda: SimpleNamespace(processes=[process]))
    running = Platform("https://localhost:8443", tmp_path, machine, base.repository.root, "local")
    with base_platform(running, base.commit, print):
        assert int(seen.read_text()) == own + 1
