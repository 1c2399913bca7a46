"""Recordings of the Redis servers of a stack on this machine, and their replay, in processes of their own."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gevent import subprocess

from loadtest.redis_cost.recorder import configurations


class ReplayFailedError(RuntimeError):
    """The recorded commands could not be repeated; the message states why."""


@dataclass
class Recording:
    """The output of MONITOR of each server, and the duration in seconds."""

    outputs: list[bytes] = field(default_factory=list)
    seconds: float = 0.0


@contextmanager
def recorded(state: Path) -> Iterator[Recording]:
    """Record the commands of all Redis servers of a stack during the block; complete after the block."""
    found = Recording()
    with ExitStack() as files:
        outputs = []
        with ExitStack() as processes:
            for configuration in configurations(state):
                outputs.append(files.enter_context(tempfile.TemporaryFile()))
                process = subprocess.Popen(
                    [sys.executable, "-m", "loadtest.redis_cost.recorder", str(configuration)],
                    stdout=outputs[-1],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
                processes.callback(process.wait)
                processes.callback(process.terminate)
            began = time.monotonic()
            yield found
            found.seconds = time.monotonic() - began
        for output in outputs:
            output.seek(0)
            found.outputs.append(output.read())


def repeated(loaded: Recording, idle: Recording) -> dict[str, Any]:
    """Replay two recordings and return :func:`loadtest.redis_cost.replay.cost`.

    Raises ReplayFailedError.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "loadtest.redis_cost.replay"]
        for name, recording in (("loaded", loaded), ("idle", idle)):
            command.append(f"--{name}")
            for number, output in enumerate(recording.outputs):
                path = Path(folder) / f"{name}-{number}"
                path.write_bytes(output)
                command.append(str(path))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise ReplayFailedError(lines[-1] if lines else f"the replay ended with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
