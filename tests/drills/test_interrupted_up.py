"""`kingdom up` and `down` are killed or interrupted at random moments; the next run completes them."""

from __future__ import annotations

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from rehearsal.engine.state.store import Store
from rehearsal.host.desired_state import DesiredStore
from rehearsal.host.emulated_types import EMULATED_TYPES
from rehearsal.host.paths import Home
from tests.support import projects
from tests.support.projects import PASSPHRASE, Project, wait_for

pytestmark = pytest.mark.drill

SEED = 20_261_124
# Two projects run concurrently, which varies the timing of the commands.
KILLS_A_LANE = 10
INTERRUPTS_A_LANE = 1
KILLED_DOWNS_A_LANE = 1
# Slightly longer than an operation takes after its first journal entry.
OPERATION_SECONDS = 0.8


@dataclass(frozen=True)
class Moment:
    """When to send `signal`: `seconds` after the start, or with `working` after the first journal entry."""

    signal: signal.Signals
    command: str
    working: bool
    seconds: float

    @classmethod
    def at_random(cls, dice: random.Random, number: signal.Signals, command: str) -> Moment:
        working = dice.random() < 0.8
        return cls(number, command, working, dice.uniform(0, OPERATION_SECONDS if working else 1.2))


def end_at(project: Project, moment: Moment) -> tuple[int, str]:
    """Run the command and send it the signal; return its exit code and output. It may complete earlier."""
    journal = project.state / "journal.jsonl"
    child = project.begin(moment.command)
    while moment.working and child.poll() is None and not journal.exists():
        time.sleep(0.002)
    time.sleep(moment.seconds)
    if moment.signal is signal.SIGKILL:
        child.kill()
    elif child.poll() is None:
        os.killpg(child.pid, moment.signal)  # as a terminal does
    output, _ = child.communicate(timeout=60)
    return child.returncode, output


def require_whole(project: Project, generation: int, replicas: int) -> None:
    """Require that the state, the host's objects, its processes and the served responses are consistent."""
    snapshot = Store(project.state, PASSPHRASE).load()
    assert not snapshot.pending
    assert not (project.state / "journal.jsonl").exists()
    assert not [item for item in snapshot.resources if item.delete or item.pending_replacement]
    assert not [item for item in snapshot.resources if item.init_errors]
    recorded = {
        (item.urn, item.id) for item in snapshot.resources if item.custom and item.type in EMULATED_TYPES
    }
    assert {desired.key for desired in DesiredStore(Home(project.state).objects)} == recorded
    # Pods of an earlier generation may still complete their last responses.
    wait_for(f"there are {replicas} pods", lambda: project.count_pods() == replicas)
    wait_for("no command's process is left", lambda: not project.commands(), 10)
    assert not project.orphans()
    served: set[str] = set()

    def all_serve() -> bool:
        with project.client() as client:
            response: dict[str, Any] = client.get("/").json()
        assert response["mounted"]["generation"] == str(generation)
        assert response["hidden"] == f"hidden {generation}"
        served.add(response["pod"])
        return len(served) == replicas

    wait_for(f"{replicas} pods serve", all_serve)


def live_through(lane: int) -> dict[str, int]:
    """Run a project through killed and interrupted commands; return the counts of those ended early."""
    dice = random.Random(SEED + lane)
    moments = [Moment.at_random(dice, signal.SIGKILL, "up") for _ in range(KILLS_A_LANE)]
    moments += [Moment.at_random(dice, signal.SIGKILL, "down") for _ in range(KILLED_DOWNS_A_LANE)]
    moments += [Moment.at_random(dice, signal.SIGINT, "up") for _ in range(INTERRUPTS_A_LANE)]
    dice.shuffle(moments)
    ended = {"killed": 0, "interrupted": 0, "resumed": 0}
    with projects.little() as project:
        for generation, moment in enumerate(moments, start=1):
            replicas = dice.randint(1, 3)
            project.change(generation=generation, replicas=replicas)
            code, output = end_at(project, moment)
            try:
                assert "Traceback" not in output
                if moment.signal is signal.SIGKILL:
                    assert code in {0, -signal.SIGKILL}
                    ended["killed"] += code != 0
                else:
                    assert code in {0, 130}
                    ended["interrupted"] += code != 0
                ended["resumed"] += (project.state / "journal.jsonl").exists()
                project.run("up")
                require_whole(project, generation, replicas)
                if generation % 6 == 0:
                    before = (project.state / "state.json").read_bytes()
                    assert "no changes" in project.run("up")
                    assert (project.state / "state.json").read_bytes() == before
            except AssertionError as error:
                error.add_note(
                    f"lane {lane}, generation {generation}, {moment}; it ended with {code}:\n{output}"
                )
                raise
        code, output = end_at(
            project, Moment(signal.SIGKILL, "down", working=True, seconds=dice.random() / 3)
        )
        project.run("down")
        assert project.is_gone(), f"{project.commands()} {project.root}"
        assert not (project.state / "state.json").exists()
    return ended


def test_next_command_completes_an_interrupted_one() -> None:
    with ThreadPoolExecutor(2) as lanes:
        ended = list(lanes.map(live_through, range(2)))
    print(ended)
    # The drill is significant only if most commands were ended before they completed.
    assert sum(lane["killed"] for lane in ended) >= 14
    assert sum(lane["resumed"] for lane in ended) >= 6
