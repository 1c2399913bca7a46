"""Definitions of custom resources: as JSON Schemas that refuse unknown fields, and as objects to install."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("definitions.yaml")
METADATA = {
    "type": "object",
    "required": ["name", "namespace"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"},
        "namespace": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


@dataclass(frozen=True)
class Definition:
    """A namespaced kind and the structural schema of its `spec`."""

    group: str
    version: str
    kind: str
    plural: str
    spec: Mapping[str, Any]

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}"

    @property
    def name(self) -> str:
        return f"{self.plural}.{self.group}"

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a whole object."""
        return {
            "type": "object",
            "required": ["apiVersion", "kind", "metadata", "spec"],
            "additionalProperties": False,
            "properties": {
                "apiVersion": {"const": self.api_version},
                "kind": {"const": self.kind},
                "metadata": METADATA,
                "spec": strict(self.spec),
            },
        }

    def manifest(self) -> dict[str, Any]:
        """The CustomResourceDefinition that registers this kind at an API server."""
        spec = {"type": "object", "properties": {"spec": self.spec}, "required": ["spec"]}
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.name},
            "spec": {
                "group": self.group,
                "scope": "Namespaced",
                "names": {"kind": self.kind, "plural": self.plural, "singular": self.kind.lower()},
                "versions": [
                    {
                        "name": self.version,
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": spec},
                    }
                ],
            },
        }


@cache
def definitions() -> dict[tuple[str, str], Definition]:
    """Every definition by API version and kind."""
    found = [Definition(**item) for item in yaml.safe_load(FILE.read_text())["definitions"]]
    return {(item.api_version, item.kind): item for item in found}


def strict(schema: Any) -> Any:
    """A structural schema as JSON Schema: an object has the properties listed for it and no others."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {name: strict(item) for name, item in value.items()}
        elif key == "x-kubernetes-int-or-string":
            out["type"] = ["integer", "string"]
        else:
            out[key] = strict(value)
    if "properties" in schema and "additionalProperties" not in schema:
        out["additionalProperties"] = False
    return out
