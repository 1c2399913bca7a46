"""The declared signals of a project, for one stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from app.monitoring.signals import Signals, SignalsError, resolve
from rehearsal.errors import KingdomError
from rehearsal.pulumi.project import Project, Stack
from rehearsal.pulumi.yaml_reader import read_yaml


def declared(project: Project, name: str) -> Signals:
    """Return the signals of the stack `name` according to its current file. Raises KingdomError."""
    path = path_of(project)
    if not path.is_file():
        raise KingdomError(
            f"{path} does not exist: this project declares no signals",
            remedy="Monitoring needs the signals of infra/observability/signals.yaml.",
        )
    stack = project.stack(name)
    try:
        return resolve(
            read_yaml(path),
            str(section(stack, "kingdom:workload").get("namespace", "default")),
            section(stack, "kingdom:observability"),
        )
    except SignalsError as error:
        raise KingdomError(str(error), remedy=f"Correct {path} or {stack.path}.") from error


def path_of(project: Project) -> Path:
    """Return the file in which a project declares its signals."""
    return project.main / "observability" / "signals.yaml"


def section(stack: Stack, key: str) -> dict[str, Any]:
    """Return a structured section of a stack file; {} if it is absent."""
    value: dict[str, Any] = json.loads(stack.config.get(key, "{}"))
    return value
