"""Builtin provider of the engine: stack references, stashes and `getResource`.

Its counterpart is ``builtinProvider`` in ``pkg/resource/deploy/builtins.go``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.state.snapshot_manager import SnapshotManager
from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.properties import UNKNOWN, Properties, contains_secret, decode, encode, equal, unwrap

PACKAGE: Final = "pulumi"
_STASH: Final = "pulumi:index:Stash"
_STACK_REFERENCE: Final = "pulumi:pulumi:StackReference"


class BuiltinProvider:
    """Provider backed by the records of this operation and the outputs of other stacks.

    `outputs_of` returns the outputs of a stack, or None if the stack is unknown: that is an error if
    `requires_stacks`, as in an update; otherwise the outputs are unknown. `getResource` finds only resources
    that `is_registered` in this operation, because the record of another one may be out of date or about to
    be deleted.
    """

    def __init__(
        self,
        snapshot: SnapshotManager,
        outputs_of: Callable[[str], Properties | None],
        is_registered: Callable[[str], bool],
        *,
        requires_stacks: bool,
    ) -> None:
        self._snapshot = snapshot
        self._is_registered = is_registered
        self._outputs_of = outputs_of
        self._requires_stacks = requires_stacks

    def CheckConfig(self, request: provider_pb2.CheckRequest, context: Any) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Any) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def Check(self, request: provider_pb2.CheckRequest, context: Any) -> provider_pb2.CheckResponse:
        key = {_STASH: "input", _STACK_REFERENCE: "name"}.get(request.type)
        if key is None:
            raise _unknown_type(request.type)
        inputs = decode(request.news)
        failures = [
            provider_pb2.CheckFailure(property=name, reason=f"unknown property {name!r}")
            for name in inputs
            if name != key
        ]
        if key not in inputs:
            reason = f"missing required property {key!r}"
            failures.append(provider_pb2.CheckFailure(property=key, reason=reason))
        elif key == "name" and inputs[key] is not UNKNOWN and not isinstance(inputs[key], str):
            reason = "property 'name' must be a string"
            failures.append(provider_pb2.CheckFailure(property=key, reason=reason))
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: provider_pb2.DiffRequest, context: Any) -> provider_pb2.DiffResponse:
        key = "name" if request.type == _STACK_REFERENCE else "input"
        old, new = decode(request.old_inputs), decode(request.news)
        if request.ignoreChanges:  # an ignored value is as secret as the declared one, which is not a change
            old, new = unwrap(old), unwrap(new)
        if equal(old.get(key), new.get(key)):
            return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME,
            diffs=[key],
            replaces=[key] if key == "name" else [],
        )

    def Create(self, request: provider_pb2.CreateRequest, context: Any) -> provider_pb2.CreateResponse:
        inputs = decode(request.properties)
        id_ = "" if request.preview else str(uuid.uuid4())
        if request.type == _STACK_REFERENCE:
            outputs = self._stack(str(inputs["name"]))
        else:
            outputs = {"input": inputs["input"], "output": inputs["input"]}
        return provider_pb2.CreateResponse(id=id_, properties=encode(outputs))

    def Update(self, request: provider_pb2.UpdateRequest, context: Any) -> provider_pb2.UpdateResponse:
        outputs = {"input": decode(request.news)["input"], "output": decode(request.olds).get("output")}
        return provider_pb2.UpdateResponse(properties=encode(outputs))

    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def Read(self, request: provider_pb2.ReadRequest, context: Any) -> provider_pb2.ReadResponse:
        if request.type == _STASH:
            if not request.inputs.fields:
                raise _refused("a stash cannot be imported")
            return provider_pb2.ReadResponse(
                id=request.id, inputs=request.inputs, properties=request.properties
            )
        if request.type != _STACK_REFERENCE:
            raise _unknown_type(request.type)
        inputs = decode(request.inputs)
        if "name" not in inputs:
            raise _refused("a stack reference cannot be imported")
        outputs = self._stack(str(inputs["name"]))
        return provider_pb2.ReadResponse(id=request.id, inputs=request.inputs, properties=encode(outputs))

    def Invoke(self, request: provider_pb2.InvokeRequest, context: Any) -> provider_pb2.InvokeResponse:
        args = decode(request.args)
        match request.tok:
            case "pulumi:pulumi:readStackOutputs":
                return _returned(encode(self._stack(str(args["name"]))))
            case "pulumi:pulumi:getResource":
                return _returned(encode(self._resource(str(args["urn"]))))
            case "pulumi:pulumi:readStackResourceOutputs":
                raise _refused("kingdom does not support it; only the outputs of a stack can be read")
            case token:
                raise _refused(f"unrecognized function name: {token!r}")

    def _stack(self, name: str) -> Properties:
        outputs = self._outputs_of(name)
        if outputs is None:
            if self._requires_stacks:
                raise _refused(
                    f"unknown stack {name!r}. Rehearse it first (`kingdom up`), or give its outputs under"
                    " `rehearsal:stackReferences` in the stack file"
                )
            return {"name": name, "outputs": UNKNOWN, "secretOutputNames": []}
        secret = sorted(key for key, value in outputs.items() if contains_secret(value))
        return {"name": name, "outputs": outputs, "secretOutputNames": secret}

    def _resource(self, urn: str) -> Properties:
        record = self._snapshot.live(urn)
        if record is None or not self._is_registered(urn):
            raise _refused(f"unknown resource {urn}")
        return {
            "urn": urn,
            "id": record.id,
            "provider": record.provider,
            "state": record.outputs,
        }


def _returned(struct: struct_pb2.Struct) -> provider_pb2.InvokeResponse:
    response = provider_pb2.InvokeResponse()
    getattr(response, "return").CopyFrom(struct)  # the field's name is a keyword
    return response


def _refused(reason: str) -> ProviderError:
    return ProviderError(grpc.StatusCode.INVALID_ARGUMENT, reason)


def _unknown_type(type_: str) -> ProviderError:
    return _refused(f"unrecognized resource type {type_!r}")
