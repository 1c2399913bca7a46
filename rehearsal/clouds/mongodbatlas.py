"""MongoDB Atlas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.clouds import difference, plausible
from rehearsal.clouds.naming import autoname
from rehearsal.clouds.provider import Cloud

_FIXED = difference.patterns("name", "projectId", "orgId")


class Atlas(Cloud):
    package: ClassVar[str] = "mongodbatlas"

    def fixed(self, token: str) -> frozenset[difference.Pattern]:
        return _FIXED

    def named(self, urn: str, token: str, inputs: dict[str, Any], olds: Mapping[str, Any]) -> dict[str, Any]:
        return autoname(self, urn, token, inputs, olds)

    def identify(self, urn: str, token: str, inputs: Mapping[str, Any]) -> str:
        return plausible.hexadecimal(24, self.seed(urn, token, inputs))
