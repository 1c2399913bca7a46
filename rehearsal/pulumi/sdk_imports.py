"""Imports the SDKs of a program without running it, so that several runs can share them.

Imports take most of the time of a preview. The modules that a program needs are read from its source: from
``from pulumi_gcp import compute`` and, for ``import pulumi_gcp as gcp``, from every use of ``gcp.compute``.
Modules that this misses are imported later by the program itself.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from rehearsal.errors import InputError


def warm(main: Path) -> list[str]:
    """Import the SDK modules that the program in the folder `main` names, and return them, sorted.

    Starts no thread and opens no connection. Import errors are left to the program. Raises InputError for a
    file that cannot be read.
    """
    importlib.import_module("pulumi")
    names = sorted(set(named(main)))
    for name in names:
        with contextlib.suppress(Exception):
            _load(name)
    return names


def named(main: Path) -> Iterator[str]:
    """Yield the Pulumi modules that the sources in `main` name, with repetitions."""
    for path in sorted(main.rglob("*.py")):
        try:
            tree = ast.parse(path.read_bytes(), str(path))
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from None
        except (SyntaxError, ValueError):
            continue  # reported when the program runs
        yield from named_in(tree)


def named_in(tree: ast.AST) -> Iterator[str]:
    """Yield the Pulumi modules that one parsed source names, with repetitions."""
    packages: dict[str, str] = {}  # by its local name in this file
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for item in node.names:
                if _is_sdk(item.name):
                    packages[item.asname or item.name.partition(".")[0]] = item.name
                    yield item.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and _is_sdk(node.module or ""):
            yield from (f"{node.module}.{item.name}" for item in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in packages:
            yield f"{packages[node.value.id]}.{node.attr}"


def _is_sdk(module: str) -> bool:
    return module.partition(".")[0].startswith("pulumi_")


def _load(name: str) -> None:
    """Import `name`, a module or a member of one; a lazy module is loaded by accessing it."""
    parent, _, last = name.rpartition(".")
    if not parent:
        importlib.import_module(name)
        return
    found = getattr(importlib.import_module(parent), last, None)
    if isinstance(found, ModuleType):
        dir(found)
        getattr(found, "__all__", None)
    elif found is None:
        importlib.import_module(name)
