"""Versions of provider packages that a program leaves open."""

from __future__ import annotations

import importlib.metadata
from functools import cache


@cache
def installed_version(package: str) -> str:
    """Return the installed version of the SDK of `package`; empty if it is not installed.

    The engine uses it if a program specifies none, as the CLI uses the versions of the plugins that the
    language host reports (``GetRequiredPackages``).
    """
    try:
        return importlib.metadata.version(f"pulumi-{package}")
    except importlib.metadata.PackageNotFoundError:
        return ""
