"""Deadlines: inherited, never extended, enforced at the end of the block."""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from app.resilience import deadline, deadline_at, remaining, reset_deadline, set_deadline

pytestmark = pytest.mark.anyio


async def test_nested_deadline_can_only_be_earlier() -> None:
    assert remaining() == math.inf
    async with deadline(5.0):
        async with deadline(60):
            assert 0 < remaining() <= 5.0
        with pytest.raises(TimeoutError):
            async with deadline(0.001):
                await asyncio.Event().wait()
        assert remaining() > 1.0
    assert remaining() == math.inf


def test_expired_deadline_has_no_time_left() -> None:
    with deadline_at(time.monotonic() - 5):
        assert remaining() == 0.0
    assert remaining() == math.inf


def test_reset_restores_the_outer_deadline() -> None:
    with deadline_at(time.monotonic() + 100):
        token = set_deadline(time.monotonic() + 1)
        assert remaining() <= 1
        reset_deadline(token)
        assert 90 < remaining() <= 100
        token = set_deadline(time.monotonic() + 1_000)
        assert remaining() <= 100, "a later deadline does not extend the outer one"
        reset_deadline(token)


async def test_tasks_inherit_the_deadline() -> None:
    async def child() -> float:
        return remaining()

    async with deadline(3.0):
        assert 0 < await asyncio.create_task(child()) <= 3.0
