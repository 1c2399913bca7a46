"""Outgoing calls carry the trace and the remaining time."""

from __future__ import annotations

import time

import httpx
import pytest

from app.resilience.deadline import deadline_at
from app.telemetry import context
from app.telemetry.tracing import add_headers, traceparent


@pytest.mark.anyio
async def test_outgoing_calls_carry_the_trace_and_the_remaining_time() -> None:
    token = context.current.set({"trace_id": "1" * 32, "span_id": "2" * 16, "trace_flags": "01"})
    try:
        request = httpx.Request("GET", "https://storage.example.com/")
        with deadline_at(time.monotonic() + 2):
            await add_headers(request)
    finally:
        context.current.reset(token)
    assert request.headers["traceparent"] == f"00-{'1' * 32}-{'2' * 16}-01"
    assert 0 < int(request.headers["x-deadline-ms"]) <= 2000


@pytest.mark.anyio
async def test_calls_outside_of_a_request_carry_neither() -> None:
    outside = httpx.Request("GET", "https://storage.example.com/")
    await add_headers(outside)
    assert traceparent() is None
    assert "traceparent" not in outside.headers
    assert "x-deadline-ms" not in outside.headers
