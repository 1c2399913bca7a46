"""Errors of a provider carry the gRPC status and what the engine stores."""

from __future__ import annotations

import grpc

from rehearsal.providers.errors import InitFailedError, ProviderError


def test_a_refusal_has_a_status_and_a_message() -> None:
    error = ProviderError(grpc.StatusCode.FAILED_PRECONDITION, "protected")
    assert (error.code, error.message, str(error)) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "protected",
        "protected",
    )


def test_a_resource_that_is_not_ready_keeps_its_id_and_reasons() -> None:
    error = InitFailedError("id", {"a": 1}, {"b": 2}, ["no pod", "no address"])
    assert error.code is grpc.StatusCode.UNKNOWN
    assert error.message.endswith("no pod; no address")
    assert (error.id, error.properties, error.inputs) == ("id", {"a": 1}, {"b": 2})
