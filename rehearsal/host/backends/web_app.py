"""Serve the built web app of `rehearsal:machine.webApp` below `/app/` of the local edge."""

from __future__ import annotations

import sys

from rehearsal.host.component import Context, Readiness, TlsProxy, accepts, base_environment
from rehearsal.host.desired_state import Desired
from rehearsal.host.processes.process import ProcessSpec

NAME = "web-app"
PREFIX = "/app"


class WebApp:
    """One process while the option is set; without a build it returns 404 with the command to build."""

    types: frozenset[str] = frozenset()

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def port(self) -> int | None:
        """The port of the server; None if the option is unset or no object is declared yet."""
        if not self._context.options.web_app or not any(True for _ in self._context.store):
            return None
        return self._context.ports.take(NAME)

    async def sync(self) -> None:
        """Start or stop the process, according to the option."""
        port = self.port
        if port is None:
            if self._context.processes.get(NAME) is not None:
                await self._context.processes.stop(NAME)
                self._context.ports.release([NAME])
            return
        folder = self._context.project / self._context.options.web_app
        module = "rehearsal.host.backends.web_app_server"
        argv = (sys.executable, "-m", module, str(folder), PREFIX, str(port))
        spec = ProcessSpec(NAME, NAME, argv, self._context.project, base_environment(), port=port)
        await self._context.processes.ensure(spec, lambda: accepts(port))

    def tls_proxies(self) -> list[TlsProxy]:
        """Return none: the edge routes to the server without a separate listener."""
        return []

    async def readiness(self, desired: Desired) -> Readiness:
        """Never called: this component emulates no declared type."""
        raise NotImplementedError(desired.type)
