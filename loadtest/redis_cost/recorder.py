"""``python -m loadtest.redis_cost.recorder CONFIGURATION``: copy the output of MONITOR to standard output.

A separate process, so that reading does not delay the load generator. On SIGTERM it copies the remaining
output and ends.
"""

from __future__ import annotations

import math
import re
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final

from loadtest.redis_cost.commands import Command

_REMAINDER_SECONDS: Final = 0.3
_POLL_SECONDS: Final = 0.1
_SETTING: Final = re.compile(r'^(\w+) "((?:[^"\\]|\\.)*)"$', re.MULTILINE)


class _Termination:
    """Handler of SIGTERM: the output that has arrived is still read, until none arrives or `over`."""

    def __init__(self) -> None:
        self._ends = math.inf

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self._ends = time.monotonic() + _REMAINDER_SECONDS

    @property
    def requested(self) -> bool:
        """Whether SIGTERM has arrived."""
        return self._ends < math.inf

    @property
    def over(self) -> bool:
        """Whether the time to read the remainder has passed."""
        return time.monotonic() > self._ends


def configurations(state: Path) -> list[Path]:
    """Return the configuration files of the Redis servers of a stack that runs on this machine."""
    return sorted((state / "machine" / "data" / "redis").glob("*/redis.conf"))


def main(configuration: Path) -> None:
    """Copy until the server closes the connection, or SIGTERM arrives."""
    termination = _Termination()
    signal.signal(signal.SIGTERM, termination)
    found = _SETTING.findall(configuration.read_text())
    settings = {key: re.sub(r"\\(.)", r"\1", value) for key, value in found}
    with socket.create_connection(("127.0.0.1", int(settings["port"]))) as connection:
        if "requirepass" in settings:
            connection.sendall(Command((b"AUTH", settings["requirepass"].encode())).encoded)
        connection.sendall(Command((b"MONITOR",)).encoded)
        connection.settimeout(_POLL_SECONDS)
        while True:
            try:
                data = connection.recv(1 << 16)
            except TimeoutError:
                if termination.requested:
                    return
                continue
            if not data:
                return
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            if termination.over:
                return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
