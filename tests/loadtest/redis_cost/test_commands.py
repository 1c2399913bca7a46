"""Commands from the output of MONITOR: all bytes, scripts apart, uses by key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.redis_cost.commands import Command, parse


def monitored(*arguments: bytes, source: bytes = b"127.0.0.1:4711") -> bytes:
    """A line as Redis writes it (sdscatrepr)."""
    named = {
        0x0A: b"\\n",
        0x0D: b"\\r",
        0x09: b"\\t",
        0x07: b"\\a",
        0x08: b"\\b",
        0x22: b'\\"',
        0x5C: b"\\\\",
    }

    def quoted(argument: bytes) -> bytes:
        parts = (
            named.get(byte) or (bytes([byte]) if 0x20 <= byte < 0x7F else b"\\x%02x" % byte)
            for byte in argument
        )
        return b'"' + b"".join(parts) + b'"'

    return b"+1795.123456 [0 %s] %s\r\n" % (source, b" ".join(map(quoted, arguments)))


@given(st.lists(st.binary(), max_size=5))
def test_arguments_of_any_bytes_are_read(arguments: list[bytes]) -> None:
    (found,) = parse(monitored(b"set", *arguments))
    assert found == Command((b"set", *arguments))
    assert found.encoded.startswith(b"*%d\r\n$3\r\nset\r\n" % (len(arguments) + 1))


def test_commands_of_scripts_are_marked_and_those_of_connections_left_out() -> None:
    recording = (
        b"+OK\r\n"
        + monitored(b"HELLO", b"2")
        + monitored(b"BLPOP", b"queue:{jobs}:wake", b"1")
        + monitored(b"get", b"a")
        + monitored(b"get", b"b", source=b"lua")
        + monitored(b"get", b"incomplete")[:-3]
    )
    assert list(parse(recording)) == [Command((b"get", b"a")), Command((b"get", b"b"), script=True)]


@pytest.mark.parametrize(
    ("arguments", "use"),
    [
        ((b"EVALSHA", b"abc", b"2", b"{limits}:session:ada", b"{limits}:all", b"1"), "limits"),
        ((b"EVALSHA", b"abc", b"1", b"queue:{jobs}:ready", b"1"), "queue"),
        ((b"XADD", b"progress:1", b"*"), "queue"),
        ((b"PUBLISH", b"progress:1", b"1"), "queue"),
        ((b"EVALSHA", b"abc", b"1", b"cache:{contents}:entry:1"), "shared"),
        ((b"EVALSHA", b"abc", b"0"), "shared"),
        ((b"PING",), "shared"),
    ],
)
def test_the_use_of_a_command_follows_from_its_key(arguments: tuple[bytes, ...], use: str) -> None:
    assert Command(arguments).use == use
