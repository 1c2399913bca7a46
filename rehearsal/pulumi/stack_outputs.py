"""Outputs of other stacks, for stack references: from their rehearsed state, else from values in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rehearsal.engine.state.secrets import passphrase
from rehearsal.engine.state.store import Store
from rehearsal.errors import InputError
from rehearsal.pulumi.project import STATE_FOLDER, Project, Stack
from rehearsal.pulumi.properties import Properties, Secret
from rehearsal.pulumi.urn import ROOT_STACK_TYPE
from rehearsal.pulumi.yaml_reader import kind_of, read_yaml


class StackOutputs:
    """The outputs of the stack behind a name such as ``organization/project/stack``; None where unknown.

    A stack of this project is read from its rehearsed state, whose passphrase is stored in `secrets`; `stack`
    itself has no outputs before its first update. For others, ``rehearsal:stackReferences`` in the stack file
    has a value by name: a mapping of outputs, or the folder of a project that is rehearsed beside this one.
    It may also be the path of a YAML file of these.
    """

    def __init__(self, project: Project, stack: Stack, secrets: Path) -> None:
        self._project = project
        self._stack = stack
        self._secrets = secrets

    def __call__(self, name: str) -> Properties | None:
        _, project, stack = self._parts(name)
        given = self._given()
        if name in given:
            value = given[name]
            if isinstance(value, str):
                root = (self._stack.path.parent / value).resolve()
                return self._rehearsed(root / STATE_FOLDER, stack)
            if not isinstance(value, Mapping):
                raise InputError(
                    f"{self._stack.path}: rehearsal:stackReferences: {name} must be a mapping of outputs or"
                    f" the folder of a project, not {kind_of(value)}"
                )
            return {str(key): _opened(item) for key, item in value.items()}
        if project == self._project.name:
            found = self._rehearsed(self._secrets, stack)
            return {} if found is None and stack == self._stack.name else found
        return None

    def _parts(self, name: str) -> tuple[str, str, str]:
        """Return organization, project and stack; the short forms are ``stack`` and ``project/stack``."""
        parts = name.split("/")
        match parts if all(parts) else []:
            case [stack]:
                return "organization", self._project.name, stack
            case [project, stack]:
                return "organization", project, stack
            case [organization, project, stack]:
                return organization, project, stack
            case _:
                raise InputError(f"{name!r} is not the name of a stack, such as organization/project/stack")

    def _given(self) -> Mapping[str, Any]:
        given = self._stack.references
        if isinstance(given, str):
            return read_yaml(self._stack.path.parent / given)
        if given is not None and not isinstance(given, Mapping):
            raise InputError(
                f"{self._stack.path}: rehearsal:stackReferences must be a mapping or the path of a file, not"
                f" {kind_of(given)}"
            )
        return given or {}

    def _rehearsed(self, folder: Path, stack: str) -> Properties | None:
        state = folder / stack
        if not (state / "state.json").is_file():
            # After `kingdom down` the folder remains: as in the CLI, the stack exists and has no outputs.
            return {} if state.is_dir() else None
        records = Store(state, lambda new: passphrase(folder, new=new)).load().resources
        return next((dict(item.outputs) for item in records if item.type == ROOT_STACK_TYPE), None)


def _opened(value: Any) -> Any:
    """Return `value` with a secret for every mapping whose only key is ``secret``."""
    if isinstance(value, Mapping):
        if set(value) == {"secret"}:
            return Secret(_opened(value["secret"]))
        return {str(key): _opened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_opened(item) for item in value]
    return value
