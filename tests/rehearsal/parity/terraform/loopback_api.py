"""An API on the loopback interface that stores what it is sent and returns it, for the echo test.

A POST creates an object under a new id, PUT and PATCH change it, GET returns it, DELETE removes it. A
setting, of which there is one, is read at the path of its POST. Responses have the envelope of Cloudflare's
API. A configuration that plans a change against its own echo never settles.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class LoopbackApi:
    """The address of the API, the stored objects by path, and the requests in order."""

    url: str = ""
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def respond(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return the status and the object that a request results in."""
        with self.lock:
            self.requests.append((method, path))
            if method == "POST":
                identifier = f"{len(self.objects) + 1:032x}"
                stored = self._identified(body, identifier)
                self.objects[f"{path}/{identifier}"] = self.settings[path] = stored
                return 200, stored
            if method in ("PUT", "PATCH"):
                before = self.objects.get(path, {})
                identifier = str(before.get("id") or path.rsplit("/", 1)[-1])
                merged = before | body if isinstance(body, dict) else before
                self.objects[path] = self._identified(merged, identifier)
                return 200, self.objects[path]
            if method == "DELETE":
                self.objects.pop(path, None)
                return 200, {}
            found = self.objects.get(path, self.settings.get(path))
            return (200, found) if found is not None else (404, None)

    def _identified(self, body: Any, identifier: str) -> dict[str, Any]:
        held = dict(body) if isinstance(body, dict) else {"value": body}
        for number, rule in enumerate(held.get("rules") or ()):
            if isinstance(rule, dict):
                rule.setdefault("id", f"{number + 1:032x}")
        return {"id": identifier, **held}


@contextlib.contextmanager
def running() -> Iterator[LoopbackApi]:
    """Serve the API on a free port of the loopback interface."""
    api = LoopbackApi()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"null")
            status, result = api.respond(self.command, self.path.partition("?")[0], body)
            errors: list[Any] = [] if status == 200 else [{"code": 1000, "message": "not found"}]
            sent = json.dumps({"success": status == 200, "errors": errors, "messages": [], "result": result})
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent.encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Write nothing: the test reads `requests`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
