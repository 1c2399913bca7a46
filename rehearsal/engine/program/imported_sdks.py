"""Resource references: only SDKs that the program itself imports turn them into resources.

The Pulumi SDK looks the class of a referenced resource up among the SDKs that the process has imported, and
then reads the resource through the provider of the package `pulumi`. This process imports SDKs for the
declared types of resources, too. Under the CLI, the program's process has the program's SDKs only.
"""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from pulumi.runtime import rpc

from rehearsal.engine.program.hang_detector import is_program_file
from rehearsal.pulumi.sdk_imports import named_in

_PREFIX = "pulumi_"  # of the modules of SDKs


@contextlib.contextmanager
def references_of_imported_sdks(main: Path, entry: Path) -> Iterator[None]:
    """While entered, references to resources of SDKs without an import in the program stay ids or URNs.

    `main` is the folder of the program, `entry` the file or folder that is run.
    """
    get_module, get_package = rpc.get_resource_module, rpc.get_resource_package
    imported: dict[str, bool] = {}

    def shown(found: Any) -> Any:
        if found is None:
            return None
        sdk = type(found).__module__.partition(".")[0]
        if sdk not in imported:
            imported[sdk] = not sdk.startswith(_PREFIX) or _is_imported(sdk, main, entry)
        return found if imported[sdk] else None

    def module(pkg: str, mod: str, version: str) -> Any:
        return shown(get_module(pkg, mod, version))

    def package(pkg: str, version: str) -> Any:
        return shown(get_package(pkg, version))

    rpc.get_resource_module, rpc.get_resource_package = module, package
    try:
        yield
    finally:
        rpc.get_resource_module, rpc.get_resource_package = get_module, get_package


def _is_imported(sdk: str, main: Path, entry: Path) -> bool:
    """Return whether a file of the program names `sdk`, or a module of another package uses it."""
    files = {str(entry / "__main__.py" if entry.is_dir() else entry)}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if is_program_file(file, main):
            files.add(file)
        elif name.partition(".")[0] not in (sdk, "pulumi", "rehearsal") and _uses(module, sdk):
            return True
    return any(sdk in {name.partition(".")[0] for name in _named(file)} for file in sorted(files))


def _named(file: str) -> list[str]:
    """Return the SDK modules that the source `file` names; none if it cannot be read or parsed."""
    try:
        return list(named_in(ast.parse(Path(file).read_bytes(), file)))
    except (OSError, SyntaxError, ValueError):
        return []


def _uses(module: ModuleType, sdk: str) -> bool:
    for value in list(vars(module).values()):
        if isinstance(value, ModuleType):
            name = value.__name__
        elif isinstance(value, type):
            name = value.__module__
        else:
            continue
        if isinstance(name, str) and name.partition(".")[0] == sdk:
            return True
    return False
