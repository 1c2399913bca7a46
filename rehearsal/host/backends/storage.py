"""Cloud Storage, emulated by one process for all declared buckets behind Envoy, which terminates TLS."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from rehearsal.host.component import Context, Readiness, TlsProxy, accepts, base_environment
from rehearsal.host.desired_state import Desired
from rehearsal.host.errors import MachineError
from rehearsal.host.processes.atomic_files import make_folder
from rehearsal.host.processes.ports import LOOPBACK
from rehearsal.host.processes.process import ProcessSpec

TYPE = "gcp:storage/bucket:Bucket"
NAME = "storage"


class Storage:
    """Run the emulator while at least one bucket is declared; create and delete buckets through its API."""

    types = frozenset({TYPE})

    def __init__(self, context: Context) -> None:
        self._context = context
        self._made: set[str] = set()
        self._listed = False

    async def sync(self) -> None:
        wanted = {desired.name for desired in self._context.store.of_type(TYPE)}
        process = self._context.processes.get(NAME)
        if not wanted:
            if process is not None:
                await self._context.processes.stop(NAME)
                self._context.ports.release([NAME, f"{NAME}/front"])
                await asyncio.to_thread(shutil.rmtree, self._context.home.data / NAME, ignore_errors=True)
            self._made.clear()
            self._listed = False
            return
        port = self._context.ports.take(NAME)
        process = await self._context.processes.ensure(self._spec(port), lambda: accepts(port))
        if process.ready:
            if not self._listed:
                self._made = set(await _names(port, "/storage/v1/b?project=rehearsal"))
                self._listed = True
            for bucket in sorted(wanted - self._made):
                await self._make(port, bucket)
            for bucket in sorted(self._made - wanted):
                await self._remove(port, bucket)

    def tls_proxies(self) -> list[TlsProxy]:
        if not self._context.store.of_type(TYPE):
            return []
        ports = self._context.ports
        return [TlsProxy(NAME, ports.take(f"{NAME}/front"), ports.take(NAME), http=True)]

    async def readiness(self, desired: Desired) -> Readiness:
        process = self._context.processes.get(NAME)
        if process is None or not process.ready or desired.name not in self._made:
            trouble = process.trouble() if process else []
            return Readiness(ready=False, reasons=trouble or [f"{desired.label} does not exist yet"])
        base = f"https://localhost:{self._context.ports.take(f'{NAME}/front')}"
        return Readiness(
            ready=True,
            outputs={"selfLink": f"{base}/storage/v1/b/{desired.name}", "url": f"gs://{desired.name}"},
        )

    def _spec(self, port: int) -> ProcessSpec:
        folder = make_folder(self._context.home.data / NAME)
        argv = (sys.executable, "-m", "rehearsal.host.backends.storage_server", str(folder), str(port))
        return ProcessSpec(NAME, NAME, argv, folder, base_environment(), port=port)

    async def _make(self, port: int, bucket: str) -> None:
        status, _ = await _request(port, "POST", "/storage/v1/b?project=rehearsal", {"name": bucket})
        if status not in {HTTPStatus.OK, HTTPStatus.CONFLICT}:
            raise MachineError(f"bucket {bucket} could not be created: the storage server returned {status}")
        self._made.add(bucket)

    async def _remove(self, port: int, bucket: str) -> None:
        """Delete the bucket and its objects; the GCP provider has already checked `forceDestroy`."""
        base = f"/storage/v1/b/{quote(bucket, safe='')}"
        for name in await _names(port, f"{base}/o"):
            await _request(port, "DELETE", f"{base}/o/{quote(name, safe='')}")
        await _request(port, "DELETE", base)
        self._made.discard(bucket)


async def _names(port: int, path: str) -> list[str]:
    _, body = await _request(port, "GET", path)
    return [item["name"] for item in json.loads(body or b"{}").get("items", [])]


async def _request(
    port: int, method: str, path: str, body: dict[str, Any] | None = None
) -> tuple[int, bytes]:
    """Send one request to the emulator; return the status and the body."""
    content = json.dumps(body).encode() if body is not None else b""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(
            f"{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        head, _, received = (await reader.read()).partition(b"\r\n\r\n")
        return int(head.split()[1]), received
    finally:
        writer.close()
