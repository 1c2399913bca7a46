"""Read the examples in the documentation of the SDKs' resource classes as inputs of resources.

Examples are parsed, not run. An expression that is not a literal, such as a reference to another resource,
becomes an unknown value, as in a preview.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from rehearsal.providers.schema import (
    ListOf,
    MapOf,
    ObjectType,
    OneOf,
    Type,
    declared_properties,
    resource_type,
)
from rehearsal.pulumi.properties import UNKNOWN

_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
_OPTIONS = frozenset({"opts", "resource_name"})


def examples(token: str) -> Iterator[dict[str, Any]]:
    """Yield the inputs of every declaration of a type in its own documentation."""
    declared = resource_type(token)
    if declared is None:
        return
    name = declared.cls.__name__
    source = inspect.getsource(declared.cls)  # the docstring of an overload is not available at run time
    for block in dict.fromkeys(_BLOCK.findall(source)):
        try:
            tree = ast.parse(textwrap.dedent(block))
        except SyntaxError:
            continue  # the documentation abbreviates this example
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _is_class(node.func, token, name):
                yield _arguments(declared.inputs, node)


def _is_class(function: ast.expr, token: str, name: str) -> bool:
    package, module, _ = token.split(":")
    parts = ast.unparse(function).split(".")
    folder = module.partition("/")[0]
    expected = [package, name] if folder == "index" else [package, folder, name]
    return parts == expected


def _arguments(declared: ObjectType, call: ast.Call) -> dict[str, Any]:
    names = {python: name for python, name, _ in declared_properties(declared.cls)}
    inputs: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg in _OPTIONS:
            continue
        name = names.get(keyword.arg, keyword.arg)
        field = declared.fields.get(name)
        inputs[name] = _value(field.type if field else None, keyword.value)
    return inputs


def _value(declared: Type | None, node: ast.expr) -> Any:
    match node:
        case ast.Constant(value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value)) if isinstance(value, (int, float)):
            return -value
        case ast.List(elements):
            element = declared.element if isinstance(declared, ListOf) else None
            return [_value(element, item) for item in elements]
        case ast.Dict(keys, values):
            return {
                name: _value(inner, value)
                for key, value in zip(keys, values, strict=True)
                if isinstance(key, ast.Constant)
                for name, inner in [_named(declared, str(key.value))]
            }
        case _:
            return UNKNOWN


def _named(declared: Type | None, key: str) -> tuple[str, Type | None]:
    """Return the Pulumi name of a key in an object, and the type of its value."""
    held = _object(declared)
    if held is None:
        return key, declared.element if isinstance(declared, MapOf) else None
    names: Mapping[str, str] = {python: name for python, name, _ in declared_properties(held.cls)}
    name = names.get(key, key)
    field = held.fields.get(name)
    return name, field.type if field else None


def _object(declared: Type | None) -> ObjectType | None:
    if isinstance(declared, OneOf):
        return next((found for option in declared.options if (found := _object(option)) is not None), None)
    return declared if isinstance(declared, ObjectType) else None
