"""Errors inside one operation; none of them reaches a user as it is."""

from __future__ import annotations


class SkippedError(Exception):
    """The resource was left as it is, because something before it failed or the operation was interrupted."""


class StoppedError(Exception):
    """The program was told to end, for a reason that is reported already. It is not to blame."""
