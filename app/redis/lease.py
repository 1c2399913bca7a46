"""A lease in Redis: one process of all does a thing, and another may when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from redis.asyncio import Redis

from app.connections import REDIS_GONE
from app.redis.cancellation import pause

_SCRIPTS: Final = Path(__file__).parent / "lua"


class LeaseLost(Exception):  # noqa: N818 (a state, not a mistake)
    """Redis forgot it, or was away for too long: another may hold it by now."""


@asynccontextmanager
async def lease(redis: Redis, name: str, seconds: float = 30.0) -> AsyncIterator[bool]:
    """``True`` inside when this process holds ``name``, kept for as long as the block runs; ``False`` when
    another does. When it is lost the block is cut off with :class:`LeaseLost`: two must not go on. Raises
    ``redis.RedisError`` when Redis cannot be asked.
    """
    token, key, milliseconds = secrets.token_hex(8), f"lease:{name}", int(seconds * 1000)
    if not await redis.set(key, token, nx=True, px=milliseconds):
        yield False
        return
    owner = asyncio.current_task()
    assert owner is not None
    extend = redis.register_script((_SCRIPTS / "extend.lua").read_text())
    release = redis.register_script((_SCRIPTS / "release.lua").read_text())

    lost = False

    async def keep() -> None:
        nonlocal lost
        until = asyncio.get_running_loop().time() + seconds
        while True:
            await pause(seconds / 3)
            now = asyncio.get_running_loop().time()
            try:
                held = await extend(keys=[key], args=[token, milliseconds])
            except REDIS_GONE:
                if now + seconds / 3 < until:
                    continue
                held = 0
            if not held:
                lost = True
                owner.cancel()
                return
            until = now + seconds

    keeping = asyncio.create_task(keep())
    try:
        yield True
    except asyncio.CancelledError:
        if not lost:
            raise
        owner.uncancel()
        raise LeaseLost(name) from None
    finally:
        keeping.cancel()
        with contextlib.suppress(*REDIS_GONE):  # it runs out by itself
            await release(keys=[key], args=[token])
