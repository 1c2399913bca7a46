"""Files that have either their old or their new content."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from rehearsal.host.errors import MachineError
from rehearsal.host.processes import atomic_files
from rehearsal.host.processes.atomic_files import make_folder, read_json, write_atomic


@pytest.mark.parametrize("durable", [True, False])
def test_file_is_replaced_and_readable_by_its_owner_only(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    write_atomic(path, '{"a": "ä"}', durable=durable)
    assert read_json(path) == {"a": "ä"}
    assert path.stat().st_mode & 0o777 == 0o600
    write_atomic(path, b"x", mode=0o644)
    assert path.stat().st_mode & 0o777 == 0o644
    assert [item.name for item in tmp_path.iterdir()] == ["a.json"]


def test_failed_write_leaves_the_old_content_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic_files.os, "fsync", full)
    with pytest.raises(MachineError, match=r"a\.json could not be written: No space left"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.json"]


def test_missing_and_malformed_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "absent")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(MachineError, match=r"a\.json cannot be read"):
        read_json(tmp_path / "a.json")


def test_folder_is_created_with_its_parents(tmp_path: Path) -> None:
    folder = tmp_path / "a/b"
    assert make_folder(folder) == make_folder(folder) == folder
    assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="could not be created"):
        make_folder(tmp_path / "file/a")
