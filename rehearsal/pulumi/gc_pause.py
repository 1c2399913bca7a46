"""Pause of the cyclic garbage collector while SDKs are imported, since imported objects are not freed."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def off() -> Iterator[None]:
    """Disable the collector during the block.

    Measured: repeated scans of two thousand modules took a fifth of a preview.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
