"""The supervisor as a process: one per host, its requests, and how it starts and ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from rehearsal.host import rpc
from rehearsal.host.errors import MachineError
from rehearsal.host.paths import Home
from rehearsal.host.processes import orphans
from tests.support.backends import free_port, wait_for

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "rehearsal.host.supervisor"]


class Host:
    """A host in a folder, with the supervisors that were started for it."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.port = free_port()
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, port: int | str | None = None) -> dict[str, Any]:
        """Start a supervisor and return what it reports."""
        arguments = [str(self.home.root), "local", str(self.home.root), str(port or self.port), ""]
        process = subprocess.Popen(
            [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        assert process.stdout is not None
        reported: dict[str, Any] = json.loads(process.stdout.readline())
        return reported

    def call(self, method: str, **params: Any) -> Any:
        return rpc.call(self.home.socket, method, params, 30)

    def envoy(self) -> int:
        """The PID of Envoy, which runs on every host."""

        def found() -> list[int]:
            listed = self.call("status")["processes"]
            return [each["pid"] for each in listed if each["kind"] == "envoy" and each["ready"]]

        wait_for("Envoy is ready", lambda: bool(found()))
        return found()[0]

    def exit_code(self, number: int = -1) -> int:
        """The exit code of a supervisor, once it has ended."""
        return self.processes[number].wait(30)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    found = Host(tmp_path / "local")
    found.home.root.mkdir()
    yield found
    for process in found.processes:
        process.kill()
        process.communicate()
    orphans.end(found.home.root)


def test_started_supervisor_responds_and_a_second_one_leaves(host: Host) -> None:
    ready = host.start()
    assert ready == {"ready": True, "pid": host.processes[0].pid}
    hello = host.call("hello")
    assert (hello["pid"], hello["stack"], hello["edge_port"]) == (ready["pid"], "local", host.port)
    assert host.start(free_port()) == {"running": True}
    assert host.exit_code() == 0
    assert host.call("hello") == hello
    # Files of the host hold secrets.
    assert host.home.machine.stat().st_mode & 0o077 == 0
    assert json.loads(host.home.options.read_text()) == {"stack": "local", "edge_port": host.port}


def test_requests_that_fail_state_the_reason(host: Host) -> None:
    host.start()
    wait_for("reconciled", lambda: host.call("waiting") != ["the supervisor has just started"])
    with pytest.raises(MachineError) as caught:
        host.call("dance")
    assert str(host.home.supervisor_log) in caught.value.reasons[0]
    assert caught.value.reasons[0].startswith("the supervisor failed at dance (AttributeError")
    with pytest.raises(MachineError, match="autoscaler 'api' does not exist; existing autoscalers: none"):
        host.call("autoscaler_trace", name="api")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MachineError, match=rf"{port}.*rehearsal:machine.edgePort"):
            host.call("configure", edge_port=port, web_app="")
    assert host.call("hello")["edge_port"] == host.port


def test_object_is_stored_read_and_deleted(host: Host) -> None:
    host.start()
    urn, type_ = "urn:pulumi:local::k::gcp:storage/bucketObject:BucketObject::x", "gcp:storage/other:Other"
    # A type without an emulation is ready at once.
    assert host.call("apply", urn=urn, type_=type_, id_="a", inputs={"name": "x"}, seconds=5) == {}
    assert host.call("read", urn=urn, type_=type_, id_="a") == {}
    assert host.call("read", urn=urn, type_=type_, id_="b") is None
    assert len(list(host.home.objects.glob("*.json"))) == 1
    for _ in range(2):
        host.call("delete", urn=urn, type_=type_, id_="a")
    assert host.call("read", urn=urn, type_=type_, id_="a") is None
    assert list(host.home.objects.glob("*.json")) == []


def test_object_that_does_not_become_ready_in_time_is_an_error_with_its_name(host: Host) -> None:
    host.start()
    type_ = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
    inputs: dict[str, Any] = {"kind": "Gateway", "metadata": {"name": "edge", "namespace": "k"}, "spec": {}}
    urn = f"urn:pulumi:local::k::{type_}::edge"
    with pytest.raises(MachineError) as caught:
        host.call("apply", urn=urn, type_=type_, id_="k/edge", inputs=inputs, seconds=-1)
    assert caught.value.reasons[0] == "Gateway k/edge was not ready after -1 s"
    # The supervisor continues: the same request succeeds later.
    assert host.call("apply", urn=urn, type_=type_, id_="k/edge", inputs=inputs, seconds=30) == {}
    assert host.call("waiting") == []
    assert host.call("status")["endpoints"]["edge"] == f"https://localhost:{host.port}"


@pytest.mark.parametrize("how", ["request", "signal"])
def test_stop_ends_all_processes_and_frees_the_host(host: Host, how: str) -> None:
    host.start()
    envoy = host.envoy()
    if how == "request":
        host.call("stop")
    else:
        host.processes[0].send_signal(signal.SIGTERM)
    assert host.exit_code() == 0
    assert not psutil.pid_exists(envoy)
    assert not host.home.socket.exists()
    assert host.start()["ready"]


@pytest.mark.parametrize("how", ["hand over", "kill"])
def test_processes_survive_a_supervisor_that_hands_over_or_is_killed(host: Host, how: str) -> None:
    host.start()
    envoy = host.envoy()
    if how == "hand over":
        host.call("hand_over")
        assert host.exit_code() == 0
    else:
        host.processes[0].kill()
        assert host.exit_code() == -signal.SIGKILL
    assert psutil.pid_exists(envoy)
    # The next supervisor adopts the process.
    assert host.start()["ready"]
    assert host.envoy() == envoy


def test_supervisor_that_cannot_start_reports_why(host: Host) -> None:
    host.home.make()
    (host.home.objects / "broken.json").write_text('{"urn": 1}')
    [reason] = host.start()["error"]
    assert reason.startswith(f"{host.home.objects / 'broken.json'} is not a desired object")
    assert host.exit_code() == 1
    (host.home.objects / "broken.json").unlink()
    [reason] = host.start("no port")["error"]
    assert reason.startswith("the supervisor could not start (ValueError(")
    assert reason.endswith(f"see {host.home.supervisor_log}")
    assert host.exit_code() == 1
    # The lock of a failed start does not prevent the next one.
    assert host.start()["ready"]


def test_folder_that_cannot_be_written_is_the_reason(tmp_path: Path) -> None:
    host = Host(tmp_path / "local")
    host.home.root.write_text("a file")
    try:
        [reason] = host.start()["error"]
        assert str(host.home.root) in reason
        assert host.exit_code() == 1
    finally:
        host.processes[0].communicate()
