"""Version of the host's code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rehearsal.host import code_version


def test_version_changes_with_the_content_and_the_names_of_the_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_version, "__file__", str(tmp_path / "code_version.py"))
    version = code_version.version.__wrapped__
    (tmp_path / "a.py").write_text("x = 1\n")
    found = {version()}
    assert re.fullmatch(r"[0-9a-f]{16}", version())
    (tmp_path / "notes.txt").write_text("x")
    found.add(version())
    assert len(found) == 1
    (tmp_path / "a.py").write_text("x = 2\n")
    found.add(version())
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    found.add(version())
    assert len(found) == 3
