"""Source positions of registrations, found without reading the source files.

The SDK extracts its stack trace with `traceback`, which looks up the text of every line and checks every file
for changes, and converts each path to a URI again: a twelfth of the processor time of a program. The traces
are the same.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Final

from pulumi.runtime import resource as sdk_resource
from pulumi.runtime.proto import source_pb2

# The constructors of Resource, of CustomResource or ComponentResource, and of the resource itself.
_CONSTRUCTORS: Final = 3


@contextlib.contextmanager
def quick_positions() -> Iterator[None]:
    """While entered, the SDK uses `stack_trace`."""
    original = sdk_resource._get_stack_trace
    sdk_resource._get_stack_trace = stack_trace
    try:
        yield
    finally:
        sdk_resource._get_stack_trace = original


def stack_trace() -> source_pb2.StackTrace:
    """Return the stack outside the constructor of a resource, innermost frame first, as the SDK does.

    It is empty without three constructors on the stack.
    """
    frame: FrameType | None = sys._getframe(1)
    seen = 0
    while frame is not None:
        seen += frame.f_code.co_name == "__init__"
        if seen == _CONSTRUCTORS:
            break
        frame = frame.f_back
    trace = source_pb2.StackTrace()
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
        position = _position(frame.f_code.co_filename, frame.f_lineno)
        trace.frames.append(source_pb2.StackFrame(pc=position))
    return trace


@lru_cache(maxsize=4096)
def _position(file: str, line: int | None) -> source_pb2.SourcePosition | None:
    """Return the position as a file URI; None without one, for example in code that was not in a file."""
    if not file or line is None:
        return None
    try:
        return source_pb2.SourcePosition(uri=Path(file).as_uri(), line=line)
    except ValueError:
        return None
