"""The files of a program or a policy pack, without what package managers and interpreters put beside them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from rehearsal.errors import InputError
from rehearsal.pulumi.project import STATE_FOLDER

# A virtual environment may have any name; `pyvenv.cfg` marks it (PEP 405).
_VIRTUAL_ENVIRONMENT: Final = "pyvenv.cfg"
# Folders in which interpreters install packages, also outside of a virtual environment.
PACKAGE_FOLDERS: Final = ("site-packages", "dist-packages")
_SKIPPED: Final = frozenset({"__pycache__", "node_modules", *PACKAGE_FOLDERS, ".git", STATE_FOLDER})


def program_files(folder: Path) -> list[Path]:
    """Return the files in `folder` and below, sorted by path.

    Virtual environments, installed packages, caches, git data and rehearsed states are left out. Raises
    InputError for a folder that cannot be listed.
    """

    def unreadable(error: OSError) -> None:
        raise InputError(f"{error.filename} cannot be listed: {error.strerror}") from None

    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=unreadable):
        if _VIRTUAL_ENVIRONMENT in names:
            folders.clear()
            continue
        folders[:] = [name for name in folders if name not in _SKIPPED]
        # `.git` is a file in a worktree.
        found.extend(file for name in names if name not in _SKIPPED and (file := Path(place, name)).is_file())
    return sorted(found)
