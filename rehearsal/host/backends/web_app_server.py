"""Serve the files of a built web app below one path, for the local edge.

Files with a content hash in their name are cacheable for one year; all others are revalidated. A path without
a file is a client-side route and returns ``index.html``; a missing file with an extension returns 404.
Clients that accept Brotli or gzip receive the ``.br`` or ``.gz`` file next to the requested one.

Run as ``python -m rehearsal.host.backends.web_app_server FOLDER PREFIX PORT``.
"""

from __future__ import annotations

import mimetypes
import re
import sys
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from rehearsal.host.processes.ports import LOOPBACK

_HASHED: Final = re.compile(r"-[0-9a-f]{16,}\.|\.[0-9a-f]{16,}\.")
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_REVALIDATED: Final = "no-cache"
# Content codings by preference, with the suffix of their files.
_CODINGS: Final = {"br": ".br", "gzip": ".gz"}


class WebAppHandler(BaseHTTPRequestHandler):
    """Serve GET and HEAD requests for one app."""

    protocol_version = "HTTP/1.1"
    # Seconds after which a client that stops sending is disconnected, which frees its thread.
    timeout = 30

    def __init__(self, folder: Path, prefix: str, *args: object) -> None:
        self._folder = folder.resolve()
        self._prefix = prefix
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._respond(head=False)

    def do_HEAD(self) -> None:
        self._respond(head=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name of the base class)
        """Log nothing: Envoy writes the access log."""

    def _respond(self, *, head: bool) -> None:
        path = self._file(unquote(urlsplit(self.path).path))
        if path is None:
            self._send(
                HTTPStatus.NOT_FOUND, "text/plain", b"no such file; `make mobile` builds the app\n", head=head
            )
            return
        coding, encoded = self._encoded(path)
        body = encoded.read_bytes()
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        cache = _IMMUTABLE if _HASHED.search(path.name) else _REVALIDATED
        headers = {"cache-control": cache, "vary": "accept-encoding"}
        if coding is not None:
            headers["content-encoding"] = coding
        self._send(HTTPStatus.OK, media_type, body, headers, head=head)

    def _encoded(self, path: Path) -> tuple[str | None, Path]:
        """Return the first content coding that the client accepts and the build has, and its file."""
        entries = self.headers.get("accept-encoding", "").lower().split(",")
        accepted = {
            name.strip()
            for name, _, quality in (entry.partition(";") for entry in entries)
            if quality.strip() != "q=0"
        }
        for coding, suffix in _CODINGS.items():
            encoded = path.with_name(f"{path.name}{suffix}")
            if coding in accepted and encoded.is_file():
                return coding, encoded
        return None, path

    def _file(self, path: str) -> Path | None:
        """Return the file for a path below the prefix; ``index.html`` for a client-side route."""
        relative = path.removeprefix(self._prefix).lstrip("/")
        wanted = (self._folder / relative).resolve()
        index = self._folder / "index.html"
        if wanted.is_relative_to(self._folder) and wanted.is_file():
            return wanted
        return index if index.is_file() and not wanted.suffix else None

    def _send(
        self, status: int, media_type: str, body: bytes, headers: dict[str, str] | None = None, *, head: bool
    ) -> None:
        self.send_response(status)
        for name, value in {
            "content-type": media_type,
            "content-length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if not head:
            self.wfile.write(body)


def serve(folder: Path, prefix: str, port: int) -> ThreadingHTTPServer:
    """Return a server for ``folder``; the caller runs it."""
    return ThreadingHTTPServer((LOOPBACK, port), partial(WebAppHandler, folder, prefix))


def main() -> None:
    serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])).serve_forever()


if __name__ == "__main__":
    main()
