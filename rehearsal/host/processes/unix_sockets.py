"""Unix sockets below folders whose names are longer than the 108 bytes that a socket address holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rehearsal.host.errors import MachineError

_MAX_BYTES = 100


@contextmanager
def address(path: Path) -> Iterator[str]:
    """A short name for `path`, valid inside the block: through an open descriptor if need be."""
    if len(os.fsencode(path)) <= _MAX_BYTES:
        yield str(path)
        return
    if not Path("/proc/self/fd").is_dir():
        raise MachineError(
            f"{path} is too long for a socket: move the project to a folder with a shorter name"
        )
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
