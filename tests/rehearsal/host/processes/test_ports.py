"""Ports on the loopback interface."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from rehearsal.host.errors import MachineError
from rehearsal.host.processes.ports import LOOPBACK, Ports, holder, is_free, require_free


def test_name_has_its_port_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    ports = Ports(path)
    first, second = ports.take("pod/a"), ports.take("pod/b")
    assert first != second
    assert ports.take("pod/a") == Ports(path).take("pod/a") == first
    assert ports.named("pod/") == ["pod/a", "pod/b"]
    ports.release(["pod/a", "absent"])
    assert (ports.get("pod/a"), Ports(path).get("pod/b")) == (None, second)


def test_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("[1]")
    with pytest.raises(MachineError, match="is not a map of names to ports"):
        Ports(tmp_path / "ports.json")


def test_port_in_use_is_reported_with_its_process_and_setting() -> None:
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()
        port = server.getsockname()[1]
        assert not is_free(port)
        assert str(os.getpid()) in (holder(port) or "")
        with pytest.raises(MachineError, match=rf"port {port} is in use by .*set edgePort to a free port"):
            require_free(port, "edgePort")
    assert is_free(port)
    require_free(port, "edgePort")
    assert holder(port) is None
