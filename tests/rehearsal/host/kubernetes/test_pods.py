"""Lifecycle of a pod: scheduling, readiness, phases, termination and stored records."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.kubernetes.pods import Pod, PodRecord, load
from rehearsal.host.processes.process import ProcessSpec, State
from tests.rehearsal.host.kubernetes.objects import context_of, record
from tests.support.backends import until

pytestmark = pytest.mark.anyio
CONTAINER = {"name": "main", "command": ["serve"], "ports": [{"name": "http", "containerPort": 8080}]}


class FakeProcess:
    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.state = State.RUNNING
        self.pid: int | None = 1
        self.ready = self.adopted = False
        self.restarts = 0
        self.ends = asyncio.Event()

    async def turned(self, pid: int | None) -> None:
        await self.ends.wait()

    async def ended(self) -> None:
        self.state = State.SUCCEEDED

    def finish(self, state: State) -> None:
        self.state = state
        self.ends.set()

    def trouble(self) -> list[str]:
        return [f"{self.spec.name}: the last line"]


class FakeProcesses:
    def __init__(self) -> None:
        self.running: dict[str, FakeProcess] = {}
        self.stopped: list[tuple[str, float | None]] = []

    async def ensure(self, spec: ProcessSpec) -> FakeProcess:
        return self.running.setdefault(spec.name, FakeProcess(spec))

    def get(self, name: str) -> FakeProcess | None:
        return self.running.get(name)

    async def stop(self, name: str, grace: float | None = None) -> None:
        self.stopped.append((name, grace))
        self.running.pop(name, None)


@pytest.fixture
def context(tmp_path: Path) -> Any:
    return context_of(tmp_path, processes=FakeProcesses())


def pod_of(context: Any, *, schedule: Callable[[Pod], str] = lambda pod: "", **spec: Any) -> Pod:
    given = record("api-1", template={"spec": {"containers": [CONTAINER], **spec}})
    return Pod(context, given, lambda: None, schedule)


async def test_pod_without_probes_is_ready_once_it_runs(context: Any) -> None:
    pod = pod_of(context)
    pod.start()
    await until(lambda: pod.ready)
    assert (pod.record.phase, pod.record.scheduled, pod.trouble()) == ("Running", True, [])
    [process] = pod.processes()
    assert process.spec.name == "pod/kingdom/api-1/main"
    assert pod.host_port("http") == pod.host_port(8080) == process.spec.port
    assert pod.host_port("other") is None
    assert pod.available(0)
    assert not pod.available(60)
    pod.detach()


async def test_pod_stays_pending_until_it_fits(context: Any) -> None:
    pod = pod_of(context, schedule=lambda _: "0/1 nodes are available")
    pod.start()
    await until(lambda: bool(pod.message))
    assert pod.message == "Unschedulable: 0/1 nodes are available"
    assert (pod.record.phase, pod.occupies_node) == ("Pending", False)
    pod.detach()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"containers": [{"name": "main"}]}, "container main has no command"),
        ({"volumes": [{"name": "v", "configMap": {"name": "x"}}]}, "ConfigMap kingdom/x does not exist"),
    ],
)
async def test_reason_why_a_pod_does_not_start_is_shown(
    context: Any, spec: dict[str, Any], message: str
) -> None:
    pod = pod_of(context, **spec)
    pod.start()
    await until(lambda: bool(pod.message))
    assert message in pod.message
    assert message in pod.trouble()[0]
    assert not pod.ready
    pod.detach()


@pytest.mark.parametrize(
    ("states", "phase"),
    [((State.SUCCEEDED, State.SUCCEEDED), "Succeeded"), ((State.SUCCEEDED, State.FAILED), "Failed")],
)
async def test_phase_follows_from_its_processes(context: Any, states: tuple[State, ...], phase: str) -> None:
    pod = pod_of(context, containers=[CONTAINER, {"name": "other", "command": ["x"]}], restartPolicy="Never")
    pod.start()
    await until(lambda: pod.ready)
    for process, state in zip(pod.processes(), states, strict=True):
        process.finish(state)  # type: ignore
    await until(lambda: pod.finished)
    assert pod.record.phase == phase
    assert not pod.ready
    assert not pod.occupies_node
    pod.detach()


async def test_init_container_runs_before_the_others(context: Any) -> None:
    pod = pod_of(context, initContainers=[{"name": "init", "command": ["x"]}])
    pod.start()
    await until(lambda: pod.ready)
    assert context.processes.stopped == [("pod/kingdom/api-1/init", None)]
    assert pod.record.initialized
    pod.detach()


async def test_end_stops_the_processes_and_removes_what_the_pod_had(context: Any) -> None:
    pod = pod_of(context, terminationGracePeriodSeconds=7)
    pod.start()
    await until(lambda: pod.ready)
    folder = context.home.pods
    assert list(folder.iterdir())
    await pod.end()
    [(name, grace)] = context.processes.stopped
    assert name == "pod/kingdom/api-1/main"
    assert grace == pytest.approx(7, abs=0.5)
    assert not pod.ready
    assert list(folder.iterdir()) == []
    assert context.ports.named("pod/") == []


async def test_crash_loop_is_five_restarts_before_it_is_ready(context: Any) -> None:
    pod = pod_of(context)
    process: Any = await context.processes.ensure(ProcessSpec("pod/kingdom/api-1/main", "pod", (), Path()))
    process.restarts = 4
    assert not pod.crashes()
    process.restarts = 5
    assert pod.crashes()
    assert pod.trouble() == ["pod kingdom/api-1: Pending", "pod/kingdom/api-1/main: the last line"]
    pod.record.ready = True
    assert not pod.crashes()


def test_records_are_loaded_and_damaged_ones_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = record("api-1", ports={"8080": 18_001}, ready=True)
    contents = {"a": json.dumps(asdict(good)), "b": "{", "c": '{"name": "x"}'}
    for name, text in contents.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "pod.json").write_text(text)
    assert load(tmp_path) == [good]
    assert isinstance(load(tmp_path)[0], PodRecord)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert "is damaged" in capsys.readouterr().out
