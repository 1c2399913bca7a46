"""HTTP server for range queries of the Prometheus API and for Google's metadata server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

TOKEN = "a-token-of-the-metadata-server"
_ACCOUNT = "/computeMetadata/v1/instance/service-accounts/"


@dataclass
class PrometheusServer:
    """The series of each query: labels, and a function from the fraction of the period (0 to 1) to the value.

    `status` other than 200 refuses every query; a server that `hangs` responds when it is stopped.
    """

    lines: Mapping[str, list[tuple[dict[str, str], Callable[[float], str]]]]
    status: int = 200
    hangs: bool = False
    tokens: set[str | None] = field(default_factory=set)
    queried: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def respond(self, form: Mapping[str, list[str]]) -> tuple[int, object]:
        self.queried.set()
        if self.hangs:
            self.stopped.wait()
        if self.status != 200:
            message = "Permission monitoring.timeSeries.list denied"
            return self.status, {"error": {"code": self.status, "message": message}}
        start, end, step = (float(form[name][0]) for name in ("start", "end", "step"))
        times = [start + step * index for index in range(int((end - start) / step) + 1)]
        result = [
            {"metric": labels, "values": [[at, value((at - start) / (end - start))] for at in times]}
            for labels, value in self.lines.get(form["query"][0], [])
        ]
        return 200, {"status": "success", "data": {"resultType": "matrix", "result": result}}


@contextmanager
def serving(server: PrometheusServer) -> Iterator[PrometheusServer]:
    """Serve until the end of the block, on a free port; the same port is the metadata server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            server.tokens.add(self.headers["authorization"])
            if self.path != "/api/v1/query_range":
                return self._send(404, {"status": "error"})
            return self._send(*server.respond(form))

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path.startswith(_ACCOUNT) and path.endswith("/token"):
                self._send(200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
            elif path.startswith(_ACCOUNT):
                self._send(200, {"email": "monitor@kingdom.iam.gserviceaccount.com", "scopes": []})
            else:
                self._send(200, "kingdom")

        def _send(self, status: int, content: object) -> None:
            body = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("content-type", "text/plain" if isinstance(content, str) else "application/json")
            self.send_header("content-length", str(len(body)))
            self.send_header("metadata-flavor", "Google")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name of the base class)
            """Requests are not logged."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    server.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        listening.shutdown()
        listening.server_close()
        thread.join()
