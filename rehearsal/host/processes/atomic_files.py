"""Write files atomically: after a crash a file has either its old or its new content."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from rehearsal.host.errors import MachineError


def write_atomic(path: Path, content: bytes | str, *, mode: int = 0o600, durable: bool = True) -> None:
    """Replace `path` by rename. `durable` syncs to disk, so that the write survives a power failure.

    Raises MachineError naming the file if the disk is full or the folder is not writable.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        raise MachineError(f"{path} could not be written: {error.strerror or error}") from error


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path, *, mode: int = 0o700) -> Path:
    """Create the folder `path` with its parents if absent; return it. Raises MachineError naming it."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"{path} could not be created: {error.strerror or error}") from error
    return path


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises FileNotFoundError, or MachineError naming a file that is not valid JSON."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise MachineError(
            f"{path} cannot be read ({error}): restore it, or delete it and run `kingdom up` again"
        ) from error
