"""Find the positions of a setting's value in the plan, by running the program with marks as values.

The source is copied with every value `V` written as `__mark__(number, V)` and planned with providers that
accept any value, so that the plan contains the marks at the positions of the values.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime.proto import provider_pb2

from rehearsal import providers
from rehearsal.engine.operations import Operation, Program
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.engine.state.store import Store
from rehearsal.providers.base import Cloud
from rehearsal.pulumi.properties import unwrap
from tests.infra.mutations.source import Setting, Span
from tests.infra.rehearsal import ROOT, configuration

MARK = re.compile("<#([0-9]+)#>")  # characters that JSON does not escape
Steps = tuple[str | int, ...]


@dataclass
class SettingPositions:
    """Paths of a setting in inputs with their URNs, and URNs of the resources that its statement declares."""

    paths: set[tuple[str, Steps]] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)


def positions_of(settings: Sequence[Setting], folder: Path) -> list[SettingPositions]:
    """Return the positions of each setting in the plan of prod, in the order of `settings`."""
    planned = _planned(settings, folder)
    found = [SettingPositions() for _ in settings]
    for item in planned:
        for place, leaf in leaves_of(unwrap(item.inputs)):
            for number in MARK.findall(str(leaf)):
                found[int(number)].paths.add((item.urn, place))
            for step in place:
                for number in MARK.findall(str(step)):
                    found[int(number)].paths.add((item.urn, place))
        file, _, line = item.source_position.partition(":")
        for setting, positions in zip(settings, found, strict=True):
            first, last = setting.statement
            if file == f"infra/{setting.module}" and first <= int(line) <= last:
                positions.declared.add(item.urn)
    return found


def leaves_of(tree: Any, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Yield (path, value) of every scalar, and of every empty list or object."""
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from leaves_of(value, (*steps, key))
    elif isinstance(tree, list) and tree:
        for number, value in enumerate(tree):
            yield from leaves_of(value, (*steps, number))
    else:
        yield steps, tree


def _planned(settings: Sequence[Setting], folder: Path) -> list[ResourceState]:
    source = folder / "infra"
    for path in sorted((ROOT / "infra").rglob("*")):
        module = path.relative_to(ROOT / "infra").as_posix()
        if path.is_file():
            (source / module).parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".py":
            spans = {
                number: setting.value
                for number, setting in enumerate(settings)
                if setting.module == module and setting.value is not None and not setting.option
            }
            (source / module).write_bytes(marked(path.read_bytes(), spans))
        elif path.is_file() and path.suffix != ".pyc":
            (source / module).write_bytes(path.read_bytes())
    values = configuration("prod")
    config = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    program = Program(root=folder, main=source, project="kingdom", stack="prod", config=config)
    with _instead_of_ours(folder):
        operation = Operation(program, Store(folder / "state", "of no consequence"), _credulous)
        return list(operation.preview().snapshot.resources)


def marked(text: bytes, spans: Mapping[int, Span]) -> bytes:
    """Return the source with a call of `__mark__` around each value; line numbers do not change."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    inserts: list[tuple[int, int, bytes]] = []
    for number, (first, begin, last, end) in spans.items():
        opened, closed = starts[first - 1] + begin, starts[last - 1] + end
        # Of two values with the same start the longer one is opened first; with the same end, closed last.
        inserts.append((opened, -closed, f"__mark__({number}, ".encode()))
        inserts.append((closed, -opened + len(text), b")"))
    for place, _, insert in sorted(inserts, reverse=True):
        text = text[:place] + insert + text[place:]
    return text


def mark(number: int, value: Any) -> Any:
    """Return the value with every scalar and output in it replaced by a mark; resources are unchanged."""
    match value:
        case bool() | int() | float() | str():
            # A value that contains a marked setting has the marks of both settings.
            inner = MARK.findall(value) if isinstance(value, str) else []
            return "".join(f"<#{one}#>" for one in (*inner, number))
        case dict():
            return {key: mark(number, item) for key, item in value.items()}
        case list():
            return [mark(number, item) for item in value]
        case tuple():
            return tuple(mark(number, item) for item in value)
        case pulumi.Output():
            return f"<#{number}#>"
        case _:
            return value


@contextlib.contextmanager
def _instead_of_ours(folder: Path) -> Iterator[None]:
    """Import the marked program instead of the imported one during the block."""
    ours = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "infra"}
    for name in ours:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    builtins.__mark__ = mark  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del builtins.__mark__  # type: ignore[attr-defined]
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == "infra"]:
            del sys.modules[name]
        sys.modules.update(ours)


def _credulous(package: str) -> Cloud:
    """Return a provider that accepts marks as numbers, and returns unknown outputs before creation."""
    cloud = providers.provider(package)

    def check(request: provider_pb2.CheckRequest, context: Any = None) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def create(request: provider_pb2.CreateRequest, context: Any = None) -> provider_pb2.CreateResponse:
        return provider_pb2.CreateResponse(id="")

    cloud.Check = cloud.CheckConfig = check  # type: ignore[method-assign]
    cloud.Create = create  # type: ignore[method-assign]
    return cloud
