"""Schema of a project file: the types of what kingdom itself does not read.

The rules are those of ``sdk/go/common/workspace/project.json``, by which the CLI refuses a project file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.pulumi.yaml_reader import kind_of

_TEXTS: Final = ("description", "author", "website", "license")
_PACKAGE_TEXTS: Final = ("source", "version", "pluginDownloadURL")
_PACKAGE_LISTS: Final = ("parameters", "extensions")
_TEMPLATE: Final = ("displayName", "description", "quickstart", "important", "metadata", "config")


def schema_problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the project file `data`, apart from what the reader of a key checks itself."""
    for key in _TEXTS:
        if not isinstance(data.get(key, ""), str | None):
            yield f"{key}: must be text, not {kind_of(data[key])}"
    runtime = data.get("runtime")
    if isinstance(runtime, dict):
        yield from _unknown_keys("runtime", runtime, ("name", "options"))
        if runtime.get("options", {}) is None:
            yield "runtime.options: must be a mapping; it has no value"
    yield from _closed_mapping("backend", data.get("backend"), ("url",))
    yield from _closed_mapping("template", data.get("template"), _TEMPLATE)
    if "packages" in data:
        yield from _package_problems(data["packages"])


def _closed_mapping(key: str, value: Any, known: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _unknown_keys(key, value, known)
    elif value is not None:
        yield f"{key}: must be a mapping, not {kind_of(value)}"


def _unknown_keys(where: str, value: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[str]:
    for key in value:
        if key not in known:
            yield f"{where}.{key}: unknown; the keys are {', '.join(known)}"


def _package_problems(packages: Any) -> Iterator[str]:
    if not isinstance(packages, dict):
        yield f"packages: must be a mapping, not {kind_of(packages)}"
        return
    for name, package in packages.items():
        where = f"packages.{name}"
        if isinstance(package, str):
            continue
        if not isinstance(package, dict):
            yield f"{where}: must be text or a mapping, not {kind_of(package)}"
            continue
        yield from _unknown_keys(where, package, (*_PACKAGE_TEXTS, *_PACKAGE_LISTS, "checksums"))
        if "source" not in package:
            yield f"{where}.source: must be the source of the package"
        for key in _PACKAGE_TEXTS:
            if not isinstance(package.get(key, ""), str):
                yield f"{where}.{key}: must be text, not {kind_of(package[key])}"
        for key in _PACKAGE_LISTS:
            items = package.get(key, [])
            if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
                yield f"{where}.{key}: must be a list of texts"
