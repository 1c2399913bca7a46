"""The process of the dashboard: the recorder in a thread, and a web server on loopback.

The web server is that of the standard library: an event loop with an ASGI server takes 20 MB more, and the
process must use less than 100 MB.
"""

from __future__ import annotations

import json
import math
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from app.monitoring.source import SourceError
from rehearsal import interrupts
from rehearsal.dashboard.process import IN_USE, SERVER_FILE
from rehearsal.dashboard.views import RANGES, TABS, overview, panels
from rehearsal.errors import KingdomError
from rehearsal.host.processes.atomic_files import write_atomic
from rehearsal.monitoring.alerts import Alert, Alerts
from rehearsal.monitoring.annotations import FILE, monitoring_folder
from rehearsal.monitoring.early_warning import EarlyWarning
from rehearsal.monitoring.platform import LocalPlatform
from rehearsal.monitoring.recorder import Observer, Recorder
from rehearsal.monitoring.signals import declared
from rehearsal.monitoring.store import RECORDING_FILE, Event, Recording, RecordingInUseError
from rehearsal.monitoring.webhook import Notifications, Webhook
from rehearsal.pulumi.project import Project

HOST: Final = "127.0.0.1"
# Without a platform for this long, nothing is left to record.
_IDLE_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 30.0
_PAGE: Final = Path(__file__).parent / "page"
_UPLOT: Final = Path(__file__).parents[1] / "report" / "uplot"
_FILES: Final = {
    "/": (_PAGE / "dashboard.html", "text/html; charset=utf-8"),
    "/static/dashboard.css": (_PAGE / "dashboard.css", "text/css; charset=utf-8"),
    "/static/dashboard.js": (_PAGE / "dashboard.js", "text/javascript; charset=utf-8"),
    "/static/uPlot.iife.min.js": (_UPLOT / "uPlot.iife.min.js", "text/javascript; charset=utf-8"),
    "/static/uPlot.min.css": (_UPLOT / "uPlot.min.css", "text/css; charset=utf-8"),
}
_SECURITY: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

# A connection without a request for this many seconds is closed.
_IDLE_CONNECTION_SECONDS: Final = 60.0
_MAX_FORM_BYTES: Final = 64 * 1024


class RequestError(Exception):
    """A request that cannot be served: its status and the content of the response."""

    def __init__(self, status: HTTPStatus, content: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.content = content


@dataclass(frozen=True)
class Dashboard:
    """The content of the dashboard by path."""

    recorder: Recorder
    alerts: Alerts
    warnings: EarlyWarning
    stack: str

    def get(self, path: str, form: dict[str, str]) -> Any:
        """Return plain JSON. Raises RequestError, or SourceError where the recording cannot be read."""
        if path == "/api/overview":
            return overview(self.recorder, self.alerts, self.warnings, self.stack)
        if path == "/api/events":
            start = _number(form, "start", 0.0)
            return [event.to_json() for event in self.recorder.store.events(start, time.time())]
        if path == "/api/v1/query_range":
            return self._query_range(form)
        if path.startswith("/api/panels/"):
            return self._panels(path.removeprefix("/api/panels/"), form.get("range", "1h"))
        raise RequestError(HTTPStatus.NOT_FOUND, {"error": f"{path} does not exist"})

    def _panels(self, tab: str, period: str) -> Any:
        seconds = RANGES.get(period)
        if tab not in TABS or seconds is None:
            message = f"the tab is one of {', '.join(TABS)}, the range one of {', '.join(RANGES)}"
            raise RequestError(HTTPStatus.NOT_FOUND, {"error": message})
        end = self.recorder.at or time.time()
        found = panels(self.recorder, self.recorder.signals, tab, end, seconds)
        events = self.recorder.store.events(end - seconds, end)
        return {**found, "events": [event.to_json() for event in events]}

    def _query_range(self, form: dict[str, str]) -> Any:
        """Return the result of a range query in the format of the Prometheus HTTP API."""
        try:
            start, end, step = (_number(form, name) for name in ("start", "end", "step"))
            found = self.recorder.query_range(form.get("query", ""), start, end, step)
        except (RequestError, SourceError) as error:
            text = error.content["error"] if isinstance(error, RequestError) else str(error)
            content = {"status": "error", "errorType": "bad_data", "error": text}
            raise RequestError(HTTPStatus.BAD_REQUEST, content) from error
        result = [
            {
                "metric": dict(series.labels),
                "values": [[at, repr(value)] for at, value in zip(series.times, series.values, strict=True)],
            }
            for series in found
        ]
        return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def _number(form: dict[str, str], name: str, default: float | None = None) -> float:
    text = form.get(name)
    if text is None and default is not None:
        return default
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RequestError(HTTPStatus.BAD_REQUEST, {"error": f"{name} is not a number: {text!r}"})
    return value


class DashboardServer(ThreadingHTTPServer):
    """Serves a dashboard on loopback; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, dashboard: Dashboard, port: int) -> None:
        self.dashboard = dashboard
        self._open: set[socket.socket] = set()
        super().__init__((HOST, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve the requests of a connection in a thread."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Close the server and the connections that browsers keep open."""
        super().server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log errors of the server, but not connections that a browser closes."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_CONNECTION_SECONDS

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _MAX_FORM_BYTES:
            self.close_connection = True
            self._send_json(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "the form needs a length"})
            return
        body = self.rfile.read(int(length)).decode(errors="replace")
        if urlsplit(self.path).path != "/api/v1/query_range":
            self._send_json(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "only queries are posted"})
            return
        self._serve(dict(parse_qsl(body)))

    def _serve(self, posted: dict[str, str] | None = None) -> None:
        # A page of another site must not read this one through a name that resolves to loopback.
        if self.headers.get("host", "").rpartition(":")[0] not in _NAMES:
            self._send_json(HTTPStatus.MISDIRECTED_REQUEST, {"error": "the host must be localhost"})
            return
        url = urlsplit(self.path)
        path = unquote(url.path)
        if path in _FILES:
            file, media_type = _FILES[path]
            self._send(HTTPStatus.OK, file.read_bytes(), media_type)
            return
        form = dict(parse_qsl(url.query)) | (posted or {})
        assert isinstance(self.server, DashboardServer)
        try:
            self._send_json(HTTPStatus.OK, self.server.dashboard.get(path, form))
        except RequestError as error:
            self._send_json(error.status, error.content)
        except SourceError as error:
            self._send_json(HTTPStatus.BAD_REQUEST, {"error": str(error)})

    def _send_json(self, status: HTTPStatus, content: Any) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, media_type: str) -> None:
        self.send_response(status)
        for name, value in {**_SECURITY, "content-type": media_type}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name of the base class)
        """Requests are not logged."""


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


def serve(project: Project, stack: str, port: int) -> None:
    """Record and serve until SIGTERM, SIGINT, or until the platform has been unavailable for a minute.

    Raises KingdomError, SourceError, or OSError for a port that is in use.
    """
    folder = monitoring_folder(project.state_folder(stack))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Recording(folder / RECORDING_FILE)
    notifications = None
    stop = threading.Event()
    try:
        recorder, alerts, warnings, notifications = build(
            project, stack, store, LocalPlatform(project.state_folder(stack), stack)
        )
        server = DashboardServer(Dashboard(recorder, alerts, warnings, stack), port)
        with interrupts.stopping(stop):
            idle = time.monotonic()

            def watch(at: float, results: Any) -> None:
                nonlocal idle
                if recorder.observation is not None:
                    idle = time.monotonic()
                elif time.monotonic() - idle > _IDLE_SECONDS:
                    stop.set()

            recorder.after.append(watch)
            recording = threading.Thread(target=recorder.run, args=(stop,), name="recorder", daemon=True)
            serving = threading.Thread(target=server.serve_forever, name="server", daemon=True)
            recording.start()
            serving.start()
            write_atomic(folder / SERVER_FILE, json.dumps({"pid": os.getpid(), "port": port}))
            try:
                interrupts.wait(stop)
            finally:
                stop.set()
                server.shutdown()
                server.server_close()
                recording.join(_STOP_SECONDS)
                with suppress(OSError):
                    (folder / SERVER_FILE).unlink()
    finally:
        if notifications is not None:
            notifications.close()
        store.close()


def main() -> None:
    """``python -m rehearsal.dashboard.server PROJECT STACK PORT``."""
    root, stack, port = sys.argv[1:4]
    try:
        serve(Project.at(Path(root)), stack, int(port))
    except RecordingInUseError as error:
        print(error, file=sys.stderr)
        sys.exit(IN_USE)
    except (KingdomError, SourceError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
