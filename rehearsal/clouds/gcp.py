"""Google Cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.clouds import difference, plausible
from rehearsal.clouds.provider import Cloud, name_of
from rehearsal.clouds.schema import Scalar
from rehearsal.clouds.validate import DEFAULTS_KEY
from rehearsal.properties import UNKNOWN

_FIXED = difference.patterns("name", "location", "project", "region", "zone")


class Google(Cloud):
    package: ClassVar[str] = "gcp"

    def fixed(self, token: str) -> frozenset[difference.Pattern]:
        return _FIXED

    def named(self, urn: str, token: str, inputs: dict[str, Any], olds: Mapping[str, Any]) -> dict[str, Any]:
        return autoname(self, urn, token, inputs, olds)

    def same_name(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        return old.get("name") == new.get("name")

    def identify(self, urn: str, token: str, inputs: Mapping[str, Any]) -> str:
        place = self.place_of(inputs)
        name = inputs.get("name") or plausible.hexadecimal(12, self.seed(urn, token, inputs))
        return f"projects/{place.project}/locations/{place.region}/{name}"


def autoname(
    cloud: Cloud, urn: str, token: str, inputs: dict[str, Any], olds: Mapping[str, Any]
) -> dict[str, Any]:
    """A `name` where the SDK leaves it optional and none is given: the logical name and seven hex digits.

    The Terraform bridge does the same with random digits (`pkg/tfbridge/names.go`) and notes the property in
    `__defaults`; here they come from what makes this incarnation of the resource differ from the next.
    """
    declared = cloud.declared(token)
    field = declared.inputs.fields.get("name") if declared else None
    if field is None or field.required or field.type != Scalar("string") or inputs.get("name") is not None:
        return inputs
    assert declared is not None
    if (output := declared.outputs.get("name")) is None or output.optional:
        return inputs
    if "name" in (olds.get(DEFAULTS_KEY) or []) and olds.get("name") not in (None, UNKNOWN):
        name = olds["name"]
    else:
        name = f"{name_of(urn)}-{plausible.hexadecimal(7, cloud.seed(urn, token, inputs))}"
    return {**inputs, "name": name, DEFAULTS_KEY: ["name"]}
