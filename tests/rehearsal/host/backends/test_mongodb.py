"""Declared Atlas clusters and their X.509 users on one machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pymongo import AsyncMongoClient

from rehearsal.host.backends import mongodb as module
from rehearsal.host.backends.mongodb import CLUSTER, USER, MongoDB
from rehearsal.host.component import TlsProxy
from tests.rehearsal.host.hosts import context_in, desired, host, synchronized

pytestmark = pytest.mark.anyio

MAIN = desired(CLUSTER, "main-1", name="main")


@pytest.fixture
def without_mongod(monkeypatch: pytest.MonkeyPatch) -> None:
    def which(_: str) -> None:
        return None

    monkeypatch.setattr(module.shutil, "which", which)


async def test_cluster_stores_documents_and_is_deleted_with_its_data(
    tmp_path: Path, without_mongod: None
) -> None:
    async with host(tmp_path) as context:
        mongodb = MongoDB(context)
        context.store.put(MAIN)
        first = await mongodb.readiness(MAIN)
        assert (first.ready, first.reasons) == (False, ["AdvancedCluster main is not responding yet"])
        ready = await synchronized(mongodb, MAIN)
        front, proxy = (context.ports.take(f"mongodb/main/{name}") for name in ("front", "proxy"))
        address = f"mongodb://localhost:{front}/?tls=true"
        assert ready.outputs == {"connectionStrings": {"standard": address, "standardSrv": address}}
        # Clients reach the transaction proxy, and only with a certificate.
        assert mongodb.tls_proxies() == [TlsProxy("mongodb/main", front, proxy, client_certificates=True)]
        [note] = mongodb.notes()
        assert note.startswith("AdvancedCluster main: runs as nx-27017, one transaction at a time; zones, ")
        async with AsyncMongoClient[dict[str, object]]("127.0.0.1", proxy) as client:
            await client["kingdom"]["accounts"].insert_one({"_id": "a"})
            assert await client["kingdom"]["accounts"].find_one() == {"_id": "a"}

        processes = [context.processes.get(name) for name in ("mongodb/main", "mongodb/main/proxy")]
        assert (context.home.data / "mongodb/main").exists()
        context.store.remove(MAIN.urn, MAIN.id)
        await mongodb.sync()
        assert [process.pid for process in processes if process is not None] == [None, None]
        assert not (context.home.data / "mongodb/main").exists()
        assert mongodb.tls_proxies() == mongodb.notes() == []
        assert list(context.processes) == []


async def test_cluster_is_not_ready_while_its_proxy_does_not_start(
    tmp_path: Path, without_mongod: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with host(tmp_path) as context:
        mongodb = MongoDB(context)
        context.store.put(MAIN)
        port = context.ports.take("mongodb/main")

        def ended(name: str, port: int, _: int) -> module.ProcessSpec:
            return module.ProcessSpec(f"{name}/proxy", "mongodb", ("/bin/false",), tmp_path, {}, port=port)

        monkeypatch.setattr(mongodb, "_transaction_proxy", ended)
        found = await synchronized(
            mongodb, MAIN, lambda found: len(found.reasons) == 1 and "exit code 1" in found.reasons[0]
        )
        assert found.reasons[0].startswith("mongodb/main/proxy: ended with exit code 1")
        assert await module.accepts(port)


async def test_certificate_of_a_user_names_it_and_is_stable(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    mongodb = MongoDB(context)
    user = desired(USER, "api-1", username="CN=api")
    outputs = (await mongodb.readiness(user)).outputs
    assert outputs["certificate"] == outputs["currentCertificate"]
    pem = outputs["certificate"].encode()
    certificate = x509.load_pem_x509_certificate(pem)
    authority = x509.load_pem_x509_certificate(context.authority.certificate.read_bytes())
    certificate.verify_directly_issued_by(authority)
    assert "api" in certificate.subject.rfc4514_string()
    assert load_pem_private_key(pem, None).public_key() == certificate.public_key()
    assert (await mongodb.readiness(user)).outputs == outputs
    other = (await mongodb.readiness(desired(USER, "worker-1", username="CN=worker"))).outputs
    assert other != outputs


def test_mongod_on_path_runs_as_a_replica_set_of_one_without_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    shutil.copy("/bin/true", tmp_path / "mongod")
    context = context_in(tmp_path)
    context.store.put(MAIN)
    mongodb = MongoDB(context)
    spec = mongodb._mongod_process("mongodb/main", 27_018)
    assert spec.argv[0] == str(tmp_path / "mongod")
    options = dict(zip(spec.argv[1:-1:2], spec.argv[2:-1:2], strict=True))
    assert (options["--port"], options["--bind_ip"], options["--replSet"]) == (
        "27018",
        "127.0.0.1",
        "rehearsal",
    )
    assert options["--dbpath"] == str(context.home.data / "mongodb/main")
    # The server flushes its journal before it exits.
    assert spec.grace == 30.0
    assert mongodb.tls_proxies()[0].upstream == context.ports.take("mongodb/main")
    assert "runs as mongod, a replica set of one; " in mongodb.notes()[0]
