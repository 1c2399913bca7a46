"""The storage emulator of the local platform."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx

from tests.support.backends import Process, free_port


def test_uploads_are_stored_as_they_were_sent(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "rehearsal.host.backends.storage_server", str(tmp_path), str(port)]
    emulator = Process(command, port, tmp_path / "storage.log")
    emulator.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            client.post("/storage/v1/b", json={"name": "media"}).raise_for_status()
            for content in (b'{"a": [1]}', b""):
                stored = client.post(
                    "/upload/storage/v1/b/media/o",
                    params={"uploadType": "media", "name": "a.json"},
                    content=content,
                    headers={"content-type": "application/json"},
                )
                assert stored.status_code == 200, emulator.log.read_text()
                found = client.get("/storage/v1/b/media/o/a.json", params={"alt": "media"})
                assert found.content == content
                assert found.headers["content-type"] == "application/json"
    finally:
        emulator.kill()
