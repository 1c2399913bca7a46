"""The dashboard over a recording without a platform, served on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from rehearsal.dashboard.server import application
from rehearsal.monitoring.alerts import Alerts
from rehearsal.monitoring.early_warning import EarlyWarning
from rehearsal.monitoring.recorder import Recorder
from rehearsal.monitoring.store import Event
from tests.rehearsal.monitoring.recording import MadeUp
from tests.support.backends import free_port


def recorded(steps: int = 60) -> tuple[Recorder, Alerts, EarlyWarning]:
    """A quarter of an hour with a deployment, a scaling decision and a drill."""
    made_up = MadeUp()
    recorder = made_up.recorder()
    alerts = Alerts(lambda: recorder.signals)
    recorder.after.append(alerts.update)
    for _ in range(steps):
        at = recorder.step()
        made_up.advance()
    recorder.store.add_event(Event(at - 300, "deployment", "api: new revision", {"changes": ["spec.image"]}))
    recorder.store.add_event(
        Event(at - 200, "scaling", "api: 2 to 3 replicas", {"outcome": "cpu above 65 %"})
    )
    recorder.store.add_event(Event(at - 400, "drill", "kill api", {"seed": 7}, at - 350))
    return recorder, alerts, EarlyWarning(recorder)


@contextmanager
def served(recorder: Recorder, alerts: Alerts, warnings: EarlyWarning) -> Iterator[str]:
    port = free_port()
    server = Server(
        application(recorder, alerts, warnings, "local"), address="127.0.0.1", port=port,
        interface=Interfaces.ASGI, http=HTTPModes.http1, websockets=False, log_enabled=False,
    )  # fmt: skip
    loop = asyncio.new_event_loop()

    def run() -> None:
        loop.run_until_complete(server.serve())

    thread = threading.Thread(target=run)
    thread.start()
    url = f"http://localhost:{port}"
    try:
        while True:
            try:
                httpx.get(url)
                break
            except httpx.HTTPError:
                assert thread.is_alive()
        yield url
    finally:
        loop.call_soon_threadsafe(server.stop)
        thread.join()
        loop.close()
