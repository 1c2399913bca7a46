"""A lease in Redis: at most one process holds it, and it expires if that process dies."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from redis.asyncio import Redis

from app.connections import REDIS_ERRORS

_SCRIPTS: Final = Path(__file__).parent / "lua"


class LeaseLost(Exception):  # noqa: N818 (a state, not an error)
    """The lease expired, was lost by Redis, or could not be extended in time; another process may hold it."""


@asynccontextmanager
async def lease(redis: Redis, name: str, seconds: float = 30.0) -> AsyncIterator[bool]:
    """Hold the lease ``name`` while the block runs; yields ``False`` if another process holds it.

    The lease lasts ``seconds`` and is extended every third of that. If it is lost, the block is cancelled and
    :class:`LeaseLost` is raised, so that two holders do not overlap. Raises ``redis.RedisError`` if Redis is
    unavailable on acquisition.
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

    async def extend_until_lost() -> None:
        nonlocal lost
        valid_until = asyncio.get_running_loop().time() + seconds
        while True:
            await asyncio.sleep(seconds / 3)
            now = asyncio.get_running_loop().time()
            try:
                held = await extend(keys=[key], args=[token, milliseconds])
            except REDIS_ERRORS:
                if now + seconds / 3 < valid_until:
                    continue
                held = 0
            if not held:
                lost = True
                owner.cancel()
                return
            valid_until = now + seconds

    extending = asyncio.create_task(extend_until_lost())
    try:
        yield True
    except asyncio.CancelledError:
        if not lost:
            raise
        owner.uncancel()
        raise LeaseLost(name) from None
    finally:
        extending.cancel()
        with contextlib.suppress(*REDIS_ERRORS):  # it expires without a release
            await release(keys=[key], args=[token])
