"""A simulated provider: Pulumi's `ResourceProvider` protocol over declared types and generated outputs.

Subclasses define the specifics of a cloud: names, ids, curated outputs, the properties that cannot change in
place, functions. Methods take and return protobuf messages, so the engine calls them in process exactly as
the Pulumi CLI calls them over gRPC; `context` is not used. All methods are thread-safe: a provider has no
state beside its configuration.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any, ClassVar, Final

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from rehearsal.providers import diff, fake_values
from rehearsal.providers import outputs as synthesis
from rehearsal.providers.autonaming import Preference
from rehearsal.providers.constraints import facts
from rehearsal.providers.constraints.api import refused_by_api, refused_changes_by_api
from rehearsal.providers.constraints.checks import refused_labels, violations
from rehearsal.providers.constraints.conditional_replacement import is_same_value, replaces_on_condition
from rehearsal.providers.constraints.create_only import refused_changes
from rehearsal.providers.constraints.deprecation import deprecated
from rehearsal.providers.constraints.names import mapped_type
from rehearsal.providers.constraints.plans.creation_checks import refused_creations
from rehearsal.providers.constraints.plans.plan_checks import refused_plans
from rehearsal.providers.constraints.replacement import (
    forces_replacement,
    is_default,
    replacing_names,
)
from rehearsal.providers.constraints.reserved_names import recreated_name
from rehearsal.providers.constraints.sensitivity import mark_sensitive
from rehearsal.providers.errors import InitFailedError, ProviderError
from rehearsal.providers.function_results import declared_function
from rehearsal.providers.host_protocol import EmulationHost
from rehearsal.providers.outputs import Place
from rehearsal.providers.schema import ResourceType, Scalar, provider_type, resource_type
from rehearsal.providers.validation import DEFAULTS_KEY, Problem, Rules, check_object, coerce, problem
from rehearsal.pulumi.properties import UNKNOWN, Asset, Path, Secret, contains_unknown, decode, encode, unwrap
from rehearsal.pulumi.urn import package_of

Function = Callable[[dict[str, Any], Place], dict[str, Any]]

_DEFAULT_TIMEOUT: Final = 300.0  # seconds; for an emulated resource whose request sets no timeout
# Marks the inputs of an imported resource: only its id is known.
IMPORTED_KEY: Final = "__imported"
# The SDK adds these to every provider's configuration; no provider schema declares them.
_PROVIDER_BOOKKEEPING: Final = frozenset({"version", "pluginDownloadURL", DEFAULTS_KEY})


class Cloud(provider_pb2_grpc.ResourceProviderServicer):
    """Base class of the simulated providers."""

    package: ClassVar[str]
    rules: ClassVar[Rules] = Rules(coerces=True)
    functions: ClassVar[Mapping[str, Function]] = {}

    def __init__(self, machine: EmulationHost | None = None) -> None:
        self.machine = machine
        self.place = Place()
        self.accepts_secrets = True

    # Overridden by each cloud.

    def declared(self, token: str) -> ResourceType | None:
        """Return the type of `token`; None for a type that no SDK declares."""
        return resource_type(token)

    def type_problems(self, token: str, inputs: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield differences between `inputs` and the declared type."""
        if (declared := self.declared(token)) is None:
            yield problem(
                (), f'unknown resource type "{token}": the installed SDK of {self.package} has no such'
            )
        else:
            yield from check_object(declared.inputs, inputs, self._rules_of(token))

    def _rules_of(self, token: str) -> Rules:
        """Return the rules of the type check. Types with measured facts ignore enumerations in docstrings."""
        return self.rules if mapped_type(token) is None else replace(self.rules, reads_documentation=False)

    def provider_problems(self, token: str, inputs: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield violations that the real provider or its API would report, by facts measured from them."""
        if (mapped := mapped_type(token)) is not None:
            provider, api = facts.source(self.package).provider.split()[0], facts.api(self.package)
            reported: set[str] = set()
            for found in (*violations(mapped, inputs, provider, api), *refused_by_api(token, inputs, api)):
                if found.path not in reported:
                    yield found
                    reported.add(found.path)

    def plan_problems(
        self, token: str, inputs: Mapping[str, Any], olds: Mapping[str, Any]
    ) -> Iterator[Problem]:
        """Yield the errors that the real provider would return while it plans.

        `inputs` have passed validation. `olds` are the former inputs; they are empty for a new resource.
        """
        if (mapped := mapped_type(token)) is None:
            return
        provider = facts.source(self.package).provider.split()[0]
        yield from refused_plans(token, inputs, olds, provider)
        if not olds:
            yield from refused_creations(token, inputs, provider)
        if olds and IMPORTED_KEY not in olds:
            yield from refused_changes(mapped, inputs, olds, provider)
            yield from refused_changes_by_api(token, inputs, olds, facts.api(self.package))
            yield from self._recreated_names(token, inputs, olds)

    def _recreated_names(
        self, token: str, inputs: Mapping[str, Any], olds: Mapping[str, Any]
    ) -> Iterator[Problem]:
        """Yield changes that replace a resource whose name stays reserved after its deletion."""
        reason = recreated_name(token, unwrap(dict(inputs)), unwrap(dict(olds)))
        if reason is not None:
            for path in diff.changed(dict(olds), dict(inputs), ()):
                if self.replaces(token, path, olds, inputs):
                    yield problem(path, f"{reason} (the {facts.api(self.package)} validates this)")

    def problems(self, token: str, inputs: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield violations of the cloud's API that neither the SDK nor the provider detects."""
        return iter(())

    def named(
        self,
        urn: str,
        token: str,
        inputs: dict[str, Any],
        olds: Mapping[str, Any],
        preferred: Preference | None,
    ) -> dict[str, Any]:
        """Return `inputs` with a physical name if one is missing and the cloud generates one.

        A `preferred` name takes the place of the generated one. Raises ValueError if there can be none.
        """
        return inputs

    def autonamed(self, inputs: Mapping[str, Any]) -> bool:
        """Whether the physical name in `inputs` was generated by :meth:`named`."""
        return bool(unwrap(inputs.get(DEFAULTS_KEY)))

    def same_name(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether both inputs have the same physical name, so that the two resources cannot coexist."""
        return old.get("name") is not None and old.get("name") == new.get("name")

    def fixed(self, token: str) -> frozenset[diff.Pattern]:
        """Return the properties whose change replaces the resource, for a type without measured facts."""
        return frozenset()

    def replacing(self, token: str) -> frozenset[str]:
        """Return the top-level properties whose change replaces the resource."""
        if (mapped := mapped_type(token)) is not None:
            return replacing_names(mapped)
        return frozenset(one[0] for one in self.fixed(token) if len(one) == 1)

    def replaces(self, token: str, path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether the change at `path` needs a new resource."""
        if (mapped := mapped_type(token)) is not None:
            return forces_replacement(mapped, path, old, new) or replaces_on_condition(token, path, old, new)
        return diff.forces_replacement(path, old, new, self.fixed(token))

    def identify(self, urn: str, token: str, inputs: Mapping[str, Any]) -> str:
        """Return the id of a resource to be created; `inputs` are plain."""
        return fake_values.hexadecimal(32, self.seed(urn, token, inputs))

    def settled(self, token: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs that follow from `inputs` alone, which a preview can show.

        They are UNKNOWN where an input that they depend on is.
        """
        return {}

    def curated(self, token: str, id_: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return outputs with a specific format. `inputs` are plain, without unknown values.

        Derive values from `id_`, not from the URN: an alias can change the URN of an existing resource.
        """
        return {}

    def refuse_update(self, token: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
        """Return why the real cloud would refuse to change this resource in place; None if it would not."""
        return None

    def refuse_delete(self, token: str, inputs: Mapping[str, Any]) -> str | None:
        """Return why the real cloud would refuse to delete this resource; None if it would not."""
        return None

    # Helper methods.

    def seed(self, urn: str, token: str, inputs: Mapping[str, Any]) -> str:
        """Return the seed of generated values: the URN and the properties whose change replaces it.

        An asset or archive counts by the hash of its content, because the members of an archive arrive in
        another order from each engine.
        """
        fixed = self.replacing(token)
        held = {
            name: value
            for name, value in unwrap(dict(inputs)).items()
            if name in fixed and not contains_unknown(value)
        }
        return urn + json.dumps(held, sort_keys=True, default=_identity)

    def outputs(
        self,
        token: str,
        id_: str,
        inputs: Mapping[str, Any],
        *,
        preview: bool = False,
    ) -> dict[str, Any]:
        """Return the outputs of a resource. In a `preview`, values that the cloud assigns are UNKNOWN."""
        declared = self.declared(token)
        if declared is None:
            return dict(inputs)
        plain = unwrap(dict(inputs))
        settled, curated = self.settled(token, plain), self.curated(token, id_, _known(plain))
        if preview:
            return self._marked(declared, synthesis.preview(declared, inputs, curated, settled))
        place = self.place_of(plain)
        made = synthesis.synthesize(declared, inputs, curated | settled, f"{token}|{id_}", place)
        return self._marked(declared, made)

    def place_of(self, inputs: Mapping[str, Any]) -> Place:
        """Return the provider's project and location, overridden by the resource's own."""
        zone = _text(inputs.get("zone")) or self.place.zone
        region = _text(inputs.get("region")) or _text(inputs.get("location")) or self.place.region
        return Place(_text(inputs.get("project")) or self.place.project, region, zone)

    def _marked(self, declared: ResourceType, outputs: dict[str, Any]) -> dict[str, Any]:
        for name in declared.secret_outputs:
            if name in outputs and not isinstance(outputs[name], Secret):
                outputs[name] = Secret(outputs[name])
        mapped = mapped_type(declared.token)
        return mark_sensitive(mapped, outputs) if mapped else outputs

    def _encode(self, properties: Mapping[str, Any]) -> Any:
        return encode(properties if self.accepts_secrets else unwrap(dict(properties)))

    # The protocol: the plugin itself.

    def Handshake(self, request: Any, context: Any = None) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=False, supports_autonaming_configuration=True
        )

    def Attach(self, request: Any, context: Any = None) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any = None) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=sdk_version(self.package))

    def Cancel(self, request: Any, context: Any = None) -> empty_pb2.Empty:
        if self.machine is not None:
            self.machine.cancel()
        return empty_pb2.Empty()

    # The protocol: configuration.

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: Any = None
    ) -> provider_pb2.CheckResponse:
        inputs = decode(request.news)
        return _checked(inputs, self.config_problems(inputs))

    def config_problems(self, inputs: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield problems of a provider's configuration. Values that are not text may be JSON text."""
        declared = provider_type(self.package)
        if declared is None:
            return
        fields = declared.inputs.fields
        opened = {
            name: _parsed(value) if name in fields and fields[name].type != Scalar("string") else value
            for name, value in inputs.items()
            if name not in _PROVIDER_BOOKKEEPING
        }
        yield from check_object(declared.inputs, opened, self.rules)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Any = None) -> provider_pb2.DiffResponse:
        old = _old_inputs(request, request.olds)
        new = decode(request.news)
        changes = diff.changed(old, new, request.ignoreChanges)
        replacing = [path for path in changes if self.config_replaces(path, old, new)]
        return diff.diff_response(changes, replacing, delete_first=False, stable=())

    def config_replaces(self, path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Return whether a changed configuration means another cloud, so that all resources are replaced."""
        return False

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: Any = None
    ) -> provider_pb2.ConfigureResponse:
        values = unwrap(decode(request.args))
        for key, value in request.variables.items():  # the older form: "gcp:config:project"
            values.setdefault(key.rsplit(":", 1)[-1], value)
        self.accepts_secrets = request.acceptSecrets
        self.place = Place(
            _text(values.get("project")), _text(values.get("region")), _text(values.get("zone"))
        )
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True,
            supportsPreview=True,
            acceptResources=False,
            supports_autonaming_configuration=True,
        )

    # The protocol: resources.

    def Check(self, request: provider_pb2.CheckRequest, context: Any = None) -> provider_pb2.CheckResponse:
        token = request.type or type_of(request.urn)
        inputs, olds = decode(request.news), decode(request.olds)
        found = [*self.type_problems(token, inputs), *self.problems(token, inputs)]
        reported = {one.path for one in found}
        found += [one for one in self.provider_problems(token, inputs) if one.path not in reported]
        found = found or list(self.plan_problems(token, inputs, olds))
        if not found:
            if self.rules.coerces and (declared := self.declared(token)) is not None:
                inputs = coerce(declared.inputs, inputs)
            try:
                inputs = self.named(request.urn, token, inputs, olds, Preference.of(request))
            except ValueError as error:
                found = [problem((), str(error))]
        return _checked(inputs, found)

    def Warnings(self, request: provider_pb2.CheckRequest, context: Any = None) -> list[Problem]:
        """Return deprecated properties, labels that the API would refuse, and changes that it may refuse.

        Not a method of Pulumi's protocol: the engine reports these problems as warnings.
        """
        token = request.type or type_of(request.urn)
        mapped = mapped_type(token)
        if mapped is None:
            return []
        provider = facts.source(self.package).provider.split()[0]
        inputs = decode(request.news)
        labels = refused_labels(mapped, inputs, facts.api(self.package))
        changes = refused_changes_by_api(
            token, inputs, decode(request.olds), facts.api(self.package), certain=False
        )
        return [*deprecated(mapped, inputs, provider), *labels, *changes]

    def Diff(self, request: provider_pb2.DiffRequest, context: Any = None) -> provider_pb2.DiffResponse:
        token = request.type or type_of(request.urn)
        old, new = _old_inputs(request, request.olds), decode(request.news)
        changes = diff.changed(old, new, request.ignoreChanges)
        if IMPORTED_KEY in old:  # the former inputs are unknown: they count as equal to the declared ones
            return diff.diff_response(changes, (), delete_first=False, stable=())
        if (mapped := mapped_type(token)) is not None:
            changes = {
                path: change
                for path, change in changes.items()
                if not (is_default(mapped, path, old, new) or is_same_value(token, path, old, new))
            }
        replacing = [path for path in changes if self.replaces(token, path, old, new)]
        # Two resources with the same fixed name or id cannot coexist: delete the old one first.
        plain = _known(unwrap(new))
        delete_first = not self.autonamed(new) and (
            self.same_name(unwrap(old), plain) or self.identify(request.urn, token, plain) == request.id
        )
        stable = self.replacing(token)
        return diff.diff_response(changes, replacing, delete_first=delete_first, stable=stable)

    def Create(self, request: provider_pb2.CreateRequest, context: Any = None) -> provider_pb2.CreateResponse:
        token, inputs = request.type or type_of(request.urn), decode(request.properties)
        if request.preview:
            outputs = self.outputs(token, "", inputs, preview=True)
            return provider_pb2.CreateResponse(properties=self._encode(outputs))
        id_ = self.identify(request.urn, token, unwrap(inputs))
        outputs = self.outputs(token, id_, inputs)
        outputs |= self._emulate(request.urn, token, id_, inputs, outputs, request.timeout)
        return provider_pb2.CreateResponse(id=id_, properties=self._encode(outputs))

    def Update(self, request: provider_pb2.UpdateRequest, context: Any = None) -> provider_pb2.UpdateResponse:
        token, inputs, olds = (
            request.type or type_of(request.urn),
            decode(request.news),
            decode(request.olds),
        )
        before = decode(request.old_inputs) or olds
        if IMPORTED_KEY not in before and (reason := self.refuse_update(token, before, inputs)) is not None:
            raise ProviderError(grpc.StatusCode.INVALID_ARGUMENT, reason)
        if request.preview and contains_unknown(inputs):
            known = self.outputs(token, request.id, inputs, preview=True)
            # Computed values stay: an update in place keeps ids, addresses and names.
            outputs = {
                name: olds.get(name, value) if value is UNKNOWN and name not in inputs else value
                for name, value in known.items()
            }
        else:
            outputs = self.outputs(token, request.id, inputs)
        if self._is_emulated(token):
            outputs |= self._real_outputs(token, olds)
        if not request.preview:
            outputs |= self._emulate(request.urn, token, request.id, inputs, outputs, request.timeout)
        return provider_pb2.UpdateResponse(properties=self._encode(outputs))

    def Read(self, request: provider_pb2.ReadRequest, context: Any = None) -> provider_pb2.ReadResponse:
        token = request.type or type_of(request.urn)
        state, inputs = decode(request.properties), decode(request.inputs)
        # The CLI records unknown outputs after an update with targets.
        unknown = [name for name, value in state.items() if contains_unknown(value)]
        state = {name: value for name, value in state.items() if name not in unknown}
        if self._is_emulated(token) and self.machine is not None:
            real = self.machine.read(request.urn, token, request.id)
            if real is None:
                return provider_pb2.ReadResponse()  # an empty id: the resource is deleted
            state |= self.as_declared(token, real)
        # An import, or `Type.get(name, id)`: the id and the requested properties are known. A refresh has the
        # field for inputs, also of a resource without any.
        elif not state or not request.HasField("inputs"):
            importing = not inputs and not state
            inputs = inputs or self.imported(token, request.id, state)
            state = self.outputs(token, request.id, inputs) | state
            for name in self.always_present(token):
                state.setdefault(name, {})
            if importing:
                inputs |= {IMPORTED_KEY: True}
        if unknown:
            outputs = self.outputs(token, request.id, inputs)
            state |= {
                name: outputs[name]
                for name in unknown
                if name in outputs and not contains_unknown(outputs[name])
            }
        return provider_pb2.ReadResponse(
            id=request.id, properties=self._encode(state), inputs=self._encode(inputs)
        )

    def always_present(self, token: str) -> Collection[str]:
        """Return the outputs of a type that are objects in every existing resource.

        `Read` returns an empty object for one whose value is not known.
        """
        return ()

    def imported(self, token: str, id_: str, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs of an imported resource, as far as they follow from its id and `state`."""
        declared = self.declared(token)
        names = declared.inputs.fields if declared else {}
        return {name: value for name, value in state.items() if name in names}

    def Delete(self, request: provider_pb2.DeleteRequest, context: Any = None) -> empty_pb2.Empty:
        token = request.type or type_of(request.urn)
        inputs = unwrap(_old_inputs(request, request.properties))
        if (reason := self.refuse_delete(token, inputs)) is not None:
            raise ProviderError(grpc.StatusCode.FAILED_PRECONDITION, reason)
        if self._is_emulated(token) and self.machine is not None:
            try:
                self.machine.delete(request.urn, token, request.id)
            except Exception as error:
                raise _refused(error) from error
        return empty_pb2.Empty()

    # The protocol: functions.

    def Invoke(self, request: provider_pb2.InvokeRequest, context: Any = None) -> provider_pb2.InvokeResponse:
        function = self.functions.get(request.tok)
        args = decode(request.args)
        if contains_unknown(args):
            return _returned(encode({}))
        if function is not None:
            return _returned(self._encode(function(unwrap(args), self.place)))
        declared = declared_function(request.tok) if package_of(request.tok) == self.package else None
        if declared is None:
            raise ProviderError(
                grpc.StatusCode.UNIMPLEMENTED,
                f'the installed SDK of {self.package} has no function "{request.tok}"',
            )
        plain = unwrap(args)
        failures = [
            provider_pb2.CheckFailure(property=one.path, reason=one.reason)
            for one in sorted(set(declared.problems(plain, self.rules)))
        ]
        if failures:
            return provider_pb2.InvokeResponse(failures=failures)
        return _returned(self._encode(declared.returns(plain, self.place, preview=request.preview)))

    def models_function(self, token: str) -> bool:
        """Whether a function has a model; the result of any other is generated from its declared type."""
        return token in self.functions

    # Resources that run on this host.

    def _is_emulated(self, token: str) -> bool:
        return self.machine is not None and token in self.machine.EMULATED_TYPES

    def _emulate(
        self,
        urn: str,
        token: str,
        id_: str,
        inputs: dict[str, Any],
        outputs: dict[str, Any],
        timeout: float,
    ) -> dict[str, Any]:
        if self.machine is None or not self._is_emulated(token):
            return {}
        plain = {name: value for name, value in unwrap(inputs).items() if name != DEFAULTS_KEY}
        try:
            real = self.machine.apply(urn, token, id_, plain, timeout=timeout or _DEFAULT_TIMEOUT)
        except Exception as error:
            reasons = getattr(error, "reasons", None)
            if reasons is None:
                raise
            raise InitFailedError(id_, outputs, inputs, [str(reason) for reason in reasons]) from error
        return self.as_declared(token, real)

    def _real_outputs(self, token: str, olds: Mapping[str, Any]) -> dict[str, Any]:
        """Return the old outputs that only the machine can provide."""
        declared = self.declared(token)
        if declared is None:
            return {}
        computed = declared.outputs.keys() - declared.inputs.fields.keys()
        return {name: value for name, value in olds.items() if name in computed}

    def as_declared(self, token: str, outputs: dict[str, Any]) -> dict[str, Any]:
        declared = self.declared(token)
        return self._marked(declared, dict(outputs)) if declared else dict(outputs)


def type_of(urn: str) -> str:
    """Return the type token in a URN without its parents.

    ``urn:pulumi:stack::project::a$b::name`` gives ``b``.
    """
    return urn.split("::", 3)[2].rsplit("$", 1)[-1]


def name_of(urn: str) -> str:
    """Return the logical name in a URN; it may contain ``::``."""
    return urn.split("::", 3)[3]


def sdk_version(package: str) -> str:
    """Return the version of the installed SDK, which is that of its provider."""
    return version(f"pulumi-{package}")


def _checked(inputs: Mapping[str, Any], problems: Iterable[Problem]) -> provider_pb2.CheckResponse:
    failures = [
        provider_pb2.CheckFailure(property=one.path, reason=one.reason) for one in sorted(set(problems))
    ]
    return provider_pb2.CheckResponse(inputs=encode(inputs), failures=failures)


def _returned(struct: struct_pb2.Struct) -> provider_pb2.InvokeResponse:
    response = provider_pb2.InvokeResponse()
    getattr(response, "return").CopyFrom(struct)  # the field's name is a keyword
    return response


def _refused(error: Exception) -> Exception:
    reasons = getattr(error, "reasons", None)
    if reasons is None:
        return error
    return ProviderError(grpc.StatusCode.UNKNOWN, "; ".join(map(str, reasons)))


def _parsed(value: Any) -> Any:
    if not isinstance(value, str) or value is UNKNOWN:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _identity(value: Any) -> str:
    """Return the hash of an asset or archive that has one, and the text of any other value."""
    return value.hash or str(value) if isinstance(value, Asset) else str(value)


def _old_inputs(request: Any, outputs: struct_pb2.Struct) -> dict[str, Any]:
    """Return the former inputs, also if there are none; the outputs of an engine that does not send them."""
    return decode(request.old_inputs if request.HasField("old_inputs") else outputs)


def _known(value: Any) -> Any:
    match value:
        case dict():
            return {name: _known(item) for name, item in value.items() if item is not UNKNOWN}
        case list():
            return [_known(item) for item in value if item is not UNKNOWN]
        case _:
            return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
