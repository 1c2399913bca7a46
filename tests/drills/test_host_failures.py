"""Failures on a running host: crashing replicas, pods that never become ready, busy ports, full disks."""

from __future__ import annotations

import os
import re
import signal
import socket
from contextlib import closing
from typing import Any

import httpx
import psutil
import pytest

from rehearsal.engine.state.store import Store
from tests.support.projects import PASSPHRASE, Project, wait_for

pytestmark = pytest.mark.drill


def get_response(client: httpx.Client) -> dict[str, Any]:
    response = client.get("/")
    assert response.status_code == 200, response.text
    return dict(response.json())


def recorded(project: Project) -> bytes:
    return (project.state / "state.json").read_bytes()


def test_session_affinity_selects_another_replica_after_a_crash(little: Project) -> None:
    with little.client() as client:
        first = client.get("/")
        cookie = first.headers["set-cookie"]
        assert cookie.startswith("little-replica=")
        assert {"Max-Age=3600", "Secure", "HttpOnly"} <= set(cookie.split("; "))
        replica = first.json()["pod"]
        assert {get_response(client)["pod"] for _ in range(20)} == {replica}
        replicas = set()
        for _ in range(20):
            with little.client() as other:
                replicas.add(get_response(other)["pod"])
        assert len(replicas) == 2
        process = next(item for item in little.status().processes if replica in item.name)
        assert process.pid is not None
        psutil.Process(process.pid).kill()
        # Envoy retries on another replica, and the cookie is replaced.
        moved = client.get("/")
        assert moved.status_code == 200
        assert moved.json()["pod"] in replicas - {replica}
        assert "little-replica=" in moved.headers["set-cookie"]
        assert get_response(client)["pod"] == moved.json()["pod"]
    wait_for("the replica is back", little.is_healthy)


def test_rollout_applies_configuration_and_secrets_without_lost_requests(little: Project) -> None:
    little.change(generation=2, replicas=3)
    with little.client() as client:
        child = little.begin("up")
        while child.poll() is None:
            assert get_response(client)["hidden"] in {"hidden 1", "hidden 2"}
            client.cookies.clear()
        output, _ = child.communicate()
        assert child.returncode == 0, output
        for _ in range(9):
            response = get_response(client)
            assert (response["mounted"], response["hidden"]) == ({"generation": "2"}, "hidden 2")
            client.cookies.clear()


def test_repeated_scaling_loses_no_request(little: Project) -> None:
    with little.client() as client:
        for replicas in (5, 2) * 5:
            little.change(replicas=replicas)
            child = little.begin("up")
            while child.poll() is None:
                get_response(client)
                client.cookies.clear()
            output, _ = child.communicate()
            assert child.returncode == 0, output
            wait_for(f"there are {replicas} pods", lambda n=replicas: little.count_pods() == n)


def test_new_supervisor_adopts_the_processes_without_lost_requests(little: Project) -> None:
    before = {process.name: process.pid for process in little.status().processes}
    with little.client() as client:
        little.supervisor().kill()
        child = little.begin("up")
        while child.poll() is None:
            get_response(client)
            client.cookies.clear()
        output, _ = child.communicate()
        assert child.returncode == 0, output
        assert "no changes" in output
    assert {process.name: process.pid for process in little.status().processes} == before


def test_supervisor_death_during_an_update_is_reported_and_resumable(little: Project) -> None:
    little.change(generation=3)
    child = little.begin("up")
    wait_for("it works", (little.state / "journal.jsonl").exists)
    little.supervisor().kill()
    output, _ = child.communicate(timeout=60)
    assert child.returncode == 1, output
    assert "the supervisor is not running" in output
    assert "run `kingdom up` again" in output
    assert "Traceback" not in output
    little.run("up")
    assert not little.orphans()
    with little.client() as client:
        assert get_response(client)["hidden"] == "hidden 3"


def test_update_is_rejected_if_the_policy_pack_crashes(little: Project) -> None:
    """Resources that cannot be evaluated are not created."""
    state = recorded(little)
    little.change(generation=4)
    child = little.begin("up")
    wait_for("the pack runs", lambda: pack_of(child.pid))
    pack_of(child.pid)[0].kill()
    output, _ = child.communicate(timeout=60)
    assert child.returncode == 1, output
    assert "policies" in output
    assert "Traceback" not in output
    assert recorded(little) == state
    little.run("up")


def pack_of(pid: int) -> list[psutil.Process]:
    """Return the processes of the policy pack started by the command `pid`."""
    return [
        child
        for child in psutil.Process(pid).children(recursive=True)
        if any("pulumi.policy" in word for word in child.cmdline())
    ]


def test_update_fails_if_pods_never_serve_and_succeeds_after_the_fix(little: Project) -> None:
    with little.client() as client:
        before = get_response(client)["mounted"]
        little.change(broken='"yes"')
        output = little.run("up", code=1, seconds=30)
        for words in (
            "api-deployment",
            "made no progress for 3 s",
            "HTTP 503",
            "cannot serve: BROKEN is yes",
        ):
            assert words in output
        client.cookies.clear()
        assert get_response(client)["mounted"] == before, "the old replicas keep serving"
        little.change(broken='"no"')
        little.run("up")
        assert little.is_healthy()
        assert not little.orphans()
        assert "no changes" in little.run("up")


def test_update_reports_exit_code_and_output_of_crashing_pods(little: Project) -> None:
    little.change(broken='"crash"')
    output = little.run("up", code=1, seconds=30)
    for words in ("api-deployment", "ended with exit code 1", "restarts)", "cannot start: BROKEN is crash"):
        assert words in output
    with little.client() as client:
        get_response(client)
    little.change(broken='"no"')
    little.run("up")
    assert little.is_healthy()
    assert not little.orphans()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_interrupt_ends_the_wait_for_unready_pods(little: Project, number: int) -> None:
    """An interrupt waits for steps in progress, but not for pods to become ready."""
    little.change(broken='"yes"', patience=300)
    child = little.begin("up")
    wait_for("a pod of the new revision runs", lambda: not little.is_healthy())
    os.killpg(child.pid, number)
    output, _ = child.communicate(timeout=20)
    assert child.returncode == 130, output
    assert "interrupted: finishing the steps in progress" in output
    assert "Traceback" not in output
    little.change(broken='"no"', patience=3)
    little.run("up")
    assert little.is_healthy()
    assert not little.orphans()


def test_busy_edge_port_is_reported_with_its_process_and_nothing_changes(little: Project) -> None:
    state, settings = recorded(little), little.settings.read_text()
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        little.settings.write_text(settings.replace(f"edgePort: {little.port}", f"edgePort: {port}"))
        little.change(generation=7)
        output = little.run("up", code=1)
    for words in (f"port {port}", f"pid {os.getpid()}", "rehearsal:machine.edgePort"):
        assert words in output
    assert recorded(little) == state
    with little.client() as client:
        assert get_response(client)["mounted"] != {"generation": "7"}
    little.settings.write_text(settings)
    assert "no changes" in little.run("up")


@pytest.mark.parametrize("file_bytes", [400, 4_000, 12_000])
def test_full_disk_during_an_update_loses_no_state(little: Project, file_bytes: int) -> None:
    generation = 10_000 + file_bytes
    little.change(generation=generation)
    output = little.run("up", code=2, file_bytes=file_bytes)
    assert re.search(r"cannot be written|too large|full", output), output
    assert str(little.state) in output
    little.run("up")
    snapshot = Store(little.state, PASSPHRASE).load()
    assert not snapshot.pending
    assert little.is_healthy()
    assert not little.orphans()
    with little.client() as client:
        assert get_response(client)["hidden"] == f"hidden {generation}"
