"""Envoy applies the published configuration, also when it could not at first."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from rehearsal.host.component import TlsProxy
from rehearsal.host.envoy.process import Envoy
from tests.rehearsal.host.hosts import context_in
from tests.support.backends import free_port, until

pytestmark = pytest.mark.anyio


async def test_a_rejected_configuration_is_applied_once_it_can_be(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    envoy = Envoy(context)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as other:
        proxy = TlsProxy("redis", other.getsockname()[1], free_port(), tls=False)
        await envoy.start()
        try:
            listener, cluster = envoy.tls_proxy(proxy)
            envoy.publish([listener], [cluster], {}, {})

            async def rejected() -> bool:
                return any("redis" in line for line in await envoy.applied())

            await until(rejected, 20)
            other.close()

            async def applied() -> bool:
                return not await envoy.applied()

            await until(applied, 10)
            _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.close()
        finally:
            await context.processes.stop_all()
