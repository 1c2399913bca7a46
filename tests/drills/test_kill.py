"""`kill -9` of single processes of the platform: automatic recovery without loss of acknowledged writes."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from tests.support.client import Ledger, is_serving, writing
from tests.support.projects import Project, wait_for

pytestmark = pytest.mark.drill

PROCESSES = ["/api", "/worker", "redis/", "mongodb/kingdom", "mongodb/kingdom/proxy", "storage", "envoy"]
# 5 to 15 s on a quiet machine. A drill of another file runs beside these and may use one of two cores.
BACK_SECONDS = 90.0
# Jobs of a killed or disconnected worker are redelivered after at most 30 s.
MADE_SECONDS = 60.0


@pytest.fixture(scope="module")
def written() -> list[Ledger]:
    """The acknowledged writes of all drills of this module so far."""
    return []


def pid_of(platform: Project, name: str) -> int:
    """Return the PID of the first process whose name equals, ends with or, for `x/`, starts with `name`."""
    for process in platform.status().processes:
        if name in {process.name, process.name[-len(name) :]} or (
            name.endswith("/") and process.name.startswith(name)
        ):
            assert process.pid is not None
            return process.pid
    raise AssertionError(f"no process {name}")


@pytest.mark.parametrize("name", PROCESSES)
def test_killed_process_is_restarted_without_loss_of_acknowledged_writes(
    platform: Project, written: list[Ledger], name: str
) -> None:
    assert is_serving(platform)
    with writing(platform) as ledger:
        pid = pid_of(platform, name)
        os.kill(pid, signal.SIGKILL)
        wait_for("it is another process", lambda: not psutil.pid_exists(pid), BACK_SECONDS)
        seconds = wait_for("every process is ready", platform.is_healthy, BACK_SECONDS)
        seconds += wait_for("the service works", lambda: is_serving(platform), BACK_SECONDS - seconds)
    print(f"{name}: back after {seconds:.1f} s, {len(ledger.pieces)} pieces kept, {ledger.refused} refused")
    written.append(ledger)
    with platform.client() as client:
        ledger.require_readable(client)
    assert not platform.orphans()


def test_killed_supervisor_stops_no_process_and_up_restarts_it(
    platform: Project, written: list[Ledger]
) -> None:
    before = {process.name: process.pid for process in platform.status().processes}
    with writing(platform) as ledger:
        supervisor = platform.supervisor()
        supervisor.kill()
        wait_for("it is dead", lambda: not supervisor.is_running())
        assert is_serving(platform)
        output = platform.run("up")
    written.append(ledger)
    assert "no changes" in output
    after = {process.name: process.pid for process in platform.status().processes}
    assert before.items() <= after.items()  # the autoscaler may have added replicas
    assert not platform.orphans()
    with platform.client() as client:
        ledger.require_readable(client)


def test_up_restarts_processes_that_died_without_a_supervisor(
    platform: Project, written: list[Ledger]
) -> None:
    with writing(platform) as ledger:
        victims = [pid_of(platform, name) for name in ("/api", "redis/", "envoy")]
        platform.supervisor().kill()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        platform.run("up")
        # After the outage Envoy's health checks need several successes before replicas receive traffic.
        wait_for("every process is ready", platform.is_healthy, BACK_SECONDS)
        wait_for("the service works", lambda: is_serving(platform), BACK_SECONDS)
    written.append(ledger)
    assert not platform.orphans()
    with platform.client() as client:
        ledger.require_readable(client)


def test_every_acknowledged_content_item_is_generated(platform: Project, written: list[Ledger]) -> None:
    wait_for("the service works", lambda: is_serving(platform), BACK_SECONDS)
    with writing(platform) as ledger:
        os.kill(pid_of(platform, "/worker"), signal.SIGKILL)
    with platform.client() as client:
        for one in [*written, ledger]:
            wait_for("all is made", lambda one=one: one.are_made(client), MADE_SECONDS)
            one.require_image(client)
