"""The process behind the dashboard."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rehearsal.dashboard import process
from rehearsal.errors import KingdomError
from rehearsal.monitoring.annotations import monitoring_folder
from rehearsal.pulumi.project import Project
from tests.repository._tree import ROOT


def test_a_record_of_another_process_is_not_a_dashboard(tmp_path: Path) -> None:
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


def test_an_interrupted_start_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path, "kingdom", tmp_path, tmp_path)
    children: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        children.append(popen([sys.executable, "-c", "import signal; signal.pause()"]))
        return children[0]

    def address(state: Path) -> None:
        if children:
            raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(process, "address", address)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(KeyboardInterrupt):
        process.start(project, "local", port)
    assert children[0].wait(10) == -signal.SIGTERM
