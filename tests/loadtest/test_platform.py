"""The platform under test: loopback addresses only."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadtest import platform as module
from loadtest.platform import NotLoopbackError, NotUpError, Platform, find, require_loopback


@pytest.mark.parametrize("address", ["https://127.0.0.1:8443", "https://[::1]:8443/x", "http://127.8.9.1"])
def test_loopback_address_is_accepted(address: str) -> None:
    require_loopback(address)


@pytest.mark.parametrize("address", ["https://192.0.2.1", "https://[2001:db8::1]:8443"])
def test_other_address_is_refused(address: str) -> None:
    with pytest.raises(NotLoopbackError, match="load tests run only against loopback addresses"):
        require_loopback(address)


def running(monkeypatch: pytest.MonkeyPatch, endpoints: dict[str, str] | None) -> None:
    machine = (
        None if endpoints is None else SimpleNamespace(status=lambda: SimpleNamespace(endpoints=endpoints))
    )

    def found(folder: Path) -> Any:
        return machine

    monkeypatch.setattr(module, "Machine", SimpleNamespace(find=found))


def test_running_stack_is_found_with_its_authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    endpoints = {"redis/a": "localhost:1", "edge": "https://127.0.0.1:8443/", "authority": "/ca.pem"}
    running(monkeypatch, endpoints)
    found = find("local", tmp_path)
    assert (found.address, found.authority) == ("https://127.0.0.1:8443", Path("/ca.pem"))
    assert found.state == tmp_path / ".rehearsal/local"
    running(monkeypatch, {"edge": "https://127.0.0.1:8443"})
    assert find("local", tmp_path).authority == tmp_path / ".rehearsal/ca/ca.pem"


@pytest.mark.parametrize(
    ("endpoints", "error", "reason"),
    [
        (None, NotUpError, "does not run on this machine"),
        ({"redis": "localhost:1"}, NotUpError, "serves nothing over https"),
        ({"edge": "https://192.0.2.1"}, NotLoopbackError, "192.0.2.1"),
    ],
)
def test_stack_that_cannot_be_tested_is_refused(
    monkeypatch: pytest.MonkeyPatch, endpoints: Any, error: type[Exception], reason: str
) -> None:
    running(monkeypatch, endpoints)
    with pytest.raises(error, match=reason):
        find()


def test_roles_are_granted_through_the_machine_only(tmp_path: Path) -> None:
    assert Platform("https://127.0.0.1", tmp_path, None, tmp_path, "local").grant is None


@pytest.mark.parametrize("pids", [[None, os.getpid()], [None], []])
def test_priority_is_that_of_its_first_process(tmp_path: Path, pids: list[int | None]) -> None:
    processes = [SimpleNamespace(pid=pid) for pid in pids]
    machine: Any = SimpleNamespace(status=lambda: SimpleNamespace(processes=processes))
    found = Platform("https://localhost:8443", tmp_path, machine, tmp_path, "local").priority
    assert found == (os.getpriority(os.PRIO_PROCESS, 0) if os.getpid() in pids else 0)
    assert Platform("https://localhost:8443", tmp_path, None, tmp_path, "local").priority == 0
