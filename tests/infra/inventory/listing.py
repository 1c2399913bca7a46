"""Write the plan of a stack as YAML, so that the effect of a change can be reviewed as a diff."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from rehearsal.engine.events import Result
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.pulumi.properties import UNKNOWN, Secret
from tests.infra.rehearsal import STACKS, name_of, operation

FOLDER = Path(__file__).parent
HEAD = "# The plan of {stack}: written by `make inventory`, reviewed with each change.\n"
MAX_LENGTH = 100  # characters; longer texts are shortened
# Properties that are equal on every resource, or redundant with the key; they are left out.
PLAIN = {"apiVersion", "kind", "labels", "project", "resourceLabels", "userLabels"}


def planned(stack: str) -> Result:
    """Return the plan of a new stack."""
    with tempfile.TemporaryDirectory() as folder:
        return operation(stack, Path(folder)).preview()


def listing(stack: str) -> str:
    """Return the text of the inventory file of a stack."""
    resources = [
        item
        for item in planned(stack).snapshot.resources
        if item.custom and not item.type.startswith("pulumi:providers:")
    ]
    components: dict[str, dict[str, Any]] = {}
    for item in resources:
        of_type = components.setdefault(_component(item), {}).setdefault(item.type, {})
        of_type[name_of(item.urn)] = _properties(item)
    content = {
        "counts": dict(sorted(Counter(item.type for item in resources).items())),
        "resources": _sorted(components),
    }
    return HEAD.format(stack=stack) + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=110)


def _component(item: ResourceState) -> str:
    """The component that a resource belongs to, outermost first: `workload/api-scaling`."""
    _, _, path, _ = item.urn.split("::", 3)
    name = name_of(item.parent)
    kinds = [part.rpartition(":")[2] for part in path.split("$")[:-1]]
    return f"{'/'.join(kinds)} {name}"


def _properties(item: ResourceState) -> Any:
    shown = _shown(item.inputs)
    return {**shown, "(protected)": True} if item.protect else shown


def _shown(value: Any) -> Any:
    match value:
        case dict():
            return {key: _shown(value[key]) for key in sorted(value) if key not in PLAIN}
        case list():
            return [_shown(item) for item in value]
        case Secret():
            return "(secret)"
        case str() if len(value) > MAX_LENGTH or "\n" in value:
            digest = hashlib.sha256(value.encode()).hexdigest()[:8]
            return f"(text of {len(value)} characters, {digest})"
        case _ if value is UNKNOWN:
            return "(of another resource)"
        case _:
            return value


def _sorted(components: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        component: {kind: dict(sorted(named.items())) for kind, named in sorted(types.items())}
        for component, types in sorted(components.items())
    }


class _Dumper(yaml.SafeDumper):
    """Writes short objects and lists of scalars on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_sequence(
        self, tag: str, sequence: Any, flow_style: bool | None = None
    ) -> yaml.SequenceNode:
        return super().represent_sequence(tag, sequence, flow_style=_is_flat(sequence))

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        small = isinstance(mapping, dict) and len(mapping) <= 3 and _is_flat(list(mapping.values()))
        return super().represent_mapping(tag, mapping, flow_style=small)


def _is_flat(values: Any) -> bool:
    return not any(isinstance(item, (dict, list)) and item for item in values)


def write() -> None:
    """Write all files."""
    for stack in STACKS:
        path = FOLDER / f"{stack}.yaml"
        path.write_text(listing(stack))
        print(f"wrote tests/infra/inventory/{path.name}")
