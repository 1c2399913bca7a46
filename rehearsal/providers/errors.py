"""Errors that a provider raises; each carries its gRPC status."""

from __future__ import annotations

from typing import Any

import grpc


class ProviderError(Exception):
    """A request that a provider refuses; `code` is its gRPC status."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class InitFailedError(ProviderError):
    """The resource exists but did not become ready.

    The engine records it with `reasons`, and the next update retries (`ErrorResourceInitFailed` in
    `pulumi/provider.proto`).
    """

    def __init__(
        self, id_: str, properties: dict[str, Any], inputs: dict[str, Any], reasons: list[str]
    ) -> None:
        super().__init__(grpc.StatusCode.UNKNOWN, "resource did not become ready: " + "; ".join(reasons))
        self.id = id_
        self.properties = properties
        self.inputs = inputs
        self.reasons = reasons
