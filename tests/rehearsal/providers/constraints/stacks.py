"""Resources that the program declares in its stacks, as valid inputs to mutate."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from rehearsal.providers.constraints.names import MappedType, mapped_type
from rehearsal.pulumi.properties import UNKNOWN, Secret
from tests.infra.rehearsal import ROOT, operation

STACKS = ("dev", "staging", "prod")


def declared_types() -> list[str]:
    """The type tokens in the inventories of the cloud stacks."""
    tokens: set[str] = set()
    for stack in STACKS:
        content = yaml.safe_load((ROOT / "tests" / "infra" / "inventory" / f"{stack}.yaml").read_text())
        tokens |= set(content["counts"])
    return sorted(
        token for token in tokens if token.partition(":")[0] in ("cloudflare", "gcp", "mongodbatlas")
    )


@cache
def mapped(token: str) -> MappedType:
    """The facts of a declared type."""
    found = mapped_type(token)
    assert found is not None, token
    return found


@cache
def planned(stack: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Return type and plain inputs of every resource that a stack declares, with unknown values."""
    with TemporaryDirectory() as folder:
        result = operation(stack, Path(folder)).preview()
    return tuple(
        (item.type, _opened(item.inputs))
        for item in result.snapshot.resources
        if item.custom and mapped_type(item.type) is not None
    )


def _opened(value: Any) -> Any:
    match value:
        case Secret(element):
            return _opened(element)
        case dict():
            return {key: _opened(item) for key, item in value.items() if not key.startswith("__")}
        case list():
            return [_opened(item) for item in value]
        case _:
            return UNKNOWN if value is UNKNOWN else value
