"""Errors that a user can cause. They are printed without a traceback."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

# The first line of a program's report on settings that it cannot use (`infra/settings/errors.py`).
WRONG_SETTINGS: Final = re.compile(r'stack "[^"]+": .*\bwrong in (?P<file>\S+),')


class KingdomError(Exception):
    """Error that the user can fix: `message` states the problem and its position, `remedy` the fix.

    `exit_code` follows the command line's table: 1 the operation failed, 2 the input could not be used,
    3 a mandatory policy was violated, 130 interrupted.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = tuple(details)

    def __str__(self) -> str:
        lines = [self.message, *(f"  - {detail}" for detail in self.details)]
        return "\n".join([*lines, f"  {self.remedy}"] if self.remedy else lines)

    def to_json(self) -> dict[str, Any]:
        """Convert the error to a JSON object."""
        return {"error": self.message, "details": list(self.details), "remedy": self.remedy}


class InputError(KingdomError):
    """A file, setting or argument is invalid."""

    exit_code = 2


class StateError(InputError):
    """The state on disk cannot be read, decrypted or locked."""
