"""Recordings of running servers with the configuration files of a stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from loadtest.redis_cost.commands import parse
from loadtest.redis_cost.recording import Recording, ReplayFailedError, recorded, repeated
from rehearsal.host.backends.redis import binary
from tests.loadtest.redis_cost.test_commands import monitored
from tests.support.backends import Process, free_port, wait_for


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stack's state with one running server that needs a password."""
    state = tmp_path_factory.mktemp("state")
    folder = state / "machine" / "data" / "redis" / "kingdom"
    folder.mkdir(parents=True)
    port = free_port()
    configuration = folder / "redis.conf"
    configuration.write_text(f'port "{port}"\nbind "127.0.0.1"\nsave ""\nrequirepass "a\\"b"\n')
    server = Process([binary(), str(configuration)], port, state / "log")
    server.start()
    try:
        yield state
    finally:
        server.kill()


def client(state: Path) -> redis.Redis:
    text = (state / "machine" / "data" / "redis" / "kingdom" / "redis.conf").read_text()
    return redis.Redis(port=int(text.split('"')[1]), password='a"b')


def is_monitored(sender: redis.Redis) -> bool:
    found: Any = sender.client_list()
    return any(each["cmd"] == "monitor" for each in found)


def test_commands_of_the_block_are_recorded(state: Path) -> None:
    with client(state) as sender, recorded(state) as found:
        wait_for("monitored", lambda: is_monitored(sender))
        sender.set("key", b"\x00\xff\r\n")
        sender.wait(0, 0)
    (output,) = found.outputs
    assert [each.arguments for each in parse(output) if each.name == b"SET"] == [
        (b"SET", b"key", b"\x00\xff\r\n")
    ]
    assert found.seconds > 0
    with client(state) as sender:
        wait_for("the end", lambda: not is_monitored(sender))


def test_a_stack_without_redis_has_no_recording(tmp_path: Path) -> None:
    with recorded(tmp_path) as found:
        pass
    assert found.outputs == []


@pytest.mark.slow
def test_the_reason_of_a_failed_replay_is_stated() -> None:
    unknown = Recording([monitored(b"EVALSHA", b"0" * 40, b"0") * 50], 1.0)
    with pytest.raises(ReplayFailedError, match="repeated commands failed"):
        repeated(unknown, unknown)
