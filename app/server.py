"""One pod: one process, one event loop, one port.

granian is embedded instead of started through its own command: its command keeps a second process that
outlives or orphans the serving one when either is killed, and gives no place between SIGTERM and the end of
the listening socket, which a drain needs.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import Final

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from pymongo.errors import PyMongoError

from app.application import application
from app.lifecycle import Lifecycle
from app.services import Services, open_services
from app.settings import Role, Settings
from app.worker import working

log = structlog.get_logger()

_BACKLOG: Final = 1024
_CONNECTIONS: Final = 4096
# Who dribbles a head (slow loris) holds a connection for so long, and a buffer of so much.
_HEAD_SECONDS: Final = 10_000  # in milliseconds
_HEAD_BYTES: Final = 64 * 1024
_FIRST_CONTACT_SECONDS: Final = 1.0


async def serve(role: Role, settings: Settings) -> int:
    """Serve until SIGTERM (or SIGINT), drain, and give the exit code."""
    lifecycle = Lifecycle()
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(role, settings, lifecycle))
        server = Server(
            application(services),
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,  # what the gateway speaks to pods
            websockets=False,
            backlog=_BACKLOG,
            backpressure=_CONNECTIONS,
            http1_settings=HTTP1Settings(header_read_timeout=_HEAD_SECONDS, max_buffer_size=_HEAD_BYTES),
            log_enabled=False,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _begin_drain, lifecycle)
        first_contact = asyncio.create_task(_first_contact(services))
        stopping = asyncio.create_task(_stop(server, lifecycle, settings.drain_seconds))
        if role is Role.WORKER:
            await stack.enter_async_context(working(services))
        log.info("listening", host=settings.host, port=settings.port)
        await server.serve()
        first_contact.cancel()
        if not lifecycle.draining.is_set():
            stopping.cancel()
            log.error("the server ended by itself")
            return 1
    log.info("stopped")
    return 0


def _begin_drain(lifecycle: Lifecycle) -> None:
    if not lifecycle.draining.is_set():
        lifecycle.drain()


async def _stop(server: Server, lifecycle: Lifecycle, seconds: float) -> None:
    """After SIGTERM go on serving until the load balancer has heard of it, then end what is in flight."""
    await lifecycle.draining.wait()
    await asyncio.sleep(seconds)
    server.stop()


async def _first_contact(services: Services) -> None:
    while True:
        try:
            await services.prepare()
        except PyMongoError as error:
            log.warning("no contact with MongoDB yet", error=str(error)[:300])
            await asyncio.sleep(_FIRST_CONTACT_SECONDS)
        else:
            services.lifecycle.serve()
            return
