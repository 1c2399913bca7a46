"""Errors of the host that a user can fix."""

from __future__ import annotations

from collections.abc import Iterable

from rehearsal.errors import KingdomError


class MachineError(KingdomError):
    """An object did not become ready; `reasons` are messages for the user, the most specific first."""

    def __init__(self, reasons: str | Iterable[str]) -> None:
        self.reasons: list[str] = [reasons] if isinstance(reasons, str) else list(reasons)
        super().__init__(self.reasons[0] if self.reasons else "", details=self.reasons[1:])


class OptionsError(MachineError):
    """The section `rehearsal:machine` of the stack file is invalid."""

    exit_code = 2
