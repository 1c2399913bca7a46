"""Declared buckets exist in one emulator, with their objects, for as long as they are declared."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from rehearsal.host.backends import storage as module
from rehearsal.host.backends.storage import NAME, TYPE, Storage
from rehearsal.host.component import Context, TlsProxy
from rehearsal.host.errors import MachineError
from tests.rehearsal.host.hosts import desired, host, synchronized

pytestmark = pytest.mark.anyio

MEDIA, BACKUPS = desired(TYPE, "media-1", name="media"), desired(TYPE, "backups-1", name="backups")


async def buckets(context: Context) -> list[str]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{context.ports.take(NAME)}") as client:
        found = (await client.get("/storage/v1/b", params={"project": "rehearsal"})).json()
    return sorted(item["name"] for item in found.get("items", []))


async def upload(context: Context, bucket: str, name: str) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{context.ports.take(NAME)}") as client:
        response = await client.post(
            f"/upload/storage/v1/b/{bucket}/o", params={"uploadType": "media", "name": name}, content=b"x"
        )
        response.raise_for_status()


async def test_buckets_are_created_and_deleted_with_their_objects(tmp_path: Path) -> None:
    async with host(tmp_path) as context:
        storage = Storage(context)
        assert storage.tls_proxies() == []
        context.store.put(MEDIA)
        first = await storage.readiness(MEDIA)
        assert (first.ready, first.reasons) == (False, ["Bucket media does not exist yet"])
        ready = await synchronized(storage, MEDIA)
        front = context.ports.take(f"{NAME}/front")
        assert ready.outputs == {
            "selfLink": f"https://localhost:{front}/storage/v1/b/media", "url": "gs://media"
        }  # fmt: skip
        assert storage.tls_proxies() == [TlsProxy(NAME, front, context.ports.take(NAME), http=True)]
        context.store.put(BACKUPS)
        await synchronized(storage, BACKUPS)
        assert await buckets(context) == ["backups", "media"]
        # An emulator does not delete a bucket with objects; a name may need quoting.
        await upload(context, "media", "a folder/ä?.webp")
        context.store.remove(MEDIA.urn, MEDIA.id)
        await storage.sync()
        assert await buckets(context) == ["backups"]
        assert not (await storage.readiness(MEDIA)).ready

        # A supervisor that takes over finds the buckets of the earlier one.
        again = Storage(context)
        context.store.put(MEDIA)
        await synchronized(again, MEDIA)
        assert await buckets(context) == ["backups", "media"]
        context.store.remove(BACKUPS.urn, BACKUPS.id)
        await again.sync()
        assert await buckets(context) == ["media"]

        # The server, its port and its data are removed with the last bucket.
        process, data = context.processes.get(NAME), context.home.data / NAME
        assert process is not None
        assert data.exists()
        context.store.remove(MEDIA.urn, MEDIA.id)
        await again.sync()
        assert (context.processes.get(NAME), process.pid, data.exists()) == (None, None, False)
        assert storage.tls_proxies() == []


async def test_server_that_does_not_start_is_the_reason_and_its_log_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with host(tmp_path) as context:
        context.store.put(MEDIA)
        monkeypatch.setattr(module.sys, "executable", "/bin/ls")
        storage = Storage(context)
        found = await synchronized(storage, MEDIA, lambda found: "ended with exit code" in str(found.reasons))
        assert found.reasons[0].startswith("storage: ended with exit code 2 (")
        assert any("/bin/ls" in reason for reason in found.reasons[1:])


async def test_bucket_that_the_server_refuses_is_an_error_with_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        status = b"200 OK" if line.startswith(b"GET") else b"507 Insufficient Storage"
        writer.write(b"HTTP/1.0 " + status + b"\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with host(tmp_path) as context:
            storage = Storage(context)
            with pytest.raises(MachineError, match=r"bucket media could not be created: .+ returned 507"):
                await storage._make(port, "media")
            assert not (await storage.readiness(MEDIA)).ready
    finally:
        server.close()
