"""Errors within one operation."""

from __future__ import annotations

import grpc

from rehearsal.errors import KingdomError


class SkippedError(Exception):
    """Raised for a resource that is skipped after an earlier failure or an interruption."""


class StoppedError(Exception):
    """Raised to abort the program after an error has already been reported."""


class CallFailedError(grpc.RpcError):
    """A function call that failed. The SDK raises `reason` in the program, which may handle the error.

    `error` has the source position. For a program that does not handle it, it replaces the SDK's exception.
    """

    def __init__(self, reason: str, error: KingdomError) -> None:
        super().__init__(reason)
        self.error = error

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return str(self)
