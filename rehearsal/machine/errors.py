"""What a user can be told when the machine could not do what was asked."""

from __future__ import annotations

from collections.abc import Iterable


class MachineError(Exception):
    """Something did not become real; `reasons` are sentences for the user, the most telling first."""

    def __init__(self, reasons: str | Iterable[str]) -> None:
        self.reasons: list[str] = [reasons] if isinstance(reasons, str) else list(reasons)
        super().__init__("; ".join(self.reasons))
