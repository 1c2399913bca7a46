"""The files of a program are its own: no packages, caches or repository data."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.errors import InputError
from rehearsal.pulumi.program_files import program_files


def write(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("")
    return file


def test_files_of_all_folders_are_returned_sorted(tmp_path: Path) -> None:
    own = [write(tmp_path / name) for name in ("__main__.py", "a/b/c.json", "a/helper.py", "z.txt")]
    assert program_files(tmp_path) == own


@pytest.mark.parametrize(
    "other",
    [
        "my-environment/lib/python3.12/site-packages/pulumi/output.py",
        "my-environment/bin/activate_this.py",
        "lib/site-packages/pulumi_gcp/compute.py",
        "node_modules/a/index.js",
        "__pycache__/helper.cpython-312.pyc",
        "a/__pycache__/helper.cpython-312.pyc",
        ".git/config",
        "a/.git",
        ".rehearsal/dev/state.json",
    ],
)
def test_packages_caches_and_states_are_left_out(tmp_path: Path, other: str) -> None:
    write(tmp_path / "my-environment" / "pyvenv.cfg")
    own = write(tmp_path / "__main__.py")
    write(tmp_path / other)
    assert program_files(tmp_path) == [own]


def test_links_to_missing_files_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "gone.py").symlink_to(tmp_path / "nothing.py")
    assert program_files(tmp_path) == []


def test_a_folder_that_cannot_be_listed_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent cannot be listed: No such file or directory"):
        program_files(tmp_path / "absent")
