"""The process behind the dashboard."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from rehearsal.dashboard import process
from rehearsal.errors import KingdomError
from rehearsal.monitoring.annotations import monitoring_folder
from rehearsal.pulumi.project import Project
from tests.repository._tree import ROOT


def test_a_record_of_another_process_is_no_dashboard(tmp_path: Path) -> None:
    folder = monitoring_folder(tmp_path)
    folder.mkdir()
    (folder / process.SERVER_FILE).write_text(json.dumps({"pid": os.getpid(), "port": 1}))
    assert process.address(tmp_path) is None
    assert process.stop(tmp_path) is False


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(KingdomError, match=f"the port {port} of the dashboard is in use"):
            process.start(Project.at(ROOT), "unused", port)
