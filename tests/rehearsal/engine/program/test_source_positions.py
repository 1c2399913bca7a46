"""Stack traces of registrations equal those of the SDK."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import resource as sdk
from pulumi.runtime.proto import source_pb2

from rehearsal.engine.program.source_positions import quick_positions, stack_trace

Trace = Callable[[], source_pb2.StackTrace]


class Inner:
    def __init__(self, trace: Trace) -> None:
        self.found = trace()


class Middle(Inner):
    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)


class Outer(Middle):
    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)


class Component(Outer):
    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)


def in_resource(trace: Trace) -> source_pb2.StackTrace:
    return Outer(trace).found


def in_subclass(trace: Trace) -> source_pb2.StackTrace:
    return Component(trace).found


def in_comprehension(trace: Trace) -> source_pb2.StackTrace:
    return [Outer(trace).found for _ in range(2)][1]


def in_two_constructors(trace: Trace) -> source_pb2.StackTrace:
    return Middle(trace).found


def in_no_constructor(trace: Trace) -> source_pb2.StackTrace:
    return trace()


def in_code_without_a_file(trace: Trace) -> source_pb2.StackTrace:
    scope: dict[str, Any] = {"trace": trace, "Outer": Outer}
    exec("found = Outer(trace).found", scope)  # noqa: S102
    found = scope["found"]
    assert isinstance(found, source_pb2.StackTrace)
    return found


@pytest.mark.parametrize(
    "of",
    [
        in_resource,
        in_subclass,
        in_comprehension,
        in_two_constructors,
        in_no_constructor,
        in_code_without_a_file,
    ],
)
def test_trace_equals_that_of_the_sdk(of: Callable[[Trace], source_pb2.StackTrace]) -> None:
    ours, theirs = (of(trace) for trace in (stack_trace, sdk._get_stack_trace))
    assert ours == theirs


def test_the_first_frame_is_the_line_that_creates_the_resource() -> None:
    frame = Outer(stack_trace).found.frames[0]
    line = test_the_first_frame_is_the_line_that_creates_the_resource.__code__.co_firstlineno + 1
    assert (frame.pc.uri, frame.pc.line) == (Path(__file__).as_uri(), line)


def test_the_sdk_uses_it_inside_the_block_only() -> None:
    before = sdk._get_stack_trace
    with quick_positions():
        assert sdk._get_stack_trace is stack_trace
    assert sdk._get_stack_trace is before
