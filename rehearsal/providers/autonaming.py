"""Physical names for resources that are given none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.providers import fake_values
from rehearsal.providers.base import Cloud, name_of
from rehearsal.providers.schema import Scalar
from rehearsal.providers.validation import DEFAULTS_KEY


def autoname(
    cloud: Cloud, urn: str, token: str, inputs: dict[str, Any], olds: Mapping[str, Any]
) -> dict[str, Any]:
    """`inputs` with a `name` where the SDK leaves it optional and none is given.

    The Terraform bridge adds seven random hexadecimal digits to the logical name (`pkg/tfbridge/names.go`)
    and notes the property in `__defaults`. Here the digits come from what makes this incarnation of the
    resource differ from the next, so that both engines agree and a replacement gets another name.
    """
    declared = cloud.declared(token)
    field = declared.inputs.fields.get("name") if declared else None
    output = declared.outputs.get("name") if declared else None
    if (
        field is None
        or output is None
        or field.required
        or output.optional
        or field.type != Scalar("string")
        or inputs.get("name") is not None
    ):
        return inputs
    if "name" in (olds.get(DEFAULTS_KEY) or []) and isinstance(olds.get("name"), str):
        name = olds["name"]
    else:
        name = f"{name_of(urn)}-{fake_values.hexadecimal(7, cloud.seed(urn, token, inputs))}"
    return {**inputs, "name": name, DEFAULTS_KEY: ["name"]}
