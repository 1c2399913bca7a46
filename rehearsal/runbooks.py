"""Check offline what a runbook needs before its first step: tools, files, settings and variables.

A runbook is a page in `docs/runbooks`. Its commands are the ``sh`` blocks, its settings the names in
backticks that exist in the stack file.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rehearsal.errors import InputError
from rehearsal.pulumi.project import Project

FOLDER: Final = Path("docs") / "runbooks"
OVERVIEW: Final = "README"
_BLOCK: Final = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_STEP: Final = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)
_SCRIPT: Final = re.compile(r"(?<![\w/])\.github/scripts/[\w-]+")
_NAMED: Final = re.compile(r"`([a-z][A-Za-z]+(?:\.[A-Za-z]+)+|[a-z][A-Za-z]+:[a-z][A-Za-z.]+)`")
# Programs that runbooks run and that an engineer has to install; the others are part of the shell.
_TOOLS: Final = ("atlas", "docker", "gcloud", "gh", "git", "jq", "kubectl", "pulumi")


@dataclass(frozen=True)
class Check:
    """One prerequisite: its kind and name, whether it holds, and a value or a remedy."""

    kind: str
    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True)
class Runbook:
    """A page with its title, the headings of its steps and its text."""

    name: str
    title: str
    steps: tuple[str, ...]
    text: str

    @property
    def commands(self) -> str:
        """Return the text of all shell blocks."""
        return "\n".join(_BLOCK.findall(self.text))


def names(project: Project) -> list[str]:
    """Return the names of the runbooks, without the overview."""
    return sorted(page.stem for page in (project.root / FOLDER).glob("*.md") if page.stem != OVERVIEW)


def load(project: Project, name: str) -> Runbook:
    """Read the runbook `name`. Raises InputError for a name without a page."""
    known = names(project)
    if name not in known:
        raise InputError(f"no runbook is named {name!r}", remedy=f"Use one of: {', '.join(known)}.")
    text = (project.root / FOLDER / f"{name}.md").read_text()
    title = next(line.removeprefix("# ") for line in text.splitlines() if line.startswith("# "))
    return Runbook(name, title, tuple(_STEP.findall(text)), text)


def checks(project: Project, runbook: Runbook, stack: str, environment: Mapping[str, str]) -> list[Check]:
    """Return the prerequisites of `runbook` for `stack`: tools on PATH, scripts, settings, shell variables.

    `environment` has the variables of the shell. Raises InputError for an unknown stack.
    """
    config = project.stack(stack).config
    return [
        *_tools(runbook.commands, environment.get("PATH")),
        *_scripts(project, runbook.commands),
        *_settings(runbook.text, config),
        *_variables(runbook.commands, stack, config, environment),
    ]


def _tools(commands: str, path: str | None) -> Iterator[Check]:
    for tool in _TOOLS:
        if re.search(rf"(?:^|[|(;&]\s*)\s*{tool} ", commands, re.MULTILINE):
            found = shutil.which(tool, path=path)
            yield Check("tool", tool, found is not None, "" if found else "install it and put it on PATH")


def _scripts(project: Project, commands: str) -> Iterator[Check]:
    for script in sorted(set(_SCRIPT.findall(commands))):
        executable = (project.root / script).is_file() and (project.root / script).stat().st_mode & 0o100
        yield Check("script", script, bool(executable), "" if executable else "the file is not executable")


def _settings(text: str, config: Mapping[str, str]) -> Iterator[Check]:
    for name in dict.fromkeys(_NAMED.findall(text)):
        namespace, _, rest = name.rpartition(":")
        key, *parts = rest.split(".")
        value = _decoded(config.get(f"{namespace or 'kingdom'}:{key}"))
        if value is None:
            continue  # not a setting of this stack: another name in backticks
        for part in parts:
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            yield Check("setting", name, True, json.dumps(value, ensure_ascii=False))


def _variables(
    commands: str, stack: str, config: Mapping[str, str], environment: Mapping[str, str]
) -> Iterator[Check]:
    storage, project = _decoded(config.get("kingdom:storage")), config.get("gcp:project", "")
    expected = {
        "STACK": stack,
        "PROJECT": project,
        "REGION": config.get("gcp:region", ""),
        "STATE": f"{project}-pulumi-state",
        "BUCKET": str(storage.get("bucket", "")) if isinstance(storage, Mapping) else "",
    }
    for name, value in expected.items():
        if not value or not re.search(rf"\$\{{?{name}\b", commands):
            continue
        actual = environment.get(name)
        remedy = f"export {name}={value}" + (f" (it is {actual})" if actual else "")
        yield Check("variable", name, actual == value, value if actual == value else remedy)


def _decoded(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
