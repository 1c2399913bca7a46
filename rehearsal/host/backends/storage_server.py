"""Run the storage emulator so that it can be killed at any time.

`gcp-storage-emulator` rewrites its index file in place on every change, so a kill during the write loses all
objects; here the write is an atomic rename. The emulator also parses uploaded JSON instead of storing it, and
returns ``http://`` links to itself; these are rewritten to the TLS address of Envoy.

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
    """File storage of the emulator that replaces files atomically."""

    def write_bytes(self, rel: str, content: bytes) -> None:
        path = self._disk_path(rel)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)


class SecureRequest(server.Request):
    """Request whose response links use the TLS address of Envoy, and whose uploads are stored as sent."""

    def __init__(self, request_handler: Any, method: str) -> None:
        super().__init__(request_handler, method)
        for name in ("_base_url", "_full_url"):
            setattr(self, name, getattr(self, name).replace("http://", "https://", 1))

    @property
    def data(self) -> Any:
        if self._data is server._UNSET and self._query.get("uploadType") == ["media"]:
            raw = server._read_raw_data(self._request_handler)
            self._data = server._decode_raw_data(raw, self._request_handler) or b""
        return super().data


class StorageServer(HTTPServer):
    """HTTP server that handles one request at a time, because the index is not thread-safe.

    Envoy queues the rest.
    """

    request_queue_size = 1024


class StorageHandler(server.RequestHandler):
    # A client that stops sending must not block all others.
    timeout = 30

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name of the base class)
        """Log nothing: Envoy writes the access log."""


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    logging.basicConfig(level=logging.WARNING)
    storage._FileStore = DurableFiles
    server.Request = SecureRequest
    content = storage.Storage(data_dir=str(folder))
    with StorageServer(("127.0.0.1", port), partial(StorageHandler, content)) as listener:
        listener.serve_forever(poll_interval=3600)


if __name__ == "__main__":
    main()
