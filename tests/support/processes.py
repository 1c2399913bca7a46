"""Child processes that continue as copies of the test process."""

from __future__ import annotations

import gc
import os


def fork() -> int:
    """Fork; return 0 in the child and the child's process ID in the parent.

    The child must not collect what earlier tests left behind: finalizers of gRPC wait for threads that do not
    exist in the child, forever.
    """
    child = os.fork()
    if child == 0:
        gc.freeze()
    return child
