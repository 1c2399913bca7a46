"""Envoy applies the published configuration, also when it could not at first."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from rehearsal.host.component import Context, TlsProxy
from rehearsal.host.desired_state import DesiredStore
from rehearsal.host.envoy.certificate_authority import Authority
from rehearsal.host.envoy.process import Envoy
from rehearsal.host.options import MachineOptions
from rehearsal.host.paths import Home
from rehearsal.host.processes.ports import Ports
from rehearsal.host.processes.process import Processes
from tests.support.backends import free_port, until

pytestmark = pytest.mark.anyio


def context_in(root: Path) -> Context:
    home = Home(root)
    home.make()
    return Context(
        home=home,
        options=MachineOptions(),
        project=root,
        store=DesiredStore(home.objects),
        ports=Ports(home.ports),
        authority=Authority(home.authority),
        processes=Processes(home, lambda: None),
    )


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
