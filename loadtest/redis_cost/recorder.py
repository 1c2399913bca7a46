"""``python -m loadtest.redis_cost.recorder CONFIGURATION``: copy the output of MONITOR to standard output.

A process of its own, so that reading does not delay the generator of load. On SIGTERM it
copies what has arrived and ends.
"""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Final

from loadtest.redis_cost.commands import Command

_REMAINDER_SECONDS: Final = 0.2
_SETTING: Final = re.compile(r'^(\w+) "((?:[^"\\]|\\.)*)"$', re.MULTILINE)


class _TerminatedError(Exception):
    """SIGTERM has arrived."""


def configurations(state: Path) -> list[Path]:
    """The configuration files of the Redis servers of a stack that is up on this machine."""
    return sorted((state / "machine" / "data" / "redis").glob("*/redis.conf"))


def main(configuration: Path) -> None:
    """Copy until the server or the reader closes its end."""
    found = _SETTING.findall(configuration.read_text())
    settings = {key: re.sub(r"\\(.)", r"\1", value) for key, value in found}
    with socket.create_connection(("127.0.0.1", int(settings["port"]))) as connection:
        if "requirepass" in settings:
            connection.sendall(Command((b"AUTH", settings["requirepass"].encode())).encoded)
        connection.sendall(Command((b"MONITOR",)).encoded)
        try:
            _copy(connection)
        except _TerminatedError:
            connection.settimeout(_REMAINDER_SECONDS)
            with contextlib.suppress(TimeoutError):
                _copy(connection)


def _copy(connection: socket.socket) -> None:
    while data := connection.recv(1 << 16):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _TerminatedError


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminate)
    main(Path(sys.argv[1]))
