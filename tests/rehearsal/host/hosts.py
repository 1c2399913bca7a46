"""Hosts with real processes, for tests of the components."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from rehearsal.host.component import Component, Context, Readiness
from rehearsal.host.desired_state import Desired, DesiredStore
from rehearsal.host.envoy.certificate_authority import Authority
from rehearsal.host.options import MachineOptions
from rehearsal.host.paths import Home
from rehearsal.host.processes.ports import Ports
from rehearsal.host.processes.process import Processes


def context_in(root: Path, options: MachineOptions | None = None) -> Context:
    """The context of a host whose home is `root`; the project is there too."""
    home = Home(root)
    home.make()
    return Context(
        home=home,
        options=options or MachineOptions(),
        project=root,
        store=DesiredStore(home.objects),
        ports=Ports(home.ports),
        authority=Authority(home.authority),
        processes=Processes(home, lambda: None),
    )


@asynccontextmanager
async def host(root: Path, options: MachineOptions | None = None) -> AsyncIterator[Context]:
    """A host; its processes are stopped at the end."""
    context = context_in(root, options)
    try:
        yield context
    finally:
        await context.processes.stop_all()


def desired(type_: str, urn_name: str, /, **inputs: object) -> Desired:
    """A declared cloud resource."""
    return Desired(f"urn:pulumi:local::k::{type_}::{urn_name}", type_, urn_name, dict(inputs))


async def synchronized(
    component: Component, object_: Desired, holds: Callable[[Readiness], bool] = lambda found: found.ready
) -> Readiness:
    """Reconcile as the supervisor does until the readiness of an object is as expected."""
    async with asyncio.timeout(30):
        while True:
            await component.sync()
            found = await component.readiness(object_)
            if holds(found):
                return found
            await asyncio.sleep(0.02)
