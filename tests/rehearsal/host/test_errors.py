"""Errors of the host."""

from __future__ import annotations

import pytest

from rehearsal.host.errors import MachineError


@pytest.mark.parametrize(
    ("reasons", "text"),
    [("no port", "no port"), (["not ready", "no port"], "not ready\n  - no port"), ([], "")],
)
def test_first_reason_is_the_message(reasons: str | list[str], text: str) -> None:
    error = MachineError(reasons)
    assert str(error) == text
    assert error.reasons == ([reasons] if isinstance(reasons, str) else reasons)
