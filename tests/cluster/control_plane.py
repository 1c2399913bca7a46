"""etcd, kube-apiserver and kube-controller-manager as processes of a test, on the loopback interface.

It has neither scheduler nor kubelets: objects are admitted, stored and reconciled as on any cluster, but pods
remain Pending.
"""

from __future__ import annotations

import contextlib
import secrets
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cluster.api import Api, ApiError, wait_for
from tests.support.backends import free_port

LOCAL = "127.0.0.1"
READY_SECONDS = 90.0  # 3 s on an idle machine; CI shares its cores
STOP_SECONDS = 60.0  # the API server waits for its watches


@dataclass(frozen=True)
class ControlPlane:
    """A running control plane: its client and its log folder."""

    api: Api
    folder: Path


@contextlib.contextmanager
def running(binaries: Path, folder: Path) -> Iterator[ControlPlane]:
    """Run a control plane with data in `folder` that enforces quotas, LimitRanges and Pod Security."""
    token = secrets.token_hex(16)
    _identity(folder, token)
    etcd, peer, port = (free_port() for _ in range(3))
    server = f"https://{LOCAL}:{port}"
    with contextlib.ExitStack() as stack:
        start = _Starter(stack, binaries, folder)
        etcd_url, peer_url = f"http://{LOCAL}:{etcd}", f"http://{LOCAL}:{peer}"
        start(
            "etcd",
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={etcd_url}",
            f"--advertise-client-urls={etcd_url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=default={peer_url}",
            "--unsafe-no-fsync",  # the data does not outlive the test
            "--log-level=error",
        )
        start(
            "kube-apiserver",
            f"--etcd-servers={etcd_url}",
            f"--bind-address={LOCAL}",
            f"--secure-port={port}",
            f"--cert-dir={folder / 'certificates'}",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={folder / 'accounts.pem'}",
            f"--service-account-signing-key-file={folder / 'accounts.pem'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--endpoint-reconciler-type=none",  # loopback addresses are not allowed as endpoints
            "--profiling=false",
        )
        authority = folder / "certificates" / "apiserver.crt"
        ready = wait_for("a certificate", lambda: authority.exists() or start.check(), seconds=READY_SECONDS)
        assert ready
        verify = ssl.create_default_context(cafile=str(authority))
        api = stack.enter_context(Api(server, verify=verify, token=token))
        wait_for("the API server", lambda: _is_ready(api) or start.check(), seconds=READY_SECONDS)
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(_kubeconfig(server, authority, token))
        start(
            "kube-controller-manager",
            f"--kubeconfig={kubeconfig}",
            f"--service-account-private-key-file={folder / 'accounts.pem'}",
            f"--root-ca-file={authority}",
            "--leader-elect=false",
            "--secure-port=0",
            "--horizontal-pod-autoscaler-sync-period=2s",
            "--resource-quota-sync-period=5s",
            "--kube-api-qps=500",
            "--kube-api-burst=500",
        )
        # A controller creates the default service account of a namespace: its existence shows that
        # controllers run.
        wait_for(
            "the controllers",
            lambda: api.items("/api/v1/namespaces/default/serviceaccounts") or start.check(),
            seconds=READY_SECONDS,
        )
        yield ControlPlane(api, folder)


class _Starter:
    """Start programs, report the last log lines of one that exited, and stop all in reverse order."""

    def __init__(self, stack: contextlib.ExitStack, binaries: Path, folder: Path) -> None:
        self._stack = stack
        self._binaries = binaries
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __call__(self, name: str, *arguments: str) -> None:
        log = self._stack.enter_context((self._folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            [self._binaries / name, *arguments], stdout=log, stderr=subprocess.STDOUT, cwd=self._folder
        )
        self._running[name] = process
        self._stack.callback(_end, process)

    def check(self) -> None:
        """Raise AssertionError if a program has exited."""
        for name, process in self._running.items():
            if process.poll() is not None:
                lines = (self._folder / f"{name}.log").read_text(errors="replace").splitlines()[-15:]
                raise AssertionError("\n".join([f"{name} exited with {process.returncode}:", *lines]))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _is_ready(api: Api) -> bool:
    try:
        return api.get("/readyz") == {"text": "ok"}
    except (httpx.TransportError, ApiError):
        return False


def _identity(folder: Path, token: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    for name, content in (
        ("accounts.pem", text),
        ("tokens.csv", f'{token},admin,1,"system:masters"\n'.encode()),
    ):
        path = folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)


def _kubeconfig(server: str, authority: Path, token: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [
                {"name": "test", "cluster": {"server": server, "certificate-authority": str(authority)}}
            ],
            "users": [{"name": "test", "user": {"token": token}}],
        }
    )
