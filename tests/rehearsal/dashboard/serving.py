"""Serve a dashboard on loopback with a recording instead of a running platform."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rehearsal.dashboard.server import Dashboard, DashboardServer
from rehearsal.monitoring.alerts import Alerts
from rehearsal.monitoring.early_warning import EarlyWarning
from rehearsal.monitoring.recorder import Recorder
from rehearsal.monitoring.store import Event
from tests.rehearsal.monitoring.recording import MadeUp


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
    server = DashboardServer(Dashboard(recorder, alerts, warnings, "local"), 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
