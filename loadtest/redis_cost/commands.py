"""Commands in the output of MONITOR: parsed, encoded again, and assigned to a use of Redis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.settings import RedisUse

SHARED: Final = "shared"
USES: Final = (SHARED, *RedisUse)
_LINE: Final = re.compile(rb"^\+[\d.]+ \[\d+ ([^\]]+)\] (.*)$", re.DOTALL)
_ARGUMENT: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(x[0-9a-f]{2}|.)", re.DOTALL)
_CONTROL: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}
# Commands of connections and subscriptions, which a replay sends itself; a blocking command would stop it.
_OMITTED: Final = frozenset(
    b"AUTH HELLO CLIENT SELECT INFO COMMAND SCRIPT MONITOR SUBSCRIBE UNSUBSCRIBE BLPOP".split()
)
_PREFIXES: Final = {
    b"{limits}:": RedisUse.LIMITS, b"queue:": RedisUse.QUEUE, b"progress": RedisUse.QUEUE,
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A command with its arguments. ``script`` is true if a script executed it."""

    arguments: tuple[bytes, ...]
    script: bool = False

    @property
    def name(self) -> bytes:
        """Return the name in capital letters."""
        return self.arguments[0].upper()

    @property
    def key(self) -> bytes:
        """Return the first key or channel; empty without one."""
        at = 3 if self.name in (b"EVAL", b"EVALSHA") else 1
        return self.arguments[at] if len(self.arguments) > at else b""

    @property
    def use(self) -> str:
        """Return the use that the key belongs to."""
        return next((use for prefix, use in _PREFIXES.items() if self.key.startswith(prefix)), SHARED)

    @property
    def encoded(self) -> bytes:
        """Return the command as a client sends it (RESP)."""
        parts = [b"*%d\r\n" % len(self.arguments)]
        parts += [b"$%d\r\n%s\r\n" % (len(each), each) for each in self.arguments]
        return b"".join(parts)


def parse(recording: bytes) -> Iterator[Command]:
    """Yield the commands to replay, with those of scripts, in order; without an incomplete last line."""
    for line in recording.split(b"\r\n")[:-1]:
        found = _LINE.match(line)
        if found is None:
            continue
        arguments = tuple(_ESCAPE.sub(_unescaped, each) for each in _ARGUMENT.findall(found[2]))
        if arguments and arguments[0].upper() not in _OMITTED:
            yield Command(arguments, script=found[1] == b"lua")


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if code.startswith(b"x") and len(code) == 3:
        return bytes([int(code[1:], 16)])
    return _CONTROL.get(code, code)
