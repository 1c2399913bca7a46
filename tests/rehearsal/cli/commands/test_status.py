"""Read-only commands: status, outputs, logs, and commands in a pod."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from rehearsal.cli.app import app
from rehearsal.cli.commands import status as module
from rehearsal.errors import KingdomError
from rehearsal.host.processes.orphans import INSTANCE_MARK, ROOT_MARK
from rehearsal.host.status import AutoscalerStatus, HostStatus, ProcessStatus
from tests.rehearsal.minimal import Tiny

Run = Callable[..., Any]


def process(name: str, kind: str = "pod", *, ready: bool = True, pid: int | None = None) -> ProcessStatus:
    return ProcessStatus(name, kind, "running", ready, pid, 0, None, 2**20, 0.1)


class Machine:
    """A host with these processes."""

    def __init__(self, *processes: ProcessStatus) -> None:
        scaler = AutoscalerStatus("kingdom/api", 2, 3, 2, 5, ["cpu: 80 of 65 %, 3 replicas"], "scaled up")
        self.found = HostStatus("local", list(processes), {"edge": "https://localhost:8443"}, [scaler])

    def status(self) -> HostStatus:
        return self.found

    def autoscaler_trace(self, name: str) -> dict[str, Any]:
        return {"name": name, "steps": []}

    def logs(self, name: str | None, lines: int, follow: bool) -> Iterator[str]:
        yield f"{name} {lines} {follow} [not markup]"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command against a host; None: nothing runs."""

    def call(machine: Machine | None, *arguments: str, resources: int = 0, options: object = None) -> Any:
        snapshot = SimpleNamespace(resources=[object()] * resources)
        session = SimpleNamespace(
            machine=lambda: machine, options=options, store=SimpleNamespace(load=lambda: snapshot)
        )

        def session_of(_: str) -> Any:
            return session

        monkeypatch.setattr(module, "session_of", session_of)
        return CliRunner().invoke(app, list(arguments))

    return call


@pytest.mark.parametrize(
    ("options", "resources", "code", "text"),
    [
        (None, 0, 0, "local: nothing runs on this machine; nothing is recorded"),
        (None, 7, 0, "local: nothing runs on this machine; 7 resources are recorded"),
        # A stack with a machine section should run here.
        (object(), 0, 1, "local: nothing runs on this machine; nothing is recorded"),
    ],
)
def test_stack_that_does_not_run_fails_only_where_it_should_run(
    run: Run, options: object, resources: int, code: int, text: str
) -> None:
    found = run(None, "status", options=options, resources=resources)
    assert (found.exit_code, found.stdout.strip()) == (code, text)
    found = run(None, "status", "--json", options=options, resources=resources)
    assert found.exit_code == code
    assert json.loads(found.stdout) == {"stack": "local", "running": False, "resources": resources}


@pytest.mark.parametrize(("ready", "code"), [(True, 0), (False, 1)])
def test_exit_code_states_whether_all_processes_are_ready(run: Run, ready: bool, code: int) -> None:
    machine = Machine(process("pod/kingdom/api-1/api"), process("redis/cache", "redis", ready=ready))
    found = run(machine, "status", "--json")
    data = json.loads(found.stdout)
    assert (found.exit_code, data["running"], data["stack"]) == (code, True, "local")
    assert [each["ready"] for each in data["processes"]] == [True, ready]
    text = run(machine, "status")
    assert text.exit_code == code
    assert "redis/cache" in text.stdout


def test_traces_are_recorded_until_the_command_is_interrupted(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = 0

    def sleep(seconds: float) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(module.time, "sleep", sleep)
    file = tmp_path / "traces.jsonl"
    found = run(Machine(), "status", "--watch", "--record", str(file))
    assert found.exit_code == 0
    assert [json.loads(line) for line in file.read_text().splitlines()] == [
        {"name": "kingdom/api", "steps": []}
    ]
    assert found.stdout.count("kingdom/api") >= 2
    assert f"the traces are in {file}" in found.output


@pytest.mark.parametrize("arguments", [("status", "--watch"), ("logs",), ("exec", "api", "--", "true")])
def test_command_for_a_running_stack_names_the_command_that_starts_it(
    run: Run, arguments: tuple[str, ...]
) -> None:
    found = run(None, *arguments)
    assert isinstance(found.exception, KingdomError)
    assert found.exception.message == "the stack 'local' does not run on this machine"
    assert "kingdom up" in found.exception.remedy


def test_logs_are_printed_as_they_are(run: Run) -> None:
    assert run(Machine(), "logs", "api", "-n", "3", "--follow").stdout == "api 3 True [not markup]\n"
    assert run(Machine(), "logs").stdout == "None 50 False [not markup]\n"


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[int]:
    """The PID of a process with the environment of a pod."""
    marks = {ROOT_MARK: "/host", INSTANCE_MARK: "a", "KINGDOM_ROLE": "api", "PATH": os.environ["PATH"]}
    with subprocess.Popen(
        [sys.executable, "-c", "import signal; print(0, flush=True); signal.pause()"],
        env=marks, cwd=tmp_path, stdout=subprocess.PIPE,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        running.stdout.readline()
        yield running.pid
        running.kill()


def test_command_has_the_folder_and_the_environment_of_the_pod(run: Run, pod: int, tmp_path: Path) -> None:
    machine = Machine(
        process("envoy", "envoy", pid=1), process("pod/kingdom/worker-1/worker"),
        process("pod/kingdom/api-1/api", pid=pod),
    )  # fmt: skip
    code = "import json, os, sys; json.dump(dict(os.environ), open('found', 'w')); sys.exit(7)"
    found = run(machine, "exec", "api", "--", sys.executable, "-c", code)
    assert found.exit_code == 7
    environment = json.loads((tmp_path / "found").read_text())
    assert environment["KINGDOM_ROLE"] == "api"
    # The supervisor would end a process with its marks.
    assert not {ROOT_MARK, INSTANCE_MARK} & set(environment)


@pytest.mark.parametrize(
    ("arguments", "message", "remedy"),
    [
        (("web", "--", "true"), "no running pod has 'web' in its name", ": pod/kingdom/api-1/api."),
        # A pod that has not started yet has no process.
        (("worker", "--", "true"), "no running pod has 'worker' in its name", "Running pods: "),
        (("api",), "no command was given", "kingdom exec api -- "),
    ],
)  # fmt: skip
def test_command_that_cannot_run_is_refused_with_the_choices(
    run: Run, pod: int, arguments: tuple[str, ...], message: str, remedy: str
) -> None:
    machine = Machine(process("pod/kingdom/api-1/api", pid=pod), process("pod/kingdom/worker-1/worker"))
    found = run(machine, "exec", *arguments)
    assert isinstance(found.exception, KingdomError)
    assert found.exception.message == message
    assert remedy in found.exception.remedy


@pytest.mark.slow
def test_outputs_mask_secrets_unless_they_are_wanted(tmp_path: Path) -> None:
    project = Tiny.make(tmp_path)
    absent = project.run("outputs")
    assert absent.returncode == 1
    assert "the stack 'local' has no outputs: it is not up" in absent.stderr
    with project.program.open("a") as program:
        program.write('pulumi.export("password", secret.result)\n')
    assert project.run("up").returncode == 0
    masked = json.loads(project.run("outputs", "--json").stdout)
    clear = json.loads(project.run("outputs", "--json", "--show-secrets").stdout)
    assert masked["word"] == clear["word"]
    assert len(clear["password"]) == 20
    assert clear["password"] not in json.dumps(masked)
    assert clear["password"] not in project.run("outputs").stdout
    assert clear["password"] in project.run("outputs", "--show-secrets").stdout
