"""Run the steps of a workflow as GitHub's runner does."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

WORKFLOWS = Path(__file__).parents[2] / ".github" / "workflows"
# Command of each `shell:`; the empty name is a step without `shell:`.
_SHELLS = {"": ("bash", "-e"), "bash": ("bash", "--noprofile", "--norc", "-eo", "pipefail")}
_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")


@dataclass(frozen=True)
class Stepped:
    """Result of a step: exit code, printed output and the outputs that it set."""

    code: int
    output: str
    outputs: dict[str, str]


@dataclass(frozen=True)
class Runner:
    """Run single steps of the workflow `file` in the folder `project`.

    `environment` is the process environment; `context` has the values of the workflow's expressions.
    """

    file: str
    project: Path
    temporary: Path
    environment: Mapping[str, str]
    context: Mapping[str, str]

    def run(self, name: str) -> Stepped:
        """Run the step `name`. Raises KeyError for an expression without a value."""
        workflow: dict[Any, Any] = yaml.safe_load((WORKFLOWS / self.file).read_text())
        job, step = next(
            (job, step)
            for job in workflow["jobs"].values()
            for step in job["steps"]
            if step.get("name") == name
        )
        declared = {**workflow.get("env", {}), **job.get("env", {}), **step.get("env", {})}
        outputs = self.temporary / "outputs"
        outputs.write_text("")
        shell = _SHELLS[workflow.get("defaults", {}).get("run", {}).get("shell", "")]
        script = self.temporary / "step.sh"
        script.write_text(step["run"])
        ended = subprocess.run(
            [*shell, str(script)],
            cwd=self.project,
            env={
                **self.environment,
                **{key: self._evaluated(value) for key, value in declared.items()},
                "RUNNER_TEMP": str(self.temporary),
                "GITHUB_OUTPUT": str(outputs),
                "GITHUB_STEP_SUMMARY": str(self.temporary / "summary.md"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        lines = outputs.read_text().splitlines()
        return Stepped(ended.returncode, ended.stdout, dict(line.split("=", 1) for line in lines))

    def _evaluated(self, value: str) -> str:
        return _EXPRESSION.sub(lambda found: self.context[found[1]], value)
