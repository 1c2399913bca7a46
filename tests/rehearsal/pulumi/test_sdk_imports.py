"""The SDK modules that a program names, read from its source and imported ahead of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pulumi_random
import pytest
from pulumi import _types

from rehearsal.errors import InputError
from rehearsal.pulumi.sdk_imports import named, warm


def names(folder: Path, source: str) -> set[str]:
    (folder / "__main__.py").write_text(source)
    return set(named(folder))


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import pulumi_gcp", {"pulumi_gcp"}),
        (
            "import pulumi_gcp as gcp\ngcp.compute.Network('a')",
            {"pulumi_gcp", "pulumi_gcp.compute", "pulumi_gcp.compute.Network"},
        ),
        (
            "import pulumi_gcp\npulumi_gcp.redis.Instance('a')",
            {"pulumi_gcp", "pulumi_gcp.redis", "pulumi_gcp.redis.Instance"},
        ),
        ("gcp.compute\nimport pulumi_gcp as gcp", {"pulumi_gcp", "pulumi_gcp.compute"}),
        ("from pulumi_gcp import compute, redis as r", {"pulumi_gcp.compute", "pulumi_gcp.redis"}),
        (
            "from pulumi_gcp import redis as r\nr.Instance('a')",
            {"pulumi_gcp.redis", "pulumi_gcp.redis.Instance"},
        ),
        ("from pydantic import BaseModel", {"pydantic.BaseModel"}),
        ("from pulumi_kubernetes.apps.v1 import Deployment", {"pulumi_kubernetes.apps.v1.Deployment"}),
        ("def late():\n    import pulumi_random", {"pulumi_random"}),
    ],
)
def test_modules_are_named_by_imports_and_by_uses_of_a_package(
    tmp_path: Path, source: str, modules: set[str]
) -> None:
    assert names(tmp_path, source) == modules


@pytest.mark.parametrize(
    "source",
    [
        "import pulumi\npulumi.Config()",  # imported in any case
        "import json, pulumiX\nfrom os import path",
        "from . import pulumi_gcp",
        "from .pulumi_gcp import compute",
        "gcp = object()\ngcp.compute",
        "import pulumi_gcp as",  # reported when the program runs
        "\x00",
    ],
)
def test_other_modules_and_files_with_syntax_errors_name_nothing(tmp_path: Path, source: str) -> None:
    assert names(tmp_path, source) == set()


def test_names_of_one_file_do_not_apply_to_another(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.py").write_text("import pulumi_gcp as cloud\n")
    assert names(tmp_path, "cloud.compute.Network('a')\n") == {"pulumi_gcp"}


def test_file_that_cannot_be_read_is_an_input_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "__main__.py").touch()

    def unreadable(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", unreadable)
    with pytest.raises(InputError, match=r"__main__\.py cannot be read: Permission denied"):
        list(named(tmp_path))


def test_packages_of_a_virtual_environment_inside_the_program_name_nothing(tmp_path: Path) -> None:
    installed = tmp_path / "venv" / "lib" / "pulumi_gcp"
    installed.mkdir(parents=True)
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    (installed / "__init__.py").write_text("import pulumi_gcp.compute")
    assert names(tmp_path, "import pulumi_random") == {"pulumi_random"}


def test_named_modules_are_imported_and_named_classes_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "packages"
    for name, text in (
        ("pulumi_toys/__init__.py", ""),
        ("pulumi_toys/boxes.py", "class Box: ..."),
        ("pulumi_toys/broken.py", "raise RuntimeError('broken on purpose')"),
        ("pulumi_toys/unused.py", ""),
    ):
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text(text)
    monkeypatch.syspath_prepend(packages)
    program = tmp_path / "program"
    program.mkdir()
    (program / "__main__.py").write_text(
        "from pulumi_toys.boxes import Box\nfrom pulumi_toys import broken, boxes, boxes\n"
        "import pulumi_absent\n"
    )
    before = set(sys.modules)
    try:
        calls: list[set[str]] = []
        assert [found.__name__ for found in warm(program, lambda: calls.append(set(sys.modules)))] == ["Box"]
        assert "pulumi_toys.boxes" not in calls[0]
        assert "pulumi_toys.boxes" in calls[-1]
        added = {name for name in sys.modules if name.startswith("pulumi_toys")} - before
        assert added == {"pulumi_toys", "pulumi_toys.boxes"}
    finally:
        for name in set(sys.modules) - before:
            if name.startswith("pulumi_toys"):
                del sys.modules[name]


def test_lazy_module_is_loaded(tmp_path: Path) -> None:
    """The SDKs import their modules at the first use; an import of the package does not load them."""
    (tmp_path / "__main__.py").write_text(
        "from pulumi_random import random_pet\nimport pulumi_random as r\nr.RandomPet"
    )
    warm(tmp_path)
    assert "pulumi_random.random_pet" in sys.modules


def test_types_of_named_classes_are_resolved_before_their_first_use(tmp_path: Path) -> None:
    cached = _types._types_from_py_properties
    cached.cache_clear()
    (tmp_path / "__main__.py").write_text("import pulumi_random as r\nr.RandomPassword\n")
    warm(tmp_path)
    misses = cached.cache_info().misses
    assert misses
    assert "bcryptHash" in _types.resource_types(pulumi_random.RandomPassword)
    assert "minLower" in _types.input_type_types(pulumi_random.RandomPasswordArgs)
    assert cached.cache_info().misses == misses
