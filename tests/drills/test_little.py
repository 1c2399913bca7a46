"""What a user meets on a running machine: replicas that die, pods that never serve, ports and disks taken."""

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

pytestmark = [pytest.mark.drill, pytest.mark.timeout(120)]


def asked(client: httpx.Client) -> dict[str, Any]:
    answer = client.get("/")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def recorded(project: Project) -> bytes:
    return (project.state / "state.json").read_bytes()


def test_a_client_stays_with_its_replica_and_moves_on_when_that_dies(little: Project) -> None:
    with little.client() as client:
        first = client.get("/")
        cookie = first.headers["set-cookie"]
        assert cookie.startswith("little-replica=")
        assert {"Max-Age=3600", "Secure", "HttpOnly"} <= set(cookie.split("; "))
        replica = first.json()["pod"]
        assert {asked(client)["pod"] for _ in range(20)} == {replica}
        strangers = set()
        for _ in range(20):
            with little.client() as stranger:
                strangers.add(asked(stranger)["pod"])
        assert len(strangers) == 2
        process = next(item for item in little.status().processes if replica in item.name)
        assert process.pid is not None
        psutil.Process(process.pid).kill()
        # A retry hides the death; the cookie is of no use any more and gives way to another.
        moved = client.get("/")
        assert moved.status_code == 200
        assert moved.json()["pod"] in strangers - {replica}
        assert "little-replica=" in moved.headers["set-cookie"]
        assert asked(client)["pod"] == moved.json()["pod"]
    wait_for("the replica is back", little.is_healthy)


def test_a_rollout_brings_new_configuration_and_secrets_and_drops_no_request(little: Project) -> None:
    little.change(generation=2, replicas=3)
    with little.client() as client:
        child = little.begin("up")
        while child.poll() is None:
            assert asked(client)["hidden"] in {"hidden 1", "hidden 2"}
            client.cookies.clear()
        said, _ = child.communicate()
        assert child.returncode == 0, said
        for _ in range(9):
            answer = asked(client)
            assert (answer["mounted"], answer["hidden"]) == ({"generation": "2"}, "hidden 2")
            client.cookies.clear()


@pytest.mark.timeout(400)
def test_five_times_from_two_to_five_replicas_and_back_drop_no_request(little: Project) -> None:
    with little.client() as client:
        for replicas in (5, 2) * 5:
            little.change(replicas=replicas)
            child = little.begin("up")
            while child.poll() is None:
                asked(client)
                client.cookies.clear()
            output, _ = child.communicate()
            assert child.returncode == 0, output
            assert sum(process.kind == "pod" for process in little.status().processes) == replicas


def test_a_new_supervisor_takes_over_without_a_request_lost(little: Project) -> None:
    before = {process.name: process.pid for process in little.status().processes}
    with little.client() as client:
        little.supervisor().kill()
        child = little.begin("up")
        while child.poll() is None:
            asked(client)
            client.cookies.clear()
        said, _ = child.communicate()
        assert child.returncode == 0, said
        assert "no changes" in said
    assert {process.name: process.pid for process in little.status().processes} == before


def test_a_supervisor_that_dies_under_an_update_is_named_and_the_next_goes_on(little: Project) -> None:
    little.change(generation=3)
    child = little.begin("up")
    wait_for("it works", (little.state / "journal.jsonl").exists)
    little.supervisor().kill()
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 1, said
    assert "the supervisor is not running" in said
    assert "run `kingdom up` again" in said
    assert "Traceback" not in said
    little.run("up")
    assert not little.orphans()
    with little.client() as client:
        assert asked(client)["hidden"] == "hidden 3"


def test_a_policy_pack_that_dies_refuses_the_update(little: Project) -> None:
    """What cannot be judged is not made."""
    state = recorded(little)
    little.change(generation=4)
    child = little.begin("up")
    wait_for("the pack runs", lambda: pack_of(child.pid))
    pack_of(child.pid)[0].kill()
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 1, said
    assert "policies" in said
    assert "Traceback" not in said
    assert recorded(little) == state
    little.run("up")


def pack_of(pid: int) -> list[psutil.Process]:
    """The process of the policy pack that the command `pid` started."""
    return [
        child
        for child in psutil.Process(pid).children(recursive=True)
        if any("pulumi.policy" in word for word in child.cmdline())
    ]


def test_pods_that_never_serve_fail_the_update_which_goes_on_after_the_mend(little: Project) -> None:
    with little.client() as client:
        before = asked(client)["mounted"]
        little.change(broken='"yes"')
        said = little.run("up", code=1, seconds=30)
        for words in (
            "api-deployment",
            "made no progress for 3 s",
            "HTTP 503",
            "cannot serve: BROKEN is yes",
        ):
            assert words in said
        client.cookies.clear()
        assert asked(client)["mounted"] == before, "the old replicas serve on"
        little.change(broken='"no"')
        little.run("up")
        assert little.is_healthy()
        assert not little.orphans()
        assert "no changes" in little.run("up")


def test_pods_that_end_at_once_fail_the_update_with_their_last_words(little: Project) -> None:
    little.change(broken='"crash"')
    said = little.run("up", code=1, seconds=30)
    for words in ("api-deployment", "ended with exit code 1", "restarts)", "cannot start: BROKEN is crash"):
        assert words in said
    with little.client() as client:
        asked(client)
    little.change(broken='"no"')
    little.run("up")
    assert little.is_healthy()
    assert not little.orphans()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_an_interrupt_ends_the_wait_for_pods_that_never_serve(little: Project, number: int) -> None:
    """An interrupt lets what is in flight finish, but not what may take for ever."""
    little.change(broken='"yes"', patience=300)
    child = little.begin("up")
    wait_for("a pod of the new revision runs", lambda: not little.is_healthy())
    os.killpg(child.pid, number)
    said, _ = child.communicate(timeout=20)
    assert child.returncode == 130, said
    assert "interrupted: finishing the steps in progress" in said
    assert "Traceback" not in said
    little.change(broken='"no"', patience=3)
    little.run("up")
    assert little.is_healthy()
    assert not little.orphans()


def test_a_busy_edge_port_is_named_with_its_holder_and_nothing_changes(little: Project) -> None:
    state, settings = recorded(little), little.settings.read_text()
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        little.settings.write_text(settings.replace(f"edgePort: {little.port}", f"edgePort: {port}"))
        little.change(generation=7)
        said = little.run("up", code=1)
    for words in (f"port {port}", f"pid {os.getpid()}", "rehearsal:machine.edgePort"):
        assert words in said
    assert recorded(little) == state
    with little.client() as client:
        assert asked(client)["mounted"] != {"generation": "7"}
    little.settings.write_text(settings)
    assert "no changes" in little.run("up")


@pytest.mark.parametrize("file_bytes", [400, 4_000, 12_000])
def test_a_disk_that_fills_up_in_the_middle_loses_nothing(little: Project, file_bytes: int) -> None:
    generation = 10_000 + file_bytes
    little.change(generation=generation)
    said = little.run("up", code=2, file_bytes=file_bytes)
    assert re.search(r"cannot be written|too large|full", said), said
    assert str(little.state) in said
    little.run("up")
    snapshot = Store(little.state, PASSPHRASE).load()
    assert not snapshot.pending
    assert little.is_healthy()
    assert not little.orphans()
    with little.client() as client:
        assert asked(client)["hidden"] == f"hidden {generation}"
