"""Unix sockets at paths longer than the 108 bytes of a socket address."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rehearsal.host.errors import MachineError

_MAX_BYTES = 100


@contextmanager
def address(path: Path) -> Iterator[str]:
    """Yield a short address for `path`, valid inside the block; uses an open descriptor if required."""
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
