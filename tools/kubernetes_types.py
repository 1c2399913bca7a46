"""Write the index of the Kubernetes SDK's input types, which `kingdom check` reads instead of the SDK.

Run it after an update of pulumi-kubernetes: ``python -m tools.kubernetes_types``.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any, Final

import pulumi

from rehearsal.providers.kubernetes.declared_types import INDEX, SDK
from rehearsal.providers.schema import Choice, ListOf, MapOf, ObjectType, OneOf, Scalar, Type, resource_type

_MODULE: Final = "pulumi_kubernetes"


def tokens() -> Iterator[str]:
    """The type tokens of all kinds that the installed SDK declares."""
    sdk = importlib.import_module(_MODULE)
    for module in pkgutil.walk_packages(sdk.__path__, f"{_MODULE}."):
        if not module.ispkg:
            continue
        holder = importlib.import_module(module.name)
        for name in dir(holder):
            cls = getattr(holder, name)
            token = getattr(cls, "pulumi_type", None)
            # A Patch resource is the SDK's own way to change an object; the API server has no such kind.
            declared = isinstance(cls, type) and issubclass(cls, pulumi.CustomResource)
            if declared and isinstance(token, str) and not name.endswith("Patch"):
                yield token


def index_of(names: Iterable[str]) -> dict[str, Any]:
    """The index of the kinds with these type tokens, from the installed SDK."""
    objects: dict[str, Any] = {}
    kinds = {}
    for token in sorted(set(names)):
        declared = resource_type(token)
        if declared is not None and token.startswith("kubernetes:"):
            kinds[token] = _encoded_object(declared.inputs, objects)
    return {"version": version(SDK), "kinds": kinds, "objects": dict(sorted(objects.items()))}


def _encoded_object(declared: ObjectType, objects: dict[str, Any]) -> str:
    module = declared.cls.__module__.removeprefix(f"{_MODULE}.").removesuffix("._inputs")
    reference = f"{module}:{declared.name}"
    if reference not in objects:
        fields: dict[str, Any] = {}
        objects[reference] = fields  # before its fields, which may contain it
        for name, field in declared.fields.items():
            fields[name] = [_encoded(field.type, objects), int(field.required), *field.closed_set]
    return reference


def _encoded(declared: Type, objects: dict[str, Any]) -> Any:
    match declared:
        case Scalar(kind):
            return kind
        case ListOf(element):
            return ["list", _encoded(element, objects)]
        case MapOf(element):
            return ["map", _encoded(element, objects)]
        case Choice(values):
            return ["choice", *values]
        case ObjectType():
            return ["object", _encoded_object(declared, objects)]
        case OneOf(options):
            return ["one-of", *(_encoded(option, objects) for option in options)]


def text_of(index: dict[str, Any]) -> str:
    """The text of the file: one line for each kind and object, so that a new SDK gives a short diff."""
    blocks = []
    for key in ("kinds", "objects"):
        lines = (
            f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}"
            for name, value in index[key].items()
        )
        blocks.append(f'"{key}": {{\n' + ",\n".join(lines) + "\n}")
    return f'{{"version": "{index["version"]}",\n' + ",\n".join(blocks) + "}\n"


if __name__ == "__main__":
    INDEX.write_text(text_of(index_of(tokens())), encoding="utf-8")
