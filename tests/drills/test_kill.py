"""`kill -9` of any one process of the platform: it comes back by itself and nothing acknowledged is lost."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from tests.support.client import Ledger, is_serving, writing
from tests.support.projects import Project, wait_for

pytestmark = [pytest.mark.drill, pytest.mark.timeout(240)]

PROCESSES = ["/api", "/worker", "redis/", "mongodb/kingdom", "mongodb/kingdom/proxy", "storage", "envoy"]
BACK_SECONDS = 30.0
# What a worker held when it or its line died is somebody else's after half a minute.
MADE_SECONDS = 60.0


@pytest.fixture(scope="module")
def written() -> list[Ledger]:
    """All that was acknowledged so far, whatever was killed meanwhile."""
    return []


def pid_of(platform: Project, name: str) -> int:
    """The first process whose name is `name`, or has it at its end or beginning."""
    for process in platform.status().processes:
        if name in {process.name, process.name[-len(name) :]} or (
            name.endswith("/") and process.name.startswith(name)
        ):
            assert process.pid is not None
            return process.pid
    raise AssertionError(f"no process {name}")


@pytest.mark.parametrize("name", PROCESSES)
def test_a_killed_process_comes_back_and_no_acknowledged_write_is_lost(
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


def test_a_killed_supervisor_stops_nothing_and_up_brings_it_back(
    platform: Project, written: list[Ledger]
) -> None:
    before = {process.name: process.pid for process in platform.status().processes}
    with writing(platform) as ledger:
        supervisor = platform.supervisor()
        supervisor.kill()
        wait_for("it is dead", lambda: not supervisor.is_running())
        assert is_serving(platform)
        said = platform.run("up")
    written.append(ledger)
    assert "no changes" in said
    assert {process.name: process.pid for process in platform.status().processes} == before
    assert not platform.orphans()
    with platform.client() as client:
        ledger.require_readable(client)


def test_what_dies_while_nobody_watches_is_back_after_up(platform: Project, written: list[Ledger]) -> None:
    with writing(platform) as ledger:
        victims = [pid_of(platform, name) for name in ("/api", "redis/", "envoy")]
        platform.supervisor().kill()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        platform.run("up")
        # Replicas that lost their cache fail Envoy's health checks for as long as these take to count.
        wait_for("every process is ready", platform.is_healthy, BACK_SECONDS)
        wait_for("the service works", lambda: is_serving(platform), BACK_SECONDS)
    written.append(ledger)
    assert not platform.orphans()
    with platform.client() as client:
        ledger.require_readable(client)


def test_every_piece_that_was_acknowledged_is_made_in_the_end(
    platform: Project, written: list[Ledger]
) -> None:
    wait_for("the service works", lambda: is_serving(platform), BACK_SECONDS)
    with writing(platform) as ledger:
        os.kill(pid_of(platform, "/worker"), signal.SIGKILL)
    with platform.client() as client:
        for one in [*written, ledger]:
            wait_for("all is made", lambda one=one: one.are_made(client), MADE_SECONDS)
            one.require_image(client)
