"""Errors within one operation. They are never shown to a user directly."""

from __future__ import annotations


class SkippedError(Exception):
    """Raised for a resource that is skipped after an earlier failure or an interruption."""


class StoppedError(Exception):
    """Raised to abort the program after an error has already been reported."""
