"""Transforms: functions of the program that change a resource's inputs and options before it is planned.

The order and the treatment of dependencies are those of ``RegisterResource`` in
``pkg/resource/deploy/source_eval.go``: the resource's own transforms first, then those of its parents from
the innermost out, then those of the stack.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

from google.protobuf import struct_pb2
from pulumi.runtime.proto import callback_pb2, resource_pb2

from rehearsal.engine.callbacks.client import Callbacks
from rehearsal.pulumi.properties import OUTPUT_SIGNATURE, SECRET_SIGNATURE, SIGNATURE, UNKNOWN, decode_value

_SAME_NAME: Final = (
    "protect",
    "ignore_changes",
    "replace_on_changes",
    "version",
    "provider",
    "deleted_with",
    "replace_with",
    "hooks",
    "providers",
)
# Fields of a registration by the names that transform options have for them.
_RENAMED: Final = {
    "depends_on": "dependencies",
    "ignore_changes": "ignoreChanges",
    "replace_on_changes": "replaceOnChanges",
    "custom_timeouts": "customTimeouts",
    "plugin_download_url": "pluginDownloadURL",
    "retain_on_delete": "retainOnDelete",
    "deleted_with": "deletedWith",
    "additional_secret_outputs": "additionalSecretOutputs",
    "plugin_checksums": "pluginChecksums",
    "hide_diff": "hideDiffs",
    "import": "importId",
}
_FIELDS: Final = {name: _RENAMED.get(name, name) for name in (*_SAME_NAME, *_RENAMED, "replacement_trigger")}


class Transforms:
    """The transforms of one run of the program. Thread-safe."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks
        self._of_stack: list[callback_pb2.Callback] = []
        self._of_invokes: list[callback_pb2.Callback] = []
        self._of_resources: dict[str, tuple[str, list[callback_pb2.Callback]]] = {}
        self._lock = threading.Lock()

    def register_stack(self, callback: callback_pb2.Callback) -> None:
        with self._lock:
            self._of_stack.append(callback)

    def register_invoke(self, callback: callback_pb2.Callback) -> None:
        with self._lock:
            self._of_invokes.append(callback)

    def resource(
        self, request: resource_pb2.RegisterResourceRequest, urn: str
    ) -> resource_pb2.RegisterResourceRequest:
        """Return `request` for the resource `urn` after all transforms that apply. Raises CallbackError."""
        own = list(request.transforms)
        with self._lock:
            self._of_resources[urn] = (request.parent, own)
            applied = [*own, *self._of_parents(request.parent), *self._of_stack]
        if not applied:
            return request
        dependencies = {key: list(value.urns) for key, value in request.propertyDependencies.items()}
        properties = _upgraded(request.object, dependencies if own else {})
        options = _options_of(request)
        for callback in applied:
            response = self._callbacks.invoke(
                callback,
                resource_pb2.TransformRequest(
                    type=request.type,
                    name=request.name,
                    custom=request.custom,
                    parent=request.parent,
                    properties=properties,
                    options=options,
                ),
                resource_pb2.TransformResponse,
            )
            if response.HasField("properties"):
                properties = response.properties
            if response.HasField("options"):
                options = response.options
        return _rewritten(request, properties, options, recompute=bool(own))

    def _of_parents(self, parent: str) -> Iterator[callback_pb2.Callback]:
        while parent:
            parent, callbacks = self._of_resources.get(parent, ("", []))
            yield from callbacks

    def invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeRequest:
        """Return the function call `request` after the program's invoke transforms. Raises CallbackError."""
        with self._lock:
            applied = list(self._of_invokes)
        if not applied:
            return request
        args = _upgraded(request.args, {})
        options = resource_pb2.TransformInvokeOptions(
            provider=request.provider, version=request.version, plugin_download_url=request.pluginDownloadURL
        )
        for callback in applied:
            response = self._callbacks.invoke(
                callback,
                resource_pb2.TransformInvokeRequest(token=request.tok, args=args, options=options),
                resource_pb2.TransformInvokeResponse,
            )
            if response.HasField("args"):
                args = response.args
            if response.HasField("options"):
                options = response.options
        changed = resource_pb2.ResourceInvokeRequest()
        changed.CopyFrom(request)
        changed.args.CopyFrom(args)
        changed.provider, changed.version = options.provider, options.version
        changed.pluginDownloadURL = options.plugin_download_url
        return changed


def _options_of(request: resource_pb2.RegisterResourceRequest) -> resource_pb2.TransformResourceOptions:
    options = resource_pb2.TransformResourceOptions()
    for name, field in _FIELDS.items():
        _copy(request, field, options, name)
    options.aliases.extend(_aliases(request))
    if request.deleteBeforeReplaceDefined or request.deleteBeforeReplace:
        options.delete_before_replace = request.deleteBeforeReplace
    return options


def _aliases(request: resource_pb2.RegisterResourceRequest) -> Iterator[Any]:
    from pulumi.runtime.proto import alias_pb2

    for urn in request.aliasURNs:
        yield alias_pb2.Alias(urn=urn)
    yield from request.aliases


def _rewritten(
    request: resource_pb2.RegisterResourceRequest,
    properties: struct_pb2.Struct,
    options: resource_pb2.TransformResourceOptions,
    *,
    recompute: bool,
) -> resource_pb2.RegisterResourceRequest:
    changed = resource_pb2.RegisterResourceRequest()
    changed.CopyFrom(request)
    changed.object.CopyFrom(properties)
    for name, field in _FIELDS.items():
        changed.ClearField(field)  # type: ignore[arg-type]
        _copy(options, name, changed, field)
    changed.ClearField("aliasURNs")
    changed.ClearField("aliases")
    changed.aliases.extend(options.aliases)
    changed.deleteBeforeReplaceDefined = options.HasField("delete_before_replace")
    changed.deleteBeforeReplace = options.delete_before_replace
    found = {key: set(_dependencies(value)) for key, value in properties.fields.items()}
    changed.ClearField("dependencies")
    if not recompute:  # the CLI drops dependencies that transforms of a parent or of the stack add
        changed.dependencies.extend(request.dependencies)
    else:
        every = set(options.depends_on).union(*found.values())
        changed.dependencies.extend(sorted(every))
        changed.ClearField("propertyDependencies")
    for key, urns in found.items():
        known = changed.propertyDependencies[key].urns
        known.extend(sorted(urns - set(known)))
    return changed


def _copy(source: Any, name: str, target: Any, field: str) -> None:
    """Copy one field between messages if it is set, whatever its kind."""
    descriptor = source.DESCRIPTOR.fields_by_name[name]
    value = getattr(source, name)
    if descriptor.label == descriptor.LABEL_REPEATED:
        entry = descriptor.message_type
        if entry is not None and entry.GetOptions().map_entry:
            getattr(target, field).update(value)
        else:
            getattr(target, field).extend(value)
    elif descriptor.message_type is not None:
        if source.HasField(name):
            getattr(target, field).CopyFrom(value)
    elif not descriptor.has_presence or source.HasField(name):
        setattr(target, field, value)


def _upgraded(properties: struct_pb2.Struct, dependencies: Mapping[str, list[str]]) -> struct_pb2.Struct:
    """Return `properties` with secrets and unknowns as output values with their dependencies."""
    result = struct_pb2.Struct()
    for key, value in properties.fields.items():
        upgraded = _as_outputs(value)
        urns = set(dependencies.get(key, ())) - set(_dependencies(upgraded))
        if urns:
            upgraded = _output(upgraded, sorted(urns))
        result.fields[key].CopyFrom(upgraded)
    return result


def _as_outputs(value: struct_pb2.Value) -> struct_pb2.Value:
    kind = value.WhichOneof("kind")
    if kind == "string_value" and decode_value(value) is UNKNOWN:
        return _signed({}, known=False)
    if kind == "list_value":
        result = struct_pb2.Value()
        result.list_value.values.extend(_as_outputs(item) for item in value.list_value.values)
        return result
    if kind != "struct_value":
        return value
    fields = value.struct_value.fields
    signature = fields[SIGNATURE].string_value if SIGNATURE in fields else ""
    if signature == SECRET_SIGNATURE:
        inner = fields["value"]
        if decode_value(inner) is UNKNOWN:
            return _signed({"secret": struct_pb2.Value(bool_value=True)}, known=False)
        return _signed({"secret": struct_pb2.Value(bool_value=True), "value": _as_outputs(inner)})
    if signature:
        return value
    result = struct_pb2.Value()
    result.struct_value.SetInParent()
    for key, item in fields.items():
        result.struct_value.fields[key].CopyFrom(_as_outputs(item))
    return result


def _output(value: struct_pb2.Value, urns: list[str]) -> struct_pb2.Value:
    """Return `value` as an output value that additionally depends on `urns`."""
    fields: dict[str, struct_pb2.Value] = {"value": value}
    if value.WhichOneof("kind") == "struct_value":
        inner = value.struct_value.fields
        if SIGNATURE in inner and inner[SIGNATURE].string_value == OUTPUT_SIGNATURE:
            fields = {key: item for key, item in inner.items() if key != SIGNATURE}
            urns = sorted(
                {*urns, *(item.string_value for item in fields.get("dependencies", value).list_value.values)}
            )
    listed = struct_pb2.Value()
    listed.list_value.values.extend(struct_pb2.Value(string_value=urn) for urn in urns)
    return _signed({**fields, "dependencies": listed})


def _signed(fields: Mapping[str, struct_pb2.Value], *, known: bool = True) -> struct_pb2.Value:
    result = struct_pb2.Value()
    result.struct_value.fields[SIGNATURE].string_value = OUTPUT_SIGNATURE
    for key, item in fields.items():
        if known or key != "value":
            result.struct_value.fields[key].CopyFrom(item)
    return result


def _dependencies(value: struct_pb2.Value) -> Iterator[str]:
    """Yield the URNs that the output values within `value` depend on."""
    match value.WhichOneof("kind"):
        case "list_value":
            for item in value.list_value.values:
                yield from _dependencies(item)
        case "struct_value":
            fields = value.struct_value.fields
            signed = SIGNATURE in fields and fields[SIGNATURE].string_value == OUTPUT_SIGNATURE
            for key, item in fields.items():
                if signed and key == "dependencies":
                    yield from (urn.string_value for urn in item.list_value.values)
                else:
                    yield from _dependencies(item)
