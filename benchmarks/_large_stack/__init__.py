"""Create, change, refresh and delete 1,500 resources, compared with the Pulumi CLI and the same providers.

The CLI calls the rehearsal providers that `kingdom cloud` serves. Both sides are whole processes, and each
update previews first; neither evaluates policies. The change updates 675 resources and replaces 75.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

from benchmarks._benchmark import Benchmark, Measurement, NotMeasurableError

OPERATIONS = ("create", "change", "refresh", "delete")
LIMIT = 1.0
_TIMEOUT = 900.0  # seconds for one command
_KINGDOM = str(Path(sys.executable).with_name("kingdom"))
_PROJECT = "name: large\nruntime: {name: python, options: {virtualenv: .venv}}\n"


def _project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(_PROJECT)
    shutil.copy2(Path(__file__).with_name("program.py"), folder / "__main__.py")
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def _timed(command: list[str], project: Path, environment: Mapping[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=project,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    if done.returncode:
        tail = " | ".join((done.stdout + done.stderr).splitlines()[-3:])
        raise RuntimeError(f"{' '.join(command[:4])} ended with {done.returncode}: {tail}")
    return time.perf_counter() - began


def _configure(project: Path, step: int) -> None:
    path = project / "Pulumi.dev.yaml"
    salt = [line for line in _lines(path) if line.startswith("encryptionsalt:")]
    path.write_text("\n".join([*salt, "config:", "  gcp:project: ours", f"  large:step: {step}", ""]))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@contextmanager
def _providers(environment: Mapping[str, str]) -> Iterator[str]:
    """Serve the rehearsal providers; yield the value of PULUMI_DEBUG_PROVIDERS."""
    process = subprocess.Popen(
        [_KINGDOM, "cloud", "--json"], env=dict(environment), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["value"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        process.stdout.close()


def _kingdom(project: Path, environment: Mapping[str, str]) -> dict[str, float]:
    on = ["--stack", "dev", "--json"]
    found: dict[str, float] = {}
    _configure(project, 0)
    found["create"] = _timed([_KINGDOM, "up", *on], project, environment)
    _configure(project, 1)
    found["change"] = _timed([_KINGDOM, "up", *on], project, environment)
    found["refresh"] = _timed([_KINGDOM, "refresh", *on], project, environment)
    found["delete"] = _timed([_KINGDOM, "down", *on], project, environment)
    return found


def _pulumi(project: Path, environment: Mapping[str, str]) -> dict[str, float]:
    on = ["--stack", "dev", "--non-interactive", "--color", "never"]
    _timed(["pulumi", "stack", "init", "dev"], project, environment)
    found: dict[str, float] = {}
    for step, operation in enumerate(("create", "change")):
        _configure(project, step)
        found[operation] = _timed(["pulumi", "up", *on, "--yes"], project, environment)
    found["refresh"] = _timed(["pulumi", "refresh", *on, "--yes", "--skip-preview"], project, environment)
    found["delete"] = _timed(["pulumi", "destroy", *on, "--yes", "--skip-preview"], project, environment)
    return found


@cache
def _measured() -> tuple[dict[str, float], dict[str, float]]:
    """Return the seconds of each operation, of `kingdom` and of the Pulumi CLI."""
    if shutil.which("pulumi") is None:
        raise NotMeasurableError("the Pulumi CLI is not on PATH")
    with tempfile.TemporaryDirectory(prefix="large-stack-") as name:
        folder = Path(name)
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")},
            "PULUMI_CONFIG_PASSPHRASE": "of no consequence",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": folder.as_uri(),
        }
        ours = _kingdom(_project(folder / "kingdom"), environment)
        with _providers(environment) as value:
            theirs = _pulumi(_project(folder / "pulumi"), environment | {"PULUMI_DEBUG_PROVIDERS": value})
    return ours, theirs


def _compare(operation: str) -> Measurement:
    ours, theirs = _measured()
    note = "1,500 resources in 15 components"
    return Measurement.max_ratio(LIMIT, ours=ours[operation], peer=theirs[operation], note=note)


BENCHMARKS = [
    Benchmark(f"large-stack-{name}", "Pulumi CLI", "s", f"≤ {LIMIT:g}", partial(_compare, name))
    for name in OPERATIONS
]
