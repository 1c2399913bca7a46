"""Versions of provider packages that a program leaves open."""

from __future__ import annotations

import importlib.metadata
import re
from functools import cache
from typing import Final

_NUMBER: Final = r"(?:0|[1-9]\d*)"
_PRERELEASE: Final = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
_SEMANTIC: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(?:-{_PRERELEASE}(?:\.{_PRERELEASE})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)


class VersionError(ValueError):
    """A version that is not a semantic one."""


def check_version(version: str) -> None:
    """Raise VersionError if the option `version` is neither empty nor a semantic version.

    The CLI parses it even if an explicit provider makes it irrelevant (``parseProviderRequest`` in
    ``pkg/resource/deploy/source_eval.go``).
    """
    if version and not _SEMANTIC.fullmatch(version):
        raise VersionError(f"the version {version!r} is not a semantic version such as 1.2.3")


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
