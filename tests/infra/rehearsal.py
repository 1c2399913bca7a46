"""Run the program for a stack with the rehearsal engine and the simulated providers."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from rehearsal import providers
from rehearsal.engine.events import Result
from rehearsal.engine.operations import Operation, Program
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.engine.state.store import Store
from rehearsal.pulumi.project import Project
from rehearsal.pulumi.properties import unwrap

ROOT = Path(__file__).parents[2]
STACKS = ("local", "dev", "staging", "prod")


@dataclass(frozen=True)
class Declared:
    """The declared resources of one stack, with the outputs that the simulated providers generate."""

    stack: str
    result: Result

    @cached_property
    def resources(self) -> list[ResourceState]:
        """The resources in order of creation, without components and providers."""
        return [
            found
            for found in self.result.snapshot.resources
            if found.custom and not found.type.startswith("pulumi:providers:")
        ]

    @cached_property
    def _by_type(self) -> dict[str, list[ResourceState]]:
        """The resources by each ending of their type token that begins after a colon."""
        found: dict[str, list[ResourceState]] = {}
        for resource in self.resources:
            ending = resource.type
            while ending:
                ending = ending.partition(":")[2]
                found.setdefault(ending, []).append(resource)
        return found

    def of(self, type_: str) -> dict[str, dict[str, Any]]:
        """Return the plain inputs, by logical name, of every resource whose type token ends with `type_`."""
        found = {name_of(resource.urn): unwrap(resource.inputs) for resource in self._by_type.get(type_, ())}
        assert found, f"{self.stack} declares no {type_}"
        return found

    def one(self, type_: str, name: str | None = None) -> dict[str, Any]:
        """Return the plain inputs of the only resource of a type, or of the one with a logical name."""
        found = self.of(type_)
        if name is not None:
            return found[name]
        assert len(found) == 1, f"{self.stack} declares {sorted(found)}"
        return next(iter(found.values()))

    def state(self, type_: str, name: str | None = None) -> ResourceState:
        """The recorded state of one resource."""
        found = [
            resource for resource in self._by_type.get(type_, ()) if name in {None, name_of(resource.urn)}
        ]
        assert len(found) == 1, f"{self.stack} declares {len(found)} of {type_}"
        return found[0]

    def waits_for(self, type_: str, name: str | None = None) -> set[str]:
        """Return kind and logical name of each dependency of a resource, such as `Cluster cluster`."""
        waited = set(self.state(type_, name).dependencies)
        return {
            f"{found.type.rpartition(':')[2]} {name_of(found.urn)}"
            for found in self.resources
            if found.urn in waited
        }


def configuration(stack: str) -> dict[str, Any]:
    """Return a new copy of the stack file's values that the program reads."""
    values: dict[str, Any] = json.loads(_content(stack))
    return {key: value for key, value in values.items() if not key.startswith("rehearsal:")}


@cache
def _content(stack: str) -> str:
    """Return the stack file's values as JSON, which is parsed a hundred times faster than YAML."""
    return json.dumps(yaml.safe_load((ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"])


def rehearse(stack: str, folder: Path, values: Mapping[str, Any] | None = None) -> Declared:
    """Deploy `stack` with simulated providers in this process; `values` replace those of the stack file."""
    work = operation(stack, folder, values)
    with work.store.lock("a test"), warnings.catch_warnings():
        # Imports of the SDKs warn about their own deprecated names; uses of one are reported as diagnostics.
        warnings.filterwarnings(
            "ignore", message=".* has been deprecated in favor of", category=DeprecationWarning
        )
        return Declared(stack, work.update())


def operation(stack: str, folder: Path, values: Mapping[str, Any] | None = None) -> Operation:
    """Return an operation on `stack`, whose state is in `folder`, for a preview or an update."""
    project = Project.find(ROOT)
    values = configuration(stack) if values is None else values
    program = Program(
        root=project.root,
        main=project.main,
        project=project.name,
        stack=stack,
        config={key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()},
    )
    store = Store(folder, "a passphrase of no consequence")
    return Operation(program, store, lambda package: providers.provider(package, None))


def name_of(urn: str) -> str:
    """Logical name of a resource."""
    return urn.rpartition("::")[2]


def merge(tree: dict[str, Any], change: Mapping[str, Any]) -> None:
    """Set the leaves of `change` in `tree`."""
    for key, value in change.items():
        if isinstance(value, Mapping) and isinstance(tree.get(key), dict):
            merge(tree[key], value)
        else:
            tree[key] = value


def strings(value: Any) -> Iterator[str]:
    """Yield every string in a value at any depth, except keys."""
    match value:
        case str():
            yield value
        case Mapping():
            for item in value.values():
                yield from strings(item)
        case list() | tuple():
            for item in value:
                yield from strings(item)
        case _:
            return
