"""Container image: built and run without a container daemon, if the Debian tools for that are installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import backends
from tests.support.backends import ROOT, Platform

TOOLS = ("buildah", "podman", "runc", "debootstrap")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
BASE, IMAGE = "localhost/kingdom-base:test", "localhost/kingdom:test"

pytestmark = [
    pytest.mark.drill,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        bool(MISSING) or os.geteuid() != 0,
        reason=f"building an image needs root and Debian's {', '.join(MISSING or TOOLS)}",
    ),
]


def run(*command: str) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{' '.join(command[:4])}: {ended.stdout[-2000:]}{ended.stderr[-2000:]}"
    return ended.stdout.strip()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The built image, on a base image created from Debian packages."""
    folder = tmp_path_factory.mktemp("image")
    run(
        "debootstrap",
        "--variant=minbase",
        "--include=python3-venv,ca-certificates",
        "bookworm",
        str(folder / "base"),
    )
    container = run("buildah", "from", "scratch")
    run("buildah", "copy", "--quiet", container, str(folder / "base"), "/")
    run("buildah", "commit", "--quiet", container, BASE)
    run("buildah", "rm", container)
    # The package index may use a certificate authority that is trusted only on this machine.
    authority = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
    (folder / "pip.conf").write_text("[global]\ncert = /etc/kingdom-test-ca.crt\n")
    run(
        "buildah", "build", "--quiet", "--isolation", "chroot", "--network", "host",
        "--volume", f"{authority.resolve()}:/etc/kingdom-test-ca.crt:ro",
        "--volume", f"{folder / 'pip.conf'}:/etc/pip.conf:ro",
        "--build-arg", f"BASE_IMAGE={BASE}", "--file", str(ROOT / "app/Containerfile"),
        "--tag", IMAGE, str(ROOT),
    )  # fmt: skip
    try:
        yield IMAGE
    finally:
        run("buildah", "rmi", "--force", IMAGE, BASE)


def test_image_runs_as_non_root_without_a_shell(image: str) -> None:
    config = json.loads(run("buildah", "inspect", "--type", "image", image))["OCIv1"]["config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["python", "-m", "app"]


def test_image_runs_with_a_read_only_root_and_no_privileges(image: str, platform: Platform) -> None:
    port = backends.free_port()
    secrets = platform.settings["KINGDOM_SECRETS_DIR"]
    Path(secrets).chmod(0o755)
    settings = {
        **platform.settings,
        "KINGDOM_SECRETS_DIR": "/secrets",
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    command = [
        "podman", "--cgroup-manager=cgroupfs", "--runtime", "runc", "run", "--rm", "--network=host",
        "--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges",
        "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--volume", f"{secrets}:/secrets:ro",
        *(f"--env={name}={value}" for name, value in settings.items()), image, "api",
    ]  # fmt: skip
    container = backends.Process(command, port, platform.folder / "container.log")
    container.start()
    try:
        backends.wait_for("ready", lambda: backends.status(container, "/readyz") == 200)
        assert backends.status(container, "/docs") == 200
    finally:
        assert container.stop() == 0
