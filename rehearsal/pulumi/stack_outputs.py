"""Outputs of other stacks, for stack references: from their rehearsed state, else from values in a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from rehearsal.engine.state.checkpoint import exported_resources
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.engine.state.secrets import WrongPassphraseError, passphrase
from rehearsal.engine.state.store import Store
from rehearsal.errors import InputError
from rehearsal.pulumi.project import STATE_FOLDER, Project, Stack
from rehearsal.pulumi.properties import Properties, Secret
from rehearsal.pulumi.urn import ROOT_STACK_TYPE
from rehearsal.pulumi.yaml_reader import kind_of, read_yaml

_STACK_NAME: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}")


class StackOutputs:
    """The outputs of the stack behind a name such as ``organization/project/stack``; None where unknown.

    A stack of this project is read from its rehearsed state, whose passphrase is stored in `secrets`; `stack`
    itself has no outputs before its first update. For others, ``rehearsal:stackReferences`` in the stack file
    has a value by name: a mapping of outputs, or the folder of a project that is rehearsed beside this one.
    It may also be the path of a YAML file of these. Secrets of a stack with another passphrase are empty
    objects, which is reported to `notice`.
    """

    def __init__(
        self, project: Project, stack: Stack, secrets: Path, notice: Callable[[str], None] = lambda text: None
    ) -> None:
        self._project = project
        self._stack = stack
        self._secrets = secrets
        self._notice = notice

    def __call__(self, name: str) -> Properties | None:
        project, stack = self._parts(name)
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

    def _parts(self, name: str) -> tuple[str, str]:
        """Return project and stack of a name. Raises InputError.

        The short forms are ``stack`` and ``organization/stack``, of this project (``ParseReference`` in
        ``pkg/backend/diy/store.go``). Unlike there, the organization may have any name, as in Pulumi Cloud.
        """
        parts = name.split("/")
        if len(parts) > 3 or not _STACK_NAME.fullmatch(parts[-1]):
            raise InputError(
                f"{name!r} is not the name of a stack, such as organization/project/stack",
                remedy="The name of a stack has letters, digits, hyphens, underscores and periods.",
            )
        project = parts[1] if len(parts) == 3 else ""
        return project or self._project.name, parts[-1]

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
        try:
            records = Store(state, lambda new: passphrase(folder, new=new)).load().resources
        except WrongPassphraseError:
            self._notice(f"the secrets of stack {stack} have another passphrase: they are empty objects")
            records = exported_resources((state / "state.json").read_bytes())
            return {key: _elided(value) for key, value in _outputs(records).items()}
        return _outputs(records)


def _outputs(records: Iterable[ResourceState]) -> Properties:
    return next((dict(item.outputs) for item in records if item.type == ROOT_STACK_TYPE), {})


def _elided(value: Any) -> Any:
    """Return `value` with an empty object per secret (``DecryptValue`` in ``pkg/backend/secrets.go``)."""
    match value:
        case Secret():
            return Secret({})
        case dict():
            return {key: _elided(item) for key, item in value.items()}
        case list():
            return [_elided(item) for item in value]
        case _:
            return value


def _opened(value: Any) -> Any:
    """Return `value` with a secret for every mapping whose only key is ``secret``."""
    if isinstance(value, Mapping):
        if set(value) == {"secret"}:
            return Secret(_opened(value["secret"]))
        return {str(key): _opened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_opened(item) for item in value]
    return value
