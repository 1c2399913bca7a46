"""MongoDB Atlas clusters, emulated by a local server: `mongod` if installed, otherwise `nx-27017`.

`transaction_proxy` serializes the transactions of `nx-27017`. Envoy terminates TLS and requires a client
certificate issued by the local certificate authority.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from rehearsal.host.component import Context, Readiness, TlsProxy, accepts, base_environment
from rehearsal.host.desired_state import Desired
from rehearsal.host.paths import slug
from rehearsal.host.processes.atomic_files import make_folder
from rehearsal.host.processes.ports import LOOPBACK
from rehearsal.host.processes.process import ProcessSpec

CLUSTER = "mongodbatlas:index/advancedCluster:AdvancedCluster"
USER = "mongodbatlas:index/x509AuthenticationDatabaseUser:X509AuthenticationDatabaseUser"
_REPLICA_SET = "rehearsal"


class MongoDB:
    """Run one server per declared cluster and issue one certificate per X.509 user."""

    types = frozenset({CLUSTER, USER})

    def __init__(self, context: Context) -> None:
        self._context = context
        self._mongod = shutil.which("mongod")

    async def sync(self) -> None:
        wanted = {f"mongodb/{desired.name}" for desired in self._context.store.of_type(CLUSTER)}
        for process in self._context.processes:
            if process.spec.kind == "mongodb" and process.spec.name.removesuffix("/proxy") not in wanted:
                await self._remove(process.spec.name)
        for name in sorted(wanted):
            port = self._context.ports.take(name)
            if self._mongod:
                await self._context.processes.ensure(
                    self._mongod_process(name, port), lambda port=port: _initiated(port)
                )
                continue
            await self._context.processes.ensure(
                self._wire_server(name, port), lambda port=port: accepts(port)
            )
            proxy = self._context.ports.take(f"{name}/proxy")
            await self._context.processes.ensure(
                self._transaction_proxy(name, proxy, port), lambda proxy=proxy: accepts(proxy)
            )

    def tls_proxies(self) -> list[TlsProxy]:
        return [
            TlsProxy(
                name=f"mongodb/{desired.name}",
                port=self._context.ports.take(f"mongodb/{desired.name}/front"),
                upstream=self._context.ports.take(
                    f"mongodb/{desired.name}" if self._mongod else f"mongodb/{desired.name}/proxy"
                ),
                client_certificates=True,
            )
            for desired in self._context.store.of_type(CLUSTER)
        ]

    async def readiness(self, desired: Desired) -> Readiness:
        if desired.type == USER:
            return Readiness(ready=True, outputs=self._certificate(desired))
        name = f"mongodb/{desired.name}"
        processes = [self._context.processes.get(name)]
        if not self._mongod:
            processes.append(self._context.processes.get(f"{name}/proxy"))
        if not all(process and process.ready for process in processes):
            reasons = [reason for process in processes if process for reason in process.trouble()]
            return Readiness(ready=False, reasons=reasons or [f"{desired.label} is not responding yet"])
        port = self._context.ports.take(f"{name}/front")
        # Without it, a driver would connect to the address in the replica set configuration, which bypasses
        # TLS.
        direct = "&directConnection=true" if self._mongod else ""
        address = f"mongodb://localhost:{port}/?tls=true{direct}"
        return Readiness(
            ready=True, outputs={"connectionStrings": {"standard": address, "standardSrv": address}}
        )

    def notes(self) -> list[str]:
        server = "mongod, a replica set of one" if self._mongod else "nx-27017, one transaction at a time"
        return [
            f"{desired.label}: runs as {server}; zones, backups and compute autoscaling are planned only"
            for desired in self._context.store.of_type(CLUSTER)
        ]

    def _certificate(self, desired: Desired) -> dict[str, object]:
        subject = str(desired.inputs.get("username") or desired.name)
        leaf = self._context.authority.client(
            self._context.home.certificates / slug(f"client-{subject}"), subject
        )
        pem = leaf.certificate.read_text() + leaf.key.read_text()
        return {"certificate": pem, "currentCertificate": pem}

    def _folder(self, name: str) -> Path:
        return self._context.home.data / "mongodb" / slug(name.removeprefix("mongodb/"))

    def _mongod_process(self, name: str, port: int) -> ProcessSpec:
        folder = make_folder(self._folder(name))
        argv = (
            str(self._mongod),
            *("--dbpath", str(folder), "--bind_ip", LOOPBACK, "--port", str(port)),
            *("--replSet", _REPLICA_SET, "--wiredTigerCacheSizeGB", "0.5", "--nounixsocket"),
        )
        return ProcessSpec(name, "mongodb", argv, folder, base_environment(), grace=30.0, port=port)

    def _wire_server(self, name: str, port: int) -> ProcessSpec:
        folder = make_folder(self._folder(name))
        pid_file = folder / "pid"
        argv = (
            *(sys.executable, "-m", "rehearsal.host.backends.mongodb_server"),
            *("--db", str(folder / "data.db"), "--host", LOOPBACK, "--port", str(port)),
            # The defaults are the same for every instance on the machine. The content of the log file goes to
            # the standard error stream too, and from there to a log that is rotated.
            *("--pid-file", str(pid_file), "--log-file", os.devnull),
        )
        return ProcessSpec(name, "mongodb", argv, folder, base_environment(), port=port, stale=(pid_file,))

    def _transaction_proxy(self, name: str, port: int, upstream: int) -> ProcessSpec:
        argv = (sys.executable, "-m", "rehearsal.host.backends.transaction_proxy", str(port), str(upstream))
        return ProcessSpec(
            f"{name}/proxy", "mongodb", argv, self._folder(name), base_environment(), port=port
        )

    async def _remove(self, name: str) -> None:
        """Stop the server and delete its data, as deleting an Atlas cluster does."""
        await self._context.processes.stop(name)
        if not name.endswith("/proxy"):
            await self._context.processes.stop(f"{name}/proxy")
            self._context.ports.release([name, f"{name}/proxy", f"{name}/front"])
            await asyncio.to_thread(shutil.rmtree, self._folder(name), ignore_errors=True)


async def _initiated(port: int) -> bool:
    """Return whether mongod is the primary of its replica set; initiate the set on first use."""
    from pymongo import AsyncMongoClient
    from pymongo.errors import PyMongoError

    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
        LOOPBACK, port, directConnection=True, serverSelectionTimeoutMS=1000
    )
    try:
        with suppress(PyMongoError):
            hello = await client.admin.command("hello")
            if hello.get("isWritablePrimary"):
                return True
            if not hello.get("setName"):
                members = [{"_id": 0, "host": f"{LOOPBACK}:{port}"}]
                await client.admin.command("replSetInitiate", {"_id": _REPLICA_SET, "members": members})
        return False
    finally:
        with suppress(TimeoutError):  # a cancelled check can leave the lock of the client behind
            async with asyncio.timeout(1.0):
                await client.close()
