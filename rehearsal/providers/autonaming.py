"""Physical names of resources that declare none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.providers import fake_values
from rehearsal.providers.base import Cloud, name_of
from rehearsal.providers.schema import Scalar
from rehearsal.providers.validation import DEFAULTS_KEY


def autoname(
    cloud: Cloud,
    urn: str,
    token: str,
    inputs: dict[str, Any],
    olds: Mapping[str, Any],
    property_: str = "name",
    max_length: int | None = None,
) -> dict[str, Any]:
    """Return `inputs` with a name in `property_` if the SDK permits its absence and none is given.

    The Terraform bridge adds seven random hexadecimal digits to the logical name, which it truncates at
    `max_length` (`pkg/tfbridge/names.go`), and records the property in `__defaults`. Here the digits are
    derived from the properties whose change replaces the resource, so that both engines agree and a
    replacement gets another name.
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
    else:
        start = name_of(urn)[: max_length - 8 if max_length else None]
        name = f"{start}-{fake_values.hexadecimal(7, cloud.seed(urn, token, inputs))}"
    return {**inputs, property_: name, DEFAULTS_KEY: [property_]}
