"""Errors within an operation end the program without a second report."""

from __future__ import annotations

import pytest

from rehearsal.engine.program.runner import ProgramError
from tests.rehearsal.engine.conftest import Stack
from tests.rehearsal.engine.fake_provider import Cloud

IMPORT = "from rehearsal.engine.errors import SkippedError, StoppedError\n"


@pytest.mark.parametrize(
    "statement",
    [
        "raise StoppedError",
        # The SDK wraps errors of its callbacks.
        "raise RuntimeError('wrapped') from StoppedError()",
    ],
)
def test_program_that_is_stopped_ends_without_an_error_of_its_own(
    stack: Stack, cloud: Cloud, statement: str
) -> None:
    result = stack.update(f'{IMPORT}Thing("a")\n{statement}\nThing("b")\n')
    assert result.errors == []
    assert stack.names() == {"a"}


def test_skipped_resource_does_not_stop_the_program_silently(stack: Stack) -> None:
    with pytest.raises(ProgramError, match="SkippedError"):
        stack.update(f"{IMPORT}raise SkippedError\n")
