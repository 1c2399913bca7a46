"""Resource states and their JSON form in Pulumi's deployment format, version 3.

The format is ``DeploymentV3`` and ``ResourceV3`` of ``sdk/go/common/apitype/core.go``: what
``pulumi stack export`` writes and ``pulumi stack import`` and ``pulumi policy analyze`` read.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from rehearsal.engine.state.secrets import Crypter
from rehearsal.pulumi.properties import (
    SECRET_SIGNATURE,
    SIGNATURE,
    UNKNOWN,
    Properties,
    ResourceReference,
    Secret,
    Value,
    decode_value,
    encode_value,
)
from rehearsal.pulumi.urn import split_reference

VERSION: Final = 3
# JSON has no infinite numbers: they are recorded by their bits (``floatSignature`` in
# ``pkg/resource/stack/deployment.go``).
_FLOAT_SIGNATURE: Final = "8ad145fe-0d11-4827-bfd7-1abcbf086f5c"
_T = TypeVar("_T")


@dataclass(frozen=True)
class ResourceState:
    """Recorded state of one resource. `inputs` and `outputs` hold no unknowns outside of previews."""

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    protect: bool = False
    external: bool = False
    delete: bool = False
    pending_replacement: bool = False
    tainted: bool = False  # to be replaced by the next update (`pulumi state taint`)
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: tuple[str, ...] = ()
    replacement_trigger: Value = None
    init_errors: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    hide_diffs: tuple[str, ...] = ()
    hooks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    custom_timeouts: Mapping[str, float] = field(default_factory=dict)
    import_id: str = ""
    source_position: str = ""
    created: str = ""
    modified: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Unique in a snapshot: a replaced resource that waits for its deletion shares the new one's URN."""
        return (self.urn, self.id if self.delete else "")

    def references(self) -> Iterable[str]:
        """Yield the URNs of resources that must exist before this one and be deleted after it."""
        if self.parent:
            yield self.parent
        if self.provider:
            yield split_reference(self.provider)[0]
        yield from self.dependencies
        for urns in self.property_dependencies.values():
            yield from urns
        if self.deleted_with:
            yield self.deleted_with
        yield from self.replace_with

    def with_renamed(self, old: str, new: str) -> ResourceState:
        """Return this state with the URN `old` replaced by `new` everywhere, its own URN included."""

        def renamed(urn: str) -> str:
            return new if urn == old else urn

        urn, _, id_ = self.provider.rpartition("::")
        return replace(
            self,
            urn=renamed(self.urn),
            parent=renamed(self.parent),
            provider=f"{new}::{id_}" if urn == old else self.provider,
            dependencies=tuple(map(renamed, self.dependencies)),
            property_dependencies={
                key: tuple(map(renamed, urns)) for key, urns in self.property_dependencies.items()
            },
            deleted_with=renamed(self.deleted_with),
            replace_with=tuple(map(renamed, self.replace_with)),
        )

    def without(self, deleted: Container[str]) -> ResourceState:
        """Return this state without references to the URNs in `deleted`."""
        return replace(
            self,
            parent="" if self.parent in deleted else self.parent,
            dependencies=tuple(urn for urn in self.dependencies if urn not in deleted),
            property_dependencies={
                key: tuple(urn for urn in urns if urn not in deleted)
                for key, urns in self.property_dependencies.items()
            },
            deleted_with="" if self.deleted_with in deleted else self.deleted_with,
            replace_with=tuple(urn for urn in self.replace_with if urn not in deleted),
        )

    def stamped(self, previous: ResourceState | None) -> ResourceState:
        """Return this state with its creation time from `previous`, or now, and modified now."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return replace(self, created=(previous.created if previous else "") or now, modified=now)


_STRINGS: Final = {
    "parent": "parent",
    "provider": "provider",
    "deletedWith": "deleted_with",
    "importID": "import_id",
    "sourcePosition": "source_position",
    "created": "created",
    "modified": "modified",
}
_FLAGS: Final = {
    "protect": "protect",
    "external": "external",
    "delete": "delete",
    "pendingReplacement": "pending_replacement",
    "taint": "tainted",
    "retainOnDelete": "retain_on_delete",
}
_LISTS: Final = {
    "dependencies": "dependencies",
    "initErrors": "init_errors",
    "additionalSecretOutputs": "additional_secret_outputs",
    "ignoreChanges": "ignore_changes",
    "replaceOnChanges": "replace_on_changes",
    "replaceWith": "replace_with",
    "hideDiff": "hide_diffs",
}


def to_json(resource: ResourceState, crypter: Crypter) -> dict[str, Any]:
    """Convert to a ``ResourceV3`` object with encrypted secrets."""
    out: dict[str, Any] = {"urn": resource.urn, "custom": resource.custom, "type": resource.type}
    if resource.id:
        out["id"] = resource.id
    if resource.inputs:
        out["inputs"] = _seal(resource.inputs, crypter)
    if resource.outputs:
        out["outputs"] = _seal(resource.outputs, crypter)
    out |= {key: value for key, name in _STRINGS.items() if (value := getattr(resource, name))}
    out |= {key: True for key, name in _FLAGS.items() if getattr(resource, name)}
    out |= {key: list(value) for key, name in _LISTS.items() if (value := getattr(resource, name))}
    if resource.property_dependencies:
        out["propertyDependencies"] = {
            key: list(urns) for key, urns in resource.property_dependencies.items()
        }
    if resource.custom_timeouts:
        out["customTimeouts"] = dict(resource.custom_timeouts)
    if resource.replacement_trigger is not None:
        out["replacementTrigger"] = _seal(resource.replacement_trigger, crypter)
    if resource.hooks:
        out["resourceHooks"] = {kind: list(names) for kind, names in resource.hooks.items()}
    return out


def from_json(data: Mapping[str, Any], crypter: Crypter | None) -> ResourceState:
    """The inverse of :func:`to_json`. Raises KeyError, TypeError or ValueError if malformed.

    Without a crypter, secrets hold their ciphertext, which can be used for display only.
    """
    fields: dict[str, Any] = {name: _optional(data, key, str, "") for key, name in _STRINGS.items()}
    fields |= {name: bool(data.get(key, False)) for key, name in _FLAGS.items()}
    fields |= {name: _strings(data.get(key) or (), key) for key, name in _LISTS.items()}
    dependencies = _optional(data, "propertyDependencies", dict, {}).items()
    hooks = _optional(data, "resourceHooks", dict, {}).items()
    urn = _string(data, "urn")
    if urn.count("::") < 3:
        raise ValueError(f"urn must be of the form urn:pulumi:stack::project::type::name, not {urn!r}")
    return ResourceState(
        urn=urn,
        type=_string(data, "type"),
        custom=bool(data["custom"]),
        id=_optional(data, "id", str, ""),
        inputs=_open(_optional(data, "inputs", dict, {}), crypter),
        outputs=_open(_optional(data, "outputs", dict, {}), crypter),
        property_dependencies={key: _strings(urns or (), key) for key, urns in dependencies},
        custom_timeouts=_optional(data, "customTimeouts", dict, {}),
        replacement_trigger=_open(data.get("replacementTrigger"), crypter),
        hooks={kind: _strings(names or (), "resourceHooks") for kind, names in hooks},
        **fields,
    )


def _string(data: Mapping[str, Any], key: str) -> str:
    value = data[key]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{key} must be a string, not {value!r}")
    return value


def _optional(data: Mapping[str, Any], key: str, kind: type[_T], default: _T) -> _T:
    value = data.get(key)
    if value is None:  # Pulumi omits empty values
        return default
    if not isinstance(value, kind):
        raise TypeError(f"{key} must be {'a string' if kind is str else 'an object'}, not {value!r}")
    return value


def _strings(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"{key} must be a list of strings, not {value!r}")
    return tuple(value)


def _seal(value: Value, crypter: Crypter) -> Value:
    match value:
        case Secret(element):
            text = json.dumps(_seal(element, crypter), separators=(",", ":"))
            return {SIGNATURE: SECRET_SIGNATURE, "ciphertext": crypter.encrypt(text)}
        case dict():
            return {key: _seal(item, crypter) for key, item in value.items()}
        case list():
            return [_seal(item, crypter) for item in value]
        case ResourceReference():
            return _to_plain(encode_value(value))
        case _ if value is UNKNOWN:
            raise ValueError("an unknown value cannot be recorded")
        case float() if not math.isfinite(value):
            return {SIGNATURE: _FLOAT_SIGNATURE, "value": struct.pack(">d", value).hex()}
        case None | bool() | int() | float() | str():
            return value
        case _:
            return _to_plain(encode_value(value))


def _to_plain(message: Any) -> Value:
    from google.protobuf import json_format

    return json_format.MessageToDict(message)


def _open(value: Value, crypter: Crypter | None) -> Value:
    match value:
        case dict():
            if value.get(SIGNATURE) == SECRET_SIGNATURE:
                if "plaintext" in value:
                    return Secret(_open(json.loads(value["plaintext"]), crypter))
                if crypter is None:
                    return Secret(value["ciphertext"])
                return Secret(_open(json.loads(crypter.decrypt(value["ciphertext"])), crypter))
            if value.get(SIGNATURE) == _FLOAT_SIGNATURE:
                return struct.unpack(">d", bytes.fromhex(value["value"]))[0]
            if SIGNATURE in value:
                from google.protobuf import json_format, struct_pb2

                return decode_value(json_format.ParseDict(value, struct_pb2.Value()))
            return {key: _open(item, crypter) for key, item in value.items()}
        case list():
            return [_open(item, crypter) for item in value]
        case _:
            return value


@dataclass(frozen=True)
class PendingOperation:
    """Operation without a recorded end; `type` is ``creating``, ``updating`` or ``deleting``."""

    type: str
    resource: ResourceState

    def with_renamed(self, old: str, new: str) -> PendingOperation:
        return replace(self, resource=self.resource.with_renamed(old, new))


@dataclass(frozen=True)
class Snapshot:
    """Records of a stack; each resource follows the ones it refers to."""

    resources: tuple[ResourceState, ...] = ()
    pending: tuple[PendingOperation, ...] = ()

    def live(self) -> dict[str, ResourceState]:
        """Return the resources by URN, without those that are pending deletion."""
        return {resource.urn: resource for resource in self.resources if not resource.delete}


def in_order(resources: Iterable[ResourceState]) -> tuple[ResourceState, ...]:
    """Return `resources` in a stable topological order: each follows the ones it refers to."""
    given = list(resources)
    live = {resource.urn: resource for resource in given if not resource.delete}
    by_id = {(resource.urn, resource.id): resource for resource in given}
    done: set[tuple[str, str]] = set()
    out: list[ResourceState] = []

    def needs(resource: ResourceState) -> Iterator[ResourceState]:
        if resource.provider and (provider := by_id.get(split_reference(resource.provider))):
            yield provider  # it may be pending deletion
        for urn in resource.references():
            if (target := live.get(urn)) is not None:
                yield target

    def place(resource: ResourceState) -> None:
        stack = [(resource, needs(resource))]
        opened = {resource.key}
        while stack:
            current, rest = stack[-1]
            for target in rest:
                if target.key not in done and target.key not in opened:
                    opened.add(target.key)
                    stack.append((target, needs(target)))
                    break
            else:
                stack.pop()
                done.add(current.key)
                out.append(current)

    for resource in given:
        if resource.key not in done:
            place(resource)
    return tuple(out)
