"""Build the programs of a Kubernetes control plane once from Go modules; cache them outside the repository.

`go.mod` and `go.sum` beside this file pin Kubernetes with its staging modules, and etcd. The programs are
built with `go build` in the order of size; later calls reuse them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

MODULE: Final = Path(__file__).parent
PROGRAMS: Final = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}
VERSION: Final = "v1.37.2"
_VERSION_PACKAGE: Final = "k8s.io/component-base/version"
_STAMPED: Final = {"gitVersion": VERSION, "gitMajor": "1", "gitMinor": "37"}
_LINKED: Final = " ".join(
    ["-s -w", *(f"-X {_VERSION_PACKAGE}.{name}={value}" for name, value in _STAMPED.items())]
)
# Modules whose folder holds the published definitions of custom resources, and what `go mod download` must
# find in them. They are not in go.mod, because their requirements would change the versions of Kubernetes.
DEFINITIONS: Final = {
    "sigs.k8s.io/gateway-api@v1.6.3": (
        "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=",
        (
            "config/crd/standard/gateway.networking.k8s.io_gateways.yaml",
            "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
        ),
    ),
    "k8s.io/autoscaler/vertical-pod-autoscaler@v1.8.1": (
        "h1:Pe8bV1wozN4gOKO1rleiIY5alIyAXN+DnXDbXQcL4fI=",
        ("deploy/vpa-v1-crd-gen.yaml",),
    ),
}
BUILD_SECONDS: Final = float(os.environ.get("KINGDOM_CLUSTER_BUILD_SECONDS", "1500"))


class UnavailableError(Exception):
    """No control plane can be built here; the message states why."""


def cache() -> Path:
    """Return the cache folder of the programs, separate per go.mod and platform."""
    digest = hashlib.sha256(platform.machine().encode() + _LINKED.encode())
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "kingdom" / "cluster" / digest.hexdigest()[:16]


def built() -> Path:
    """Return the folder with all programs, building missing ones. Raises UnavailableError."""
    folder = cache()
    if all((folder / name).is_file() for name in PROGRAMS):
        return folder
    if shutil.which("go") is None:
        raise UnavailableError("KUBECONFIG is not set and Go is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + BUILD_SECONDS
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # concurrent test runs build once
        for name, package in PROGRAMS.items():
            if not (folder / name).is_file():
                draft = folder / f"{name}.draft"
                build = [
                    "build",
                    "-buildvcs=false",
                    "-trimpath",
                    f"-ldflags={_LINKED}",
                    "-o",
                    str(draft),
                    package,
                ]
                run_go(build, deadline)
                draft.rename(folder / name)
    return folder


def published_definitions() -> list[Path]:
    """Files with the published CustomResourceDefinitions of Gateway API and VPA. Raises UnavailableError."""
    files: list[Path] = []
    for module, (expected, names) in DEFINITIONS.items():
        found = json.loads(run_go(["mod", "download", "-json", module], time.monotonic() + BUILD_SECONDS))
        if found["Sum"] != expected:
            raise UnavailableError(f"{module} has the checksum {found['Sum']}, not {expected}")
        files += [Path(found["Dir"]) / name for name in names]
    return files


def run_go(arguments: list[str], deadline: float) -> str:
    """The output of a go command in the pinned module. Raises UnavailableError."""
    if shutil.which("go") is None:
        raise UnavailableError("Go is not on PATH")
    # Go flags of the environment must not change the build.
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    try:
        done = subprocess.run(
            ["go", *arguments],
            cwd=MODULE,
            env=environment,
            capture_output=True,
            text=True,
            timeout=max(1.0, deadline - time.monotonic()),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"`go {arguments[0]}` took longer than {BUILD_SECONDS:.0f} s") from None
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-3:] or ["no output"]
        raise UnavailableError(f"`go {' '.join(arguments[:2])}` failed: {'; '.join(last)}")
    return done.stdout
