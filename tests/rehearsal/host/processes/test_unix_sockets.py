"""Addresses of unix sockets."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rehearsal.host.processes.unix_sockets import address


@pytest.mark.parametrize("length", [1, 90])
def test_socket_is_reached_at_a_path_of_any_length(tmp_path: Path, length: int) -> None:
    folder = tmp_path / ("x" * length)
    folder.mkdir()
    path = folder / "supervisor.sock"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        with address(path) as short:
            server.bind(short)
        server.listen()
        assert path.is_socket()
        with address(path) as short:
            assert len(short) <= 107
            client.connect(short)
