"""Shared parts of the components: the environment of processes, and the check of a port."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from rehearsal.host.component import READY, Readiness, accepts, base_environment, tools


def test_processes_inherit_home_locale_and_time_zone_but_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "LANG", "LC_ALL", "TZ"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "Europe/Paris")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of the user")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert set(base_environment()) == {"TZ", "PATH", "PYTHONUNBUFFERED"}
    assert base_environment()["TZ"] == "Europe/Paris"


def test_commands_of_the_virtual_environment_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/opt/bin")
    assert base_environment()["PATH"] == f"{tools()}{os.pathsep}/opt/bin"
    monkeypatch.delenv("PATH")
    assert base_environment()["PATH"].startswith(f"{tools()}{os.pathsep}")
    assert (tools() / Path(sys.executable).name).exists()


@pytest.mark.anyio
async def test_port_accepts_while_a_process_listens_on_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert await accepts(port)
    assert not await accepts(port)


def test_readiness_of_two_objects_is_not_shared() -> None:
    first, second = Readiness(ready=False), Readiness(ready=False)
    first.reasons.append("not responding")
    first.outputs["host"] = "localhost"
    assert (second.reasons, second.outputs, second.failed) == ([], {}, False)
    assert (READY.ready, READY.outputs) == (True, {})
