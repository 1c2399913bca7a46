"""Fixtures that run small programs against the fake provider, in this process."""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine.events import Diagnostic, Op, Result, Step
from rehearsal.engine.operations import Operation, Program
from rehearsal.engine.state import secrets
from rehearsal.engine.state.resource_state import ResourceState, Snapshot
from rehearsal.engine.state.store import Store
from rehearsal.engine.targets import ALL, Targets
from rehearsal.pulumi.urn import name_of
from tests.rehearsal.engine.fake_provider import Cloud

PASSPHRASE = "a passphrase of no consequence"
PRELUDE = (
    "import pulumi\n"
    "from pulumi import ResourceOptions, Alias\n"
    "from tests.rehearsal.engine.fake_sdk import *\n"
)


@dataclass
class Recorder:
    """A listener that records all events."""

    events: list[tuple[str, str]] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def begun(self, step: Step) -> None:
        self.events.append(("begun", step.name))

    def done(self, step: Step) -> None:
        self.events.append(("done", step.name))

    def failed(self, step: Step, reason: str) -> None:
        self.events.append(("failed", step.name))

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        self.diagnostics.append(diagnostic)


@dataclass
class Stack:
    """A project in a temporary folder, one stack, and the fake cloud of that stack."""

    root: Path
    cloud: Cloud
    config: dict[str, str] = field(default_factory=lambda: {"toy:region": "north", "toys:greeting": "hello"})
    passphrase: str = PASSPHRASE
    pack: Any = None
    operation: Operation | None = None
    targets: Targets = ALL
    listener: Recorder = field(default_factory=Recorder)

    @property
    def folder(self) -> Path:
        return self.root / "state"

    @property
    def file(self) -> Path:
        return self.folder / "state.json"

    @property
    def store(self) -> Store:
        return Store(self.folder, self.passphrase)

    def program(self, source: str, *, prelude: str = PRELUDE) -> Stack:
        """Set the program to `source`, which starts at line 4, after three lines of imports."""
        main = self.root / "program"
        main.mkdir(exist_ok=True)
        # Bytecode is invalidated by modification second and size, so a change within one second would be
        # missed.
        shutil.rmtree(main / "__pycache__", ignore_errors=True)
        (main / "__main__.py").write_text(prelude + textwrap.dedent(source).lstrip("\n"))
        return self

    def make(self) -> Operation:
        program = Program(self.root, self.root / "program", "toys", "test", self.config)
        self.operation = Operation(
            program, self.store, self.cloud.factory, self.pack, self.listener, targets=self.targets
        )
        return self.operation

    def preview(self, source: str | None = None, *, refresh: bool = False) -> Result:
        self._begin(source)
        return self.make().preview(refresh=refresh)

    def update(self, source: str | None = None) -> Result:
        self._begin(source)
        with self.store.lock("test"):
            return self.make().update()

    def up(self, source: str | None = None) -> Result:
        """An update that must succeed."""
        result = self.update(source)
        assert result.ok, result.diagnostics
        return result

    def destroy(self, *, unprotect: bool = False) -> Result:
        self._begin(None)
        with self.store.lock("test"):
            return self.make().destroy(unprotect=unprotect)

    def refresh(self, *, preview: bool = False) -> Result:
        self._begin(None)
        with self.store.lock("test"):
            return self.make().refresh(preview=preview)

    def _begin(self, source: str | None) -> None:
        self.cloud.log.clear()
        self.cloud.cancelled.clear()
        if source is not None:
            self.program(source)

    def snapshot(self) -> Snapshot:
        return self.store.load()

    def record(self, name: str) -> ResourceState:
        """Return the live record of the resource `name`."""
        return next(item for item in self.snapshot().live().values() if name_of(item.urn) == name)

    def names(self) -> set[str]:
        """Return the names of the recorded live custom resources without providers."""
        return {
            name_of(item.urn)
            for item in self.snapshot().live().values()
            if item.custom and item.type.startswith("toy:")
        }

    def consistent(self) -> None:
        """Return whether the records match the cloud and no operation is pending."""
        snapshot = self.snapshot()
        assert not snapshot.pending
        managed = {
            item.id: item.urn
            for item in snapshot.resources
            if item.custom and item.type.startswith("toy:") and not item.external
        }
        assert managed == {id_: item["urn"] for id_, item in self.cloud.objects.items()}


def ops(result: Result) -> dict[str, Op]:
    """Return the operations by resource name, without unchanged resources, providers and the stack."""
    return {
        step.name: step.op
        for step in result.steps
        if step.op is not Op.SAME and not step.type.startswith("pulumi:")
    }


def messages(result: Result) -> list[str]:
    return [item.message for item in result.diagnostics]


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce the key derivation rounds, which would take most of the test time."""
    monkeypatch.setattr(secrets, "ITERATIONS", 10)


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def stack(tmp_path: Path, cloud: Cloud) -> Stack:
    return Stack(tmp_path, cloud)
