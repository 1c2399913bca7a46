"""In-process fake provider behind Pulumi's ResourceProvider protocol: scriptable, with a log of all calls."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.properties import (
    UNKNOWN,
    Secret,
    contains_unknown,
    decode,
    differences,
    encode,
    format_path,
    parse_path,
    unwrap,
)
from rehearsal.pulumi.urn import name_of

Hook = Callable[[Any], None]
_kill = os.kill  # replaced while a program runs


def refused(reason: str) -> ProviderError:
    return ProviderError(grpc.StatusCode.INVALID_ARGUMENT, reason)


@dataclass
class Cloud:
    """The existing resources by ID; with a `path` they are stored in a file, for use by later processes.

    `before` and `after` are hooks by (method, name), called before and after the effect of a method; a hook
    may raise, wait or end the process. `log` has (method, name, "begin" or "end") in order.
    """

    path: Path | None = None
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[tuple[str, str, str]] = field(default_factory=list)
    before: dict[tuple[str, str], Hook] = field(default_factory=dict)
    after: dict[tuple[str, str], Hook] = field(default_factory=dict)
    configured: list[dict[str, Any]] = field(default_factory=list)
    functions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = field(default_factory=dict)
    diff_unknown: bool = False
    drops_secrets: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)
    loses_ids: bool = False  # Create has its effect, but the response has no ID, as after an interruption
    crash_at: int = 0  # the process exits at this effect, counted before and after each effect
    effects: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        if self.path is not None and self.path.exists():
            self.objects = json.loads(self.path.read_text())

    def factory(self, package: str) -> Provider:
        return Provider(self, package)

    def calls(self, *methods: str) -> list[tuple[str, str]]:
        """Return (method, name) of every call in order, limited to `methods` if given."""
        return [
            (one, name) for one, name, phase in self.log if phase == "begin" and one in (methods or [one])
        ]

    def order(self, method: str) -> list[str]:
        return [name for _, name in self.calls(method)]

    def names(self) -> set[str]:
        """The logical names of the existing resources."""
        return {name_of(item["urn"]) for item in self.objects.values()}

    def changed(self) -> None:
        if self.path is not None:
            temporary = self.path.with_suffix(".new")
            temporary.write_text(json.dumps(self.objects))
            temporary.rename(self.path)

    def effect(self) -> None:
        """Count the start or end of an effect; exit the process at the configured one."""
        with self.lock:
            self.effects += 1
            if self.effects == self.crash_at:
                _kill(os.getpid(), signal.SIGKILL)


class Provider:
    """A configured provider instance; all instances share one `Cloud`."""

    def __init__(self, cloud: Cloud, package: str) -> None:
        self.cloud = cloud
        self.package = package

    # -- the provider itself ----------------------------------------------------------------------------

    def CheckConfig(self, request: provider_pb2.CheckRequest, context: Any) -> provider_pb2.CheckResponse:
        return self._called("CheckConfig", request, lambda: self._check(request))

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Any) -> provider_pb2.DiffResponse:
        return self._called("DiffConfig", request, lambda: self._diff(request))

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: Any
    ) -> provider_pb2.ConfigureResponse:
        args = decode(request.args)
        self.cloud.configured.append(args)
        if "refuse" in args:
            raise refused(f"cannot be configured: {unwrap(args['refuse'])}")
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        self.cloud.cancelled.set()
        return empty_pb2.Empty()

    # -- resources --------------------------------------------------------------------------------------

    def Check(self, request: provider_pb2.CheckRequest, context: Any) -> provider_pb2.CheckResponse:
        return self._called("Check", request, lambda: self._check(request))

    def _check(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse:
        inputs, olds = decode(request.news), decode(request.olds)
        failures = [
            provider_pb2.CheckFailure(property=key, reason=f"{key} is not allowed")
            for key in sorted(inputs)
            if key.startswith("bad")
        ]
        if self.cloud.drops_secrets:
            inputs = unwrap(inputs)
        if "auto" not in inputs and "name" not in inputs and request.type.startswith("toy:"):
            # As in the provider contract: from the URN and the replacement cause, or carried over.
            inputs["auto"] = olds.get("auto") or f"{name_of(request.urn)}-{_hash(request.urn, inputs)}"
        return provider_pb2.CheckResponse(inputs=encode(inputs), failures=failures)

    def Diff(self, request: provider_pb2.DiffRequest, context: Any) -> provider_pb2.DiffResponse:
        return self._called("Diff", request, lambda: self._diff(request))

    def _diff(self, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse:
        if self.cloud.diff_unknown:
            return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_UNKNOWN)
        old, new = decode(request.old_inputs), decode(request.news)
        ignored = [parse_path(text) for text in request.ignoreChanges]
        found = {
            path: kind
            for path, kind in differences(old, new).items()
            if not any(path[: len(one)] == one for one in ignored) and path != ("auto",)
        }
        replaces = sorted({str(path[0]) for path in found if str(path[0]).startswith("fixed")})
        result = provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE,
            replaces=replaces,
            diffs=sorted({str(path[0]) for path in found}),
            deleteBeforeReplace=bool(replaces) and "name" in new,
            hasDetailedDiff=True,
        )
        for path, kind in found.items():
            detail = kind.name + ("_REPLACE" if str(path[0]) in replaces else "")
            result.detailedDiff[format_path(path)].kind = provider_pb2.PropertyDiff.Kind.Value(detail)
        return result

    def Create(self, request: provider_pb2.CreateRequest, context: Any) -> provider_pb2.CreateResponse:
        def create() -> provider_pb2.CreateResponse:
            inputs = decode(request.properties)
            if request.preview:
                return provider_pb2.CreateResponse(properties=encode(self._preview(inputs)))
            assert not contains_unknown(inputs), f"unknown inputs reached the cloud: {request.urn}"
            id_ = _id(inputs)
            with self.cloud.lock:
                there = self.cloud.objects.get(id_)
                # Creating the same resource again is allowed: an interrupted creation is resumed this way.
                if there is not None and there["urn"] != request.urn:
                    raise ProviderError(grpc.StatusCode.ALREADY_EXISTS, f"{id_} exists")
                self.cloud.objects[id_] = {"urn": request.urn, "inputs": unwrap(inputs)}
                self.cloud.changed()
            if self.cloud.loses_ids:
                return provider_pb2.CreateResponse()
            return provider_pb2.CreateResponse(id=id_, properties=encode(self.outputs(request.urn, inputs)))

        return self._called("Create", request, create, preview=request.preview)

    def Update(self, request: provider_pb2.UpdateRequest, context: Any) -> provider_pb2.UpdateResponse:
        def update() -> provider_pb2.UpdateResponse:
            inputs = decode(request.news)
            if request.preview:
                return provider_pb2.UpdateResponse(properties=encode(self._preview(inputs)))
            with self.cloud.lock:
                if request.id not in self.cloud.objects:
                    raise ProviderError(grpc.StatusCode.NOT_FOUND, f"{request.id} does not exist")
                self.cloud.objects[request.id] = {"urn": request.urn, "inputs": unwrap(inputs)}
                self.cloud.changed()
            return provider_pb2.UpdateResponse(properties=encode(self.outputs(request.urn, inputs)))

        return self._called("Update", request, update, preview=request.preview)

    def Delete(self, request: provider_pb2.DeleteRequest, context: Any) -> empty_pb2.Empty:
        def delete() -> empty_pb2.Empty:
            # Without an ID the creation was interrupted; its inputs identify the resource.
            id_ = request.id or _id(decode(request.old_inputs))
            with self.cloud.lock:
                self.cloud.objects.pop(id_, None)
                self.cloud.changed()
            return empty_pb2.Empty()

        return self._called("Delete", request, delete)

    def Read(self, request: provider_pb2.ReadRequest, context: Any) -> provider_pb2.ReadResponse:
        def read() -> provider_pb2.ReadResponse:
            there = self.cloud.objects.get(request.id)
            if there is None:
                return provider_pb2.ReadResponse()
            inputs = there["inputs"]
            return provider_pb2.ReadResponse(
                id=request.id, properties=encode(self.outputs(request.urn, inputs)), inputs=encode(inputs)
            )

        return self._called("Read", request, read)

    def Invoke(self, request: provider_pb2.InvokeRequest, context: Any) -> provider_pb2.InvokeResponse:
        self.cloud.log.append(("Invoke", request.tok, "begin"))
        function = self.cloud.functions.get(request.tok)
        response = provider_pb2.InvokeResponse()
        if function is None:
            response.failures.add(property="", reason=f"{request.tok} is not a function")
            return response
        getattr(response, "return").CopyFrom(encode(function(decode(request.args))))
        return response

    # -- inside -----------------------------------------------------------------------------------------

    def outputs(self, urn: str, inputs: dict[str, Any]) -> dict[str, Any]:
        name = name_of(urn)
        token: Any = f"token-of-{name}"
        outputs = {**inputs, "computed": f"{name}-computed", "token": Secret(token)}
        return unwrap(outputs) | {"token": Secret(token)} if self.cloud.drops_secrets else outputs

    def _preview(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {**inputs, "computed": UNKNOWN, "token": Secret(UNKNOWN)}

    def _called(self, method: str, request: Any, work: Callable[[], Any], *, preview: bool = False) -> Any:
        name, label = name_of(request.urn), f"Preview{method}" if preview else method
        real = not preview and method in ("Create", "Update", "Delete")
        self.cloud.log.append((label, name, "begin"))
        try:
            if real:
                self.cloud.effect()
            if hook := self.cloud.before.get((label, name)):
                hook(request)
            result = work()
            if hook := self.cloud.after.get((label, name)):
                hook(request)
            if real:
                self.cloud.effect()
            return result
        finally:
            self.cloud.log.append((label, name, "end"))


def _hash(urn: str, inputs: dict[str, Any]) -> str:
    fixed = {key: repr(value) for key, value in unwrap(inputs).items() if key.startswith("fixed")}
    return hashlib.sha256(json.dumps([urn, fixed], sort_keys=True).encode()).hexdigest()[:8]


def _id(inputs: dict[str, Any]) -> str:
    plain = unwrap(inputs)
    return str(plain.get("name") or plain["auto"])
