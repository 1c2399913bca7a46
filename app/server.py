"""The server of a pod: one process, one event loop, one port.

granian is embedded instead of run by its own command, because the command adds a supervisor process, which
may survive or orphan the server if either is killed, and closes the listening socket on SIGTERM, which makes
a drain impossible.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import signal
from contextlib import AsyncExitStack
from typing import Final

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from pymongo.errors import PyMongoError

from app.application import application
from app.idle_connections import IdleConnections
from app.lifecycle import Lifecycle
from app.services import Services, open_services
from app.settings import ProcessRole, Settings
from app.worker import working

log = structlog.get_logger()

_BACKLOG: Final = 1024
_CONNECTIONS: Final = 4096
# Bounds on clients that send their headers slowly (slow loris).
_HEADER_TIMEOUT_MILLISECONDS: Final = 10_000
_MAX_HEADER_BYTES: Final = 64 * 1024
_STARTUP_RETRY_SECONDS: Final = 1.0
_COLLECTION_THRESHOLD: Final = 20_000  # objects, some 2 MB
_M_ARENA_MAX: Final = -8  # parameter of mallopt(3)
_MALLOC_ARENAS: Final = 2


async def serve(role: ProcessRole, settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, drain, and return the exit code."""
    if role is ProcessRole.WORKER:
        limit_malloc_arenas()
    lifecycle = Lifecycle()
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(role, settings, lifecycle))
        server = Server(
            application(services),
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,  # the protocol between the gateway and pods
            websockets=False,
            backlog=_BACKLOG,
            backpressure=_CONNECTIONS,
            http1_settings=HTTP1Settings(
                header_read_timeout=_HEADER_TIMEOUT_MILLISECONDS, max_buffer_size=_MAX_HEADER_BYTES
            ),
            log_enabled=False,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _begin_drain, lifecycle)
        startup = asyncio.create_task(_prepare(services))
        stopping = asyncio.create_task(_stop(server, lifecycle, settings.drain_seconds))
        idle = asyncio.create_task(IdleConnections(settings.port, _CONNECTIONS).run())
        if role is ProcessRole.WORKER:
            await stack.enter_async_context(working(services))
        log.info("listening", host=settings.host, port=settings.port)
        await server.serve()
        startup.cancel()
        idle.cancel()
        if not lifecycle.draining.is_set():
            stopping.cancel()
            log.error("server exited unexpectedly")
            return 1
    log.info("stopped")
    return 0


def _begin_drain(lifecycle: Lifecycle) -> None:
    if not lifecycle.draining.is_set():
        lifecycle.drain()


async def _stop(server: Server, lifecycle: Lifecycle, seconds: float) -> None:
    """Stop the server ``seconds`` after the drain began, when the load balancer has deregistered the pod.

    The server then completes the requests in flight.
    """
    await lifecycle.draining.wait()
    await asyncio.sleep(seconds)
    server.stop()


async def _prepare(services: Services) -> None:
    """Create the indexes, retrying until MongoDB is available, then report the pod as started."""
    while True:
        try:
            await services.prepare()
        except PyMongoError as error:
            log.warning("waiting for MongoDB", error=str(error)[:300])
            await asyncio.sleep(_STARTUP_RETRY_SECONDS)
        else:
            services.lifecycle.serve()
            _tune_garbage_collector()
            return


def limit_malloc_arenas() -> None:
    """Limit the arenas of glibc's malloc, of which each thread otherwise gets its own.

    Images are drawn in threads, also of libvips, and an arena retains what was freed in it: with one per
    thread a worker had 100 MiB more resident memory, and it grew for longer (docs/service.md). Without effect
    in other C libraries.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _MALLOC_ARENAS)


def _tune_garbage_collector() -> None:
    """Exclude what exists after the start from garbage collections, and collect less often.

    The objects of a few concurrent requests exceed the default threshold of 700, so every burst would be
    scanned for cycles, of which requests create none.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECTION_THRESHOLD)
