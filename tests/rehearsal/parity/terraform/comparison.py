"""Compare errors and replacements of the simulated providers with those of a Terraform provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rehearsal.providers.constraints.names import Attribute, MappedType, mapped_type, object_in
from rehearsal.providers.schema import ObjectType, resource_type
from rehearsal.pulumi.properties import UNKNOWN, Secret
from tests.rehearsal.parity.terraform.plugin import EndedError, Finding, TerraformProvider
from tests.rehearsal.parity.terraform.values import Block, UnmappedError, empty, terraform_config
from tests.rehearsal.providers.calls import Calls, urn

# How each provider is configured without credentials of a user. Calls to an API would be refused.
CONFIGURATION: Final[Mapping[str, Mapping[str, Any]]] = {
    "gcp": {
        "project": "kingdom-test",
        "region": "europe-west1",
        "zone": "europe-west1-b",
        "access_token": "none",
    },
    "cloudflare": {"api_token": "0" * 40, "base_url": "http://127.0.0.1:9"},
    "mongodbatlas": {"public_key": "none", "private_key": "none", "base_url": "http://127.0.0.1:9/"},
}
# Errors of a plan that need the API: the provider cannot decide without it.
_NETWORK: Final = ("connection refused", "proxyconnect", "dial tcp", "no such host")
# Reasons of the rehearsal for which neither the provider's validation nor its plan refuses a resource.
_NOT_PLANNED: Final = ("API validates this)", "refuses to create this)")


@dataclass(frozen=True)
class Difference:
    """A case in which one of the two refuses or replaces and the other does not."""

    token: str
    case: str
    rehearsal: str
    provider: str

    def __str__(self) -> str:
        return f"{self.token} {self.case}\n  rehearsal: {self.rehearsal}\n  provider:  {self.provider}"


class Comparison:
    """A configured Terraform provider and the simulated provider of the same package."""

    def __init__(self, package: str, provider: TerraformProvider) -> None:
        self.package, self.provider = package, provider
        self.rehearsal = Calls.of(package)
        self.configuration_errors = provider.configure(CONFIGURATION[package])

    def covers(self, token: str) -> bool:
        """Return whether both providers have the type."""
        mapped = mapped_type(token)
        return mapped is not None and mapped.resource.name in self.provider.schemas

    def config(self, token: str, inputs: Mapping[str, Any]) -> tuple[MappedType, Block, dict[str, Any]]:
        """Return the Terraform configuration of a resource. Raises UnmappedError.

        It lacks properties that the SDK declares and the facts lack: they are newer than the provider.
        """
        mapped, declared = mapped_type(token), resource_type(token)
        assert mapped is not None
        assert declared is not None
        block = self.provider.block(mapped.resource.name)
        known = without_newer(declared.inputs, mapped.attributes, inputs)
        return mapped, block, terraform_config(block, mapped, known)

    def refusals(self, token: str, inputs: Mapping[str, Any]) -> list[Finding]:
        """Return the errors of the provider for a new resource, from its validation or its plan."""
        mapped, _, config = self.config(token, inputs)
        name = mapped.resource.name
        found = self.provider.validate(name, config)
        if not found and not self.configuration_errors:
            found = [one for one in self.provider.plan(name, None, config).errors if not _needs_network(one)]
        return found

    def results(self, token: str, inputs: dict[str, Any]) -> tuple[dict[str, str], list[Finding]]:
        """Return the failures of the rehearsal for `inputs`, and the errors of the provider.

        Raises EndedError.
        """
        checked = self.rehearsal.check(urn(token), inputs)
        try:
            theirs = self.refusals(token, checked.inputs or inputs)  # with the name that the bridge fills in
        except UnmappedError as error:
            theirs = [Finding((), f"unsupported argument {error}")]
        return checked.failures, theirs

    def validation(
        self, token: str, case: str, inputs: dict[str, Any], declared: dict[str, Any] | None = None
    ) -> Difference | None:
        """Compare whether both providers refuse `inputs`, a mutation of the valid inputs `declared`.

        None where the provider ends instead of a result.
        """
        try:
            ours, theirs = self.results(token, inputs)
        except EndedError:
            return None
        if not theirs:
            ours = planned_only(ours)
        if bool(theirs) == bool(ours):
            return None
        if ours and self.refused_when_known(token, declared or inputs, inputs):
            return None
        text = "; ".join(f"{'.'.join(map(str, one.path))} {one.text}" for one in theirs)
        return Difference(token, case, str(ours) if ours else "accepts", text[:400] or "accepts")

    def refused_when_known(self, token: str, declared: dict[str, Any], inputs: dict[str, Any]) -> bool:
        """Return whether the provider refuses `inputs` when unknown values are replaced by known ones.

        The SDK of older providers does not validate blocks with unknown values until the update. Errors about
        the replacement values do not count, because they occur for `declared` too.
        """
        found: list[set[Finding]] = []
        for case in (declared, inputs):
            mapped, block, config = self.config(token, case)
            found.append(set(self.provider.validate(mapped.resource.name, settled(block, config))))
        return bool(found[1] - found[0])

    def replacement(
        self, token: str, case: str, old: dict[str, Any], new: dict[str, Any]
    ) -> Difference | None:
        """Compare whether a change needs a new resource; None where both agree or the plan fails."""
        try:
            mapped, block, before = self.config(token, old)
            _, _, after = self.config(token, new)
        except UnmappedError:
            return None
        name = mapped.resource.name
        created = self.provider.plan(name, None, before)
        if created.errors or self.provider.validate(name, after):
            return None
        state = settled(block, created.state)
        planned = self.provider.plan(name, state, after, created.private)
        if planned.errors:
            return None
        theirs = sorted({str(path[0]) for path in planned.replaces})
        ours = sorted(self.rehearsal.diff(urn(token), old, new).replaces)
        if bool(theirs) == bool(ours):
            return None
        return Difference(token, case, f"replaces for {ours}", f"replaces for {theirs}")

    def defaults(self, token: str, inputs: dict[str, Any]) -> Iterator[Difference]:
        """Yield top-level attributes for which the provider plans another default than the facts state."""
        mapped, _, config = self.config(token, inputs)
        planned = self.provider.plan(mapped.resource.name, None, config)
        if planned.errors or not isinstance(planned.state, dict):
            return
        for attribute in mapped.attributes.values():
            default = attribute.facts.get("default")
            value = planned.state.get(attribute.path)
            if config.get(attribute.path) is None and default is not None and not _same(default, value):
                yield Difference(token, attribute.path, f"default {default!r}", f"plans {value!r}")


def planned_only(failures: Mapping[str, str]) -> dict[str, str]:
    """The failures for which the provider refuses a plan, without those of the API and of creations."""
    return {path: reason for path, reason in failures.items() if not reason.endswith(_NOT_PLANNED)}


def without_newer(declared: ObjectType, attributes: Mapping[str, Attribute], values: Any) -> Any:
    """`values` without properties, at any depth, that the SDK declares and the facts do not have."""
    if isinstance(values, list):
        return [without_newer(declared, attributes, item) for item in values]
    if not isinstance(values, Mapping):
        return values
    found = dict[str, Any]()
    for name, value in values.items():
        field, attribute = declared.fields.get(name), attributes.get(name)
        if field is not None and attribute is None:
            continue
        inner = object_in(field.type) if field and attribute and attribute.children else None
        found[name] = without_newer(inner, attribute.children, value) if inner and attribute else value
    return found


def settled(block: Block, state: Any) -> Any:
    """Return a planned state with values in place of those that the API assigns at creation."""
    if not isinstance(state, dict):
        return state
    return {name: _settled(field, state.get(name)) for name, field in block.fields.items()}


def opened(value: Any) -> Any:
    """Return `value` without secret wrappers."""
    match value:
        case Secret(element):
            return opened(element)
        case dict():
            return {key: opened(item) for key, item in value.items()}
        case list():
            return [opened(item) for item in value]
        case _:
            return value


def _settled(field: Any, value: Any) -> Any:
    if value is UNKNOWN:
        match field.type:
            case "string":
                return "assigned"
            case "number":
                return 1
            case "bool":
                return False
            case ["list" | "set", *_]:
                return list[Any]()  # null would be planned as a change
            case ["map", *_]:
                return dict[str, Any]()
            case _:
                return empty(field)
    if isinstance(value, list):
        return [_settled_item(field, item) for item in value]
    return _settled_item(field, value)


def _settled_item(field: Any, value: Any) -> Any:
    if value is UNKNOWN:
        return "assigned"
    if field.fields is not None and isinstance(value, dict):
        return settled(field.fields, value)
    if isinstance(value, dict):
        return {key: "assigned" if item is UNKNOWN else item for key, item in value.items()}
    return value


def _same(default: Any, value: Any) -> bool:
    return (
        value is UNKNOWN
        or value is None
        or str(default).lower() == str(value).lower()
        or (isinstance(value, (int, float)) and float(value) == float(default))
    )


def _needs_network(found: Finding) -> bool:
    return any(word in found.text for word in _NETWORK)
