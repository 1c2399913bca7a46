"""Imports the SDKs of a program without running it, so that several runs can share them.

Imports take most of the time of a preview. The modules that a program needs are read from its source: from
``from pulumi_gcp import compute`` and, for ``import pulumi_gcp as gcp``, from every use of ``gcp.compute``.
Modules that this misses are imported later by the program itself.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from rehearsal.errors import InputError
from rehearsal.pulumi.program_files import program_files


def warm(main: Path, between: Callable[[], None] = lambda: None) -> list[type]:
    """Import the SDK modules that the program in the folder `main` names; return the classes that it names.

    The SDK resolves the types of a class when it is first used, and remembers them: that is done here too,
    for these classes and those of their inputs. `between` is called before each import.
    Starts no thread and opens no connection. Import errors are left to the program. Raises InputError for a
    file that cannot be read.
    """
    importlib.import_module("pulumi")
    classes: list[type] = []
    for name in sorted(set(named(main))):
        between()
        if isinstance(found := _load(name), type):
            classes.append(found)
    with contextlib.suppress(ImportError):  # an SDK with other internals: it resolves them itself
        _resolve_types(classes)
    if (pydantic := sys.modules.get("pydantic")) is not None:
        with contextlib.suppress(Exception):
            pydantic.create_model("First")  # pydantic searches all packages for plugins at its first model
    return classes


def named(main: Path) -> Iterator[str]:
    """Yield the Pulumi modules that the sources in `main` name, with repetitions."""
    for path in program_files(main):
        if path.suffix != ".py":
            continue
        try:
            source = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from None
        yield from _named_in_source(source)


@lru_cache(maxsize=4096)  # two commits of a program have most files in common
def _named_in_source(source: bytes) -> tuple[str, ...]:
    try:
        return tuple(named_in(ast.parse(source)))
    except (SyntaxError, ValueError):
        return ()  # reported when the program runs


def named_in(tree: ast.AST) -> Iterator[str]:
    """Yield the Pulumi modules and classes that one parsed source names, with repetitions."""
    known: dict[str, str] = {}  # by its local name in this file
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for item in node.names:
                if _is_shared(item.name):
                    known[item.asname or item.name.partition(".")[0]] = item.name
                    yield item.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and _is_shared(node.module or ""):
            for item in node.names:
                known[item.asname or item.name] = f"{node.module}.{item.name}"
                yield f"{node.module}.{item.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (name := _dotted(node, known)):
            yield name


def _dotted(node: ast.Attribute, known: Mapping[str, str]) -> str:
    """Return the full name of ``gcp.compute.Network``, if `known` has ``gcp``; otherwise ""."""
    parts = [node.attr]
    inner = node.value
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    if not isinstance(inner, ast.Name) or inner.id not in known:
        return ""
    return ".".join((known[inner.id], *reversed(parts)))


def _is_shared(module: str) -> bool:
    """Whether `module` is of an SDK, or of pydantic, which configurations are often read with."""
    package = module.partition(".")[0]
    return package.startswith("pulumi_") or package == "pydantic"


def _load(name: str) -> object:
    """Import what `name` names, a module or a member of one, and return it; None if it cannot be imported.

    A lazy module is loaded by accessing it.
    """
    first, *rest = name.split(".")
    with contextlib.suppress(Exception):
        found: object = importlib.import_module(first)
        for part in rest:
            inner = getattr(found, part, None)
            if inner is None and isinstance(found, ModuleType):
                inner = importlib.import_module(f"{found.__name__}.{part}")
            found = inner
        if isinstance(found, ModuleType):
            dir(found)
            getattr(found, "__all__", None)
        return found
    return None


def _resolve_types(classes: Sequence[type]) -> None:
    """Let the SDK resolve the types of the properties of `classes`, and of the types in them.

    Those of a resource include its inputs, whose class is in its module.
    """
    from pulumi import Resource
    from pulumi._types import (
        input_type_types,
        is_input_type,
        is_output_type,
        output_type_types,
        resource_types,
    )

    resolved: set[type] = set()

    def resolve(hint: Any) -> None:
        for argument in typing.get_args(hint):
            resolve(argument)
        if isinstance(hint, type) and hint not in resolved and (is_output_type(hint) or is_input_type(hint)):
            resolved.add(hint)
            types = output_type_types if is_output_type(hint) else input_type_types
            for inner in types(hint).values():
                resolve(inner)

    def resolve_all(found: type) -> None:
        if not issubclass(found, Resource):
            resolve(found)
            return
        for inner in resource_types(found).values():
            resolve(inner)
        module = vars(sys.modules[found.__module__])
        for name in (f"{found.__name__}InitArgs", f"{found.__name__}Args"):
            resolve(module.get(name))

    for found in classes:
        with contextlib.suppress(Exception):  # reported where the program uses it
            resolve_all(found)
