"""The process of the dashboard: the recorder in a thread, and a web server on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from app.monitoring.source import SourceError
from rehearsal.dashboard.process import SERVER_FILE
from rehearsal.dashboard.views import RANGES, TABS, overview, panels
from rehearsal.host.processes.atomic_files import write_atomic
from rehearsal.monitoring.alerts import Alert, Alerts
from rehearsal.monitoring.annotations import FILE, monitoring_folder
from rehearsal.monitoring.early_warning import EarlyWarning
from rehearsal.monitoring.platform import LocalPlatform
from rehearsal.monitoring.recorder import Observer, Recorder
from rehearsal.monitoring.signals import declared
from rehearsal.monitoring.store import RECORDING_FILE, Event, Recording
from rehearsal.monitoring.webhook import Notifications, Webhook
from rehearsal.pulumi.project import Project

HOST: Final = "127.0.0.1"
# Without a platform for this long, nothing is left to record.
_IDLE_SECONDS: Final = 60.0
_PAGE: Final = Path(__file__).parent / "page"
_UPLOT: Final = Path(__file__).parents[1] / "report" / "uplot"
_FILES: Final = {
    "dashboard.css": _PAGE / "dashboard.css",
    "dashboard.js": _PAGE / "dashboard.js",
    "uPlot.iife.min.js": _UPLOT / "uPlot.iife.min.js",
    "uPlot.min.css": _UPLOT / "uPlot.min.css",
}
_SECURITY: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

Handler = Callable[[Request], Awaitable[Response]]


def application(recorder: Recorder, alerts: Alerts, warnings: EarlyWarning, stack: str) -> Starlette:
    """Return the dashboard as an ASGI application."""

    def guarded(handler: Handler) -> Handler:
        async def respond(request: Request) -> Response:
            # A page of another site must not read this one through a name that resolves to loopback.
            if request.headers.get("host", "").rpartition(":")[0] not in _NAMES:
                response: Response = JSONResponse({"error": "the host must be localhost"}, 421)
            else:
                try:
                    response = await handler(request)
                except SourceError as error:
                    response = JSONResponse({"error": str(error)}, 400)
            response.headers.update(_SECURITY)
            return response

        return respond

    async def page(request: Request) -> Response:
        return FileResponse(_PAGE / "dashboard.html")

    async def static(request: Request) -> Response:
        path = _FILES.get(request.path_params["name"])
        return FileResponse(path) if path else JSONResponse({"error": "no such file"}, 404)

    async def show_overview(request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(overview, recorder, alerts, warnings, stack))

    async def show_panels(request: Request) -> Response:
        tab = request.path_params["tab"]
        seconds = RANGES.get(request.query_params.get("range", "1h"))
        if tab not in TABS or seconds is None:
            message = f"the tab is one of {', '.join(TABS)}, the range one of {', '.join(RANGES)}"
            return JSONResponse({"error": message}, 404)
        end = recorder.at or time.time()
        found = await asyncio.to_thread(panels, recorder, recorder.signals, tab, end, seconds)
        events = await asyncio.to_thread(recorder.store.events, end - seconds, end)
        return JSONResponse({**found, "events": [event.to_json() for event in events]})

    async def query_range(request: Request) -> Response:
        form = dict(request.query_params)
        if request.method == "POST":
            form |= dict(parse_qsl((await request.body()).decode()))
        try:
            start, end, step = (float(form[name]) for name in ("start", "end", "step"))
            found = await asyncio.to_thread(recorder.query_range, form["query"], start, end, step)
        except (KeyError, ValueError, SourceError) as error:
            return JSONResponse({"status": "error", "errorType": "bad_data", "error": str(error)}, 400)
        result = [
            {
                "metric": dict(series.labels),
                "values": [[at, repr(value)] for at, value in zip(series.times, series.values, strict=True)],
            }
            for series in found
        ]
        return JSONResponse({"status": "success", "data": {"resultType": "matrix", "result": result}})

    async def show_events(request: Request) -> Response:
        start = float(request.query_params.get("start", 0))
        events = await asyncio.to_thread(recorder.store.events, start, time.time())
        return JSONResponse([event.to_json() for event in events])

    return Starlette(
        routes=[
            Route("/", guarded(page)),
            Route("/static/{name}", guarded(static)),
            Route("/api/overview", guarded(show_overview)),
            Route("/api/panels/{tab}", guarded(show_panels)),
            Route("/api/events", guarded(show_events)),
            # The range query of the Prometheus HTTP API, for every client of it.
            Route("/api/v1/query_range", guarded(query_range), methods=["GET", "POST"]),
        ]
    )


def build(
    project: Project, stack: str, store: Recording, platform: Observer
) -> tuple[Recorder, Alerts, EarlyWarning, Notifications | None]:
    """Create the recorder of a stack with its alerts, early warnings, and webhook notifications.

    Alerts are recorded as events, and sent to the webhook if one is configured.
    """
    folder = monitoring_folder(project.state_folder(stack))
    recorder = Recorder(store, lambda: declared(project, stack), platform, annotations=folder / FILE)
    webhook = Webhook.from_environment(os.environ)

    def send(alert: Alert) -> str:
        return "" if webhook is None else webhook.send(stack, alert)

    def report(alert: Alert, problem: str) -> None:
        store.add_event(Event(recorder.at or time.time(), "source", f"{alert.title}: {problem}"))

    notifications = None if webhook is None else Notifications(send, report)

    def notify(alert: Alert) -> None:
        state = "recovered" if alert.recovered else alert.severity
        at = alert.recovered or recorder.at or time.time()
        store.add_event(Event(at, "alert", f"{state}: {alert.title}", alert.to_json()))
        if notifications is not None:
            notifications.add(alert)

    alerts = Alerts(lambda: recorder.signals, notify)
    recorder.after.append(alerts.update)
    warnings = EarlyWarning(recorder)
    recorder.after.append(warnings.update)
    return recorder, alerts, warnings, notifications


async def serve(project: Project, stack: str, port: int) -> None:
    """Record and serve until SIGTERM or SIGINT, or until the platform has been unavailable for a minute."""
    folder = monitoring_folder(project.state_folder(stack))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Recording(folder / RECORDING_FILE)
    recorder, alerts, warnings, notifications = build(
        project, stack, store, LocalPlatform(project.state_folder(stack), stack)
    )
    stop = threading.Event()
    server = Server(
        application(recorder, alerts, warnings, stack), address=HOST, port=port, interface=Interfaces.ASGI,
        http=HTTPModes.http1, websockets=False, log_enabled=False,
    )  # fmt: skip
    loop = asyncio.get_running_loop()

    def end() -> None:
        stop.set()
        server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    idle = time.monotonic()

    def watch(at: float, results: Any) -> None:
        nonlocal idle
        if recorder.observation is not None:
            idle = time.monotonic()
        elif time.monotonic() - idle > _IDLE_SECONDS:
            loop.call_soon_threadsafe(end)

    recorder.after.append(watch)
    thread = threading.Thread(target=recorder.run, args=(stop,), name="recorder", daemon=True)
    thread.start()
    write_atomic(folder / SERVER_FILE, json.dumps({"pid": os.getpid(), "port": port}))
    try:
        await server.serve()
    finally:
        stop.set()
        await asyncio.to_thread(thread.join, 30.0)
        if notifications is not None:
            await asyncio.to_thread(notifications.close)
        store.close()
        with suppress(OSError):
            (folder / SERVER_FILE).unlink()


def main() -> None:
    """``python -m rehearsal.dashboard.server PROJECT STACK PORT``."""
    root, stack, port = sys.argv[1:4]
    asyncio.run(serve(Project.at(Path(root)), stack, int(port)))


if __name__ == "__main__":
    main()
