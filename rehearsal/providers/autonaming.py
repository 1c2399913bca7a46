"""Physical names of resources that declare none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulumi.runtime.proto import provider_pb2

from rehearsal.providers import fake_values
from rehearsal.providers.schema import Scalar
from rehearsal.providers.validation import DEFAULTS_KEY
from rehearsal.pulumi.urn import name_of

if TYPE_CHECKING:
    from rehearsal.providers.base import Cloud


@dataclass(frozen=True)
class Preference:
    """Name that the engine proposes by ``pulumi:autonaming``, or that none may be generated."""

    name: str = ""
    enforced: bool = False
    disabled: bool = False

    @classmethod
    def of(cls, request: provider_pb2.CheckRequest) -> Preference | None:
        """Return the preference of a Check request; None if it has none."""
        if not request.HasField("autonaming"):
            return None
        options, modes = request.autonaming, provider_pb2.CheckRequest.AutonamingOptions
        return cls(options.proposed_name, options.mode == modes.ENFORCE, options.mode == modes.DISABLE)

    def within(self, max_length: int | None) -> str:
        """Return the name. Raises ValueError if it is longer and not enforced, or if there must be none."""
        if self.disabled:
            raise ValueError("automatic naming is disabled but no explicit name was provided")
        if not self.enforced and max_length is not None and len(self.name) > max_length:
            raise ValueError(f"calculated name '{self.name}' exceeds maximum length of {max_length}")
        return self.name


def autoname(
    cloud: Cloud,
    urn: str,
    token: str,
    inputs: dict[str, Any],
    olds: Mapping[str, Any],
    property_: str = "name",
    max_length: int | None = None,
    preferred: Preference | None = None,
) -> dict[str, Any]:
    """Return `inputs` with a name in `property_` if the SDK permits its absence and none is given.

    The Terraform bridge adds seven random hexadecimal digits to the logical name, which it truncates at
    `max_length` (`pkg/tfbridge/names.go`), and records the property in `__defaults`. Here the digits are
    derived from the properties whose change replaces the resource, so that both engines agree and a
    replacement gets another name. A `preferred` name is taken instead (`ComputeAutoNameDefault` in
    `pkg/tfbridge/info/autonaming.go`). Raises ValueError if there can be none.
    """
    declared = cloud.declared(token)
    field = declared.inputs.fields.get(property_) if declared else None
    output = declared.outputs.get(property_) if declared else None
    if (
        field is None
        or output is None
        or field.required
        or output.optional
        or field.type != Scalar("string")
        or inputs.get(property_) is not None
    ):
        return inputs
    if property_ in (olds.get(DEFAULTS_KEY) or []) and isinstance(olds.get(property_), str):
        name = olds[property_]
    elif preferred is not None:
        name = preferred.within(max_length)
    else:
        start = name_of(urn)[: max_length - 8 if max_length else None]
        name = f"{start}-{fake_values.hexadecimal(7, cloud.seed(urn, token, inputs))}"
    return {**inputs, property_: name, DEFAULTS_KEY: [property_]}
