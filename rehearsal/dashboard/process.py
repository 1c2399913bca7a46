"""Start, find and stop the process of the dashboard."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from rehearsal.errors import KingdomError
from rehearsal.host.processes import orphans
from rehearsal.host.processes.ports import is_free
from rehearsal.monitoring.annotations import monitoring_folder
from rehearsal.pulumi.project import Project

SERVER_FILE: Final = "server.json"
LOG_FILE: Final = "dashboard.log"
IN_USE: Final = 75  # exit code when another process writes the recording (EX_TEMPFAIL of sysexits.h)
# Each thread that handles a request would get an arena of its own, which retains freed memory.
ENVIRONMENT: Final = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "131072"}
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 35.0


def address(state: Path) -> str | None:
    """Return the address of a stack's running dashboard; None if there is none."""
    found = _record(state)
    return None if found is None else f"http://localhost:{found[1]}/"


def start(project: Project, stack: str, port: int) -> str:
    """Start the dashboard of a stack unless it is running; return its address. Raises KingdomError."""
    state = project.state_folder(stack)
    running = address(state)
    if running is not None:
        return running
    if not is_free(port):
        raise KingdomError(
            f"the port {port} of the dashboard is in use", remedy="Name another one with --port."
        )
    folder = monitoring_folder(state)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    marks = {orphans.ROOT_MARK, orphans.INSTANCE_MARK}
    with (folder / LOG_FILE).open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "rehearsal.dashboard.server", str(project.root), stack, str(port)],
            cwd=project.root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={name: value for name, value in os.environ.items() if name not in marks} | ENVIRONMENT,
        )  # fmt: skip
    try:
        return _started(child, state)
    except BaseException:  # Ctrl-C too: a dashboard that was not reported must not run
        child.terminate()
        raise


def _started(child: subprocess.Popen[bytes], state: Path) -> str:
    """Return the address of the dashboard once it is served. Raises KingdomError."""
    log = monitoring_folder(state) / LOG_FILE
    ends = time.monotonic() + _START_SECONDS
    while (running := address(state)) is None:
        code = child.poll()
        # With IN_USE, another command has just started a dashboard: it becomes available.
        if code not in (None, IN_USE) or time.monotonic() > ends:
            raise KingdomError(
                "the dashboard could not be started",
                details=log.read_text(errors="replace").splitlines()[-5:],
                remedy=f"Its log is {log}.",
            )
        time.sleep(0.05)
    return running


def stop(state: Path) -> bool:
    """Stop the dashboard of a stack; return whether one was running."""
    found = _record(state)
    if found is None:
        return False
    with suppress(psutil.Error):
        process = psutil.Process(found[0])
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
    (monitoring_folder(state) / SERVER_FILE).unlink(missing_ok=True)
    return True


def _record(state: Path) -> tuple[int, int] | None:
    """Process id and port of a running dashboard."""
    try:
        found = json.loads((monitoring_folder(state) / SERVER_FILE).read_text())
        command = psutil.Process(found["pid"]).cmdline()
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return (found["pid"], found["port"]) if "rehearsal.dashboard.server" in command else None
