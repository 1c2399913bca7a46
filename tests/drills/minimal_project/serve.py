"""Server of the minimal project: returns the mounted configuration as JSON; `BROKEN` fails readiness.

After SIGTERM it completes the responses that it has begun, as Kubernetes expects of a pod.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/ready":
            broken = os.environ["BROKEN"] == "yes"
            if broken:
                print("cannot serve: BROKEN is yes")
            self.response(503 if broken else 200, {})
            return
        mounted = {
            path.name: path.read_text() for path in Path(os.environ["HERE"]).iterdir() if path.is_file()
        }
        hidden = Path(os.environ["HIDDEN"]).read_text()
        self.response(200, {"pod": os.environ["POD_NAME"], "mounted": mounted, "hidden": hidden})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as the base names it)
        """Do not log requests."""

    def response(self, status: int, data: dict[str, object]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Waits for the threads of its requests when it closes."""

    daemon_threads = False


if __name__ == "__main__":
    if os.environ["BROKEN"] == "crash":
        raise SystemExit("cannot start: BROKEN is crash")
    with Server((os.environ["HOST"], int(os.environ["PORT"])), Handler) as server:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever()
