"""The server of the built web app runs while the option is set and something is declared."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from rehearsal.host.backends.web_app import NAME, PREFIX, WebApp
from rehearsal.host.component import Context, accepts
from rehearsal.host.options import MachineOptions
from tests.rehearsal.host.hosts import desired, host
from tests.support.backends import until

pytestmark = pytest.mark.anyio

ROUTE = desired("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute", "api")
OPTIONS = MachineOptions(web_app="dist/web")


def process(context: Context) -> object:
    return context.processes.get(NAME)


@pytest.mark.parametrize(("web_app", "declared"), [("", True), ("dist/web", False)])
async def test_nothing_is_served_without_the_option_or_a_declared_object(
    tmp_path: Path, web_app: str, declared: bool
) -> None:
    async with host(tmp_path, MachineOptions(web_app=web_app)) as context:
        if declared:
            context.store.put(ROUTE)
        component = WebApp(context)
        await component.sync()
        assert (component.port, process(context), component.tls_proxies()) == (None, None, [])


async def test_folder_of_the_option_is_served_until_the_option_is_unset(tmp_path: Path) -> None:
    (tmp_path / "dist/web").mkdir(parents=True)
    (tmp_path / "dist/web/index.html").write_text("<html>built</html>")
    async with host(tmp_path, OPTIONS) as context:
        context.store.put(ROUTE)
        component = WebApp(context)
        await component.sync()
        port = component.port
        assert port is not None
        await until(lambda: accepts(port), 20)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            response = await client.get(f"{PREFIX}/")
        assert (response.status_code, response.text) == (200, "<html>built</html>")
        # As `kingdom up` does with a changed stack file.
        object.__setattr__(context.options, "web_app", "")
        await component.sync()
        assert (component.port, process(context)) == (None, None)
        assert not await accepts(port)
