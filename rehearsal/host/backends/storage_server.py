"""The storage emulator as a process that may be killed at any moment.

`gcp-storage-emulator` keeps its index in one file, which it truncates and writes again at every change: a
kill in between loses every object. Here that write is a rename. It also gives clients ``http://`` links to
itself, where they have come through Envoy over TLS.

Run as ``python -m rehearsal.host.backends.storage_server FOLDER PORT``.
"""

from __future__ import annotations

import logging
import sys
from functools import partial
from http.server import HTTPServer
from pathlib import Path
from typing import Any

from gcp_storage_emulator import server, storage

from rehearsal.host.processes.atomic_files import write_atomic


class DurableFiles(storage._FileStore):
    """The emulator's files, each replaced whole."""

    def write_bytes(self, rel: str, content: bytes) -> None:
        path = self._disk_path(rel)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)


class SecureRequest(server.Request):
    """A request whose links lead back through Envoy."""

    def __init__(self, request_handler: Any, method: str) -> None:
        super().__init__(request_handler, method)
        for name in ("_base_url", "_full_url"):
            setattr(self, name, getattr(self, name).replace("http://", "https://", 1))


class Listener(HTTPServer):
    """One request at a time, as the emulator's index demands; Envoy keeps the others waiting in order."""

    request_queue_size = 1024


class Handler(server.RequestHandler):
    # A client that stops in mid-request must not block all others indefinitely.
    timeout = 30

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name of the base class)
        """Envoy has a log of its own."""


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    logging.basicConfig(level=logging.WARNING)
    storage._FileStore = DurableFiles
    server.Request = SecureRequest
    content = storage.Storage(data_dir=str(folder))
    with Listener(("127.0.0.1", port), partial(Handler, content)) as listener:
        listener.serve_forever(poll_interval=3600)


if __name__ == "__main__":
    main()
