"""Find provider plugins where the Pulumi CLI finds them, and call them over the same protocol.

A plugin is started without credentials and with a proxy that refuses every connection, so that nothing leaves
this machine. Only `Check` and `Diff` are called: both work before the provider is configured.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

PACKAGES = ("cloudflare", "gcp", "kubernetes", "mongodbatlas", "random")
_NO_NETWORK = "http://127.0.0.1:9"  # the discard port: connections are refused at once
_ENGINE = "127.0.0.1:9"  # plugins send logs there, which are not read


def find(package: str) -> Path | None:
    """Return the newest plugin of a package: on PATH, else in the CLI's folder of plugins."""
    name = f"pulumi-resource-{package}"
    if (on_path := shutil.which(name)) is not None:
        return Path(on_path)
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    found = sorted(home.glob(f"plugins/resource-{package}-v*/{name}"))
    return found[-1] if found else None


@contextlib.contextmanager
def running(plugin: Path) -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    """Start a plugin, yield a stub of it, and stop it."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "HTTP_PROXY": _NO_NETWORK,
        "HTTPS_PROXY": _NO_NETWORK,
        "NO_PROXY": "127.0.0.1",
    }
    process = subprocess.Popen(
        [str(plugin), _ENGINE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()  # the first line of every plugin
        assert port.isdecimal(), f"{plugin} printed {port!r} instead of its port"
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield provider_pb2_grpc.ResourceProviderStub(channel)
    finally:
        process.terminate()
        process.communicate(timeout=30)
