"""Errors of the machine, for the user who caused or can fix them."""

from __future__ import annotations

from collections.abc import Iterable

from rehearsal.errors import KingdomError


class MachineError(KingdomError):
    """An object did not become real; `reasons` are sentences for the user, the most specific first."""

    def __init__(self, reasons: str | Iterable[str]) -> None:
        self.reasons: list[str] = [reasons] if isinstance(reasons, str) else list(reasons)
        super().__init__(self.reasons[0] if self.reasons else "", details=self.reasons[1:])


class OptionsError(MachineError):
    """The section `rehearsal:machine` cannot be used as it is."""

    exit_code = 2
