"""Resource references of SDKs that this process has imported, but not the program."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
from pulumi.runtime import rpc

from rehearsal.engine.program.imported_sdks import references_of_imported_sdks

SDK = "pulumi_toysdk"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> object:
    """A resource module that the SDK of the package `toysdk` has registered."""

    class Module:
        def version(self) -> None:
            return None

    Module.__module__ = f"{SDK}._utilities"
    registered = Module()
    monkeypatch.setattr(rpc, "_RESOURCE_MODULES", {"toysdk:index": [registered]})
    return registered


def _found(program: Path) -> object:
    with references_of_imported_sdks(program, program):
        return rpc.get_resource_module("toysdk", "index", "")


def test_sdk_is_hidden_from_a_program_that_does_not_import_it(module: object, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text("import pulumi\nimport pulumi_other\n")
    assert _found(tmp_path) is None
    assert rpc.get_resource_module("toysdk", "index", "") is module


@pytest.mark.parametrize("line", [f"import {SDK} as toys", f"from {SDK}.index import Toy"])
def test_sdk_that_the_program_imports_is_found(module: object, tmp_path: Path, line: str) -> None:
    (tmp_path / "__main__.py").write_text(f"def later():\n    {line}\n    return toys.Toy\n")
    assert _found(tmp_path) is module


def test_sdk_that_a_library_of_the_program_uses_is_found(
    module: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "__main__.py").write_text("import components\n")
    library = types.ModuleType("components")
    vars(library)["toys"] = types.ModuleType(SDK)
    monkeypatch.setitem(sys.modules, "components", library)
    assert _found(tmp_path) is module
