"""Versions of provider packages that a program leaves open."""

from __future__ import annotations

import importlib.metadata
from functools import cache


@cache
def installed_version(package: str) -> str:
    """The version of the SDK of `package` that is installed; empty where none is.

    The engine takes it where a program names none, as the CLI takes those of the plugins that the language
    host reports (``GetRequiredPackages``).
    """
    try:
        return importlib.metadata.version(f"pulumi-{package}")
    except importlib.metadata.PackageNotFoundError:
        return ""
