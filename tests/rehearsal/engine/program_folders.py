"""Run the programs in folders in this process, on the stack `dev` and without a policy pack."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.engine.events import Diagnostic, Op, Result, Silent
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.pulumi.project import Project
from rehearsal.pulumi.urn import name_of
from rehearsal.session import Session

CASES = Path(__file__).parent / "cases"


@dataclass
class Case:
    """One program in the folder `root`."""

    root: Path
    results: list[Result] = field(default_factory=list)

    @classmethod
    def copy(cls, name: str, root: Path) -> Case:
        shutil.copytree(CASES / name, root, dirs_exist_ok=True)
        shutil.copy(CASES / "toys.py", root)
        return cls(root)

    @property
    def session(self) -> Session:
        return Session(Project.at(self.root), "dev", policies=None)

    @property
    def state(self) -> Path:
        return self.root / ".rehearsal" / "dev" / "state.json"

    def at(self, step: int) -> Case:
        """Set the step, which programs read from the setting ``t:step``."""
        path = self.root / "Pulumi.dev.yaml"
        before = next((n for n in range(10) if f"t:step: {n}" in path.read_text()), 0)
        path.write_text(path.read_text().replace(f"t:step: {before}", f"t:step: {step}"))
        return self

    def preview(self) -> Result:
        return self.session.preview(Silent())

    def update(self) -> Result:
        self.results.append(self.session.apply(Silent()))
        return self.results[-1]

    def refresh(self) -> Result:
        return self.session.refresh(Silent())

    def up(self) -> Result:
        """An update that must succeed."""
        result = self.update()
        assert result.ok, messages(result)
        return result

    def records(self) -> list[ResourceState]:
        return list(self.session.store.load().resources)

    def record(self, name: str) -> ResourceState:
        """Return the live record of the resource `name`."""
        return next(item for item in self.records() if name_of(item.urn) == name and not item.delete)

    def raw(self, name: str) -> dict[str, Any]:
        """Return the record of the resource `name` from the state file, with encrypted secrets."""
        resources = json.loads(self.state.read_text())["deployment"]["resources"]
        return next(item for item in resources if name_of(item["urn"]) == name and not item.get("delete"))


def messages(result: Result) -> list[str]:
    return [item.message for item in result.diagnostics]


def errors(result: Result) -> list[Diagnostic]:
    return list(result.errors)


def ops(result: Result) -> dict[str, Op]:
    """Return the operations by name, without unchanged resources, default providers and the stack."""
    return {
        step.name: step.op
        for step in result.steps
        if step.op is not Op.SAME and not step.type.startswith("pulumi:")
    }
