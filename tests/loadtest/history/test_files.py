"""Files of histories: appends as a whole, merges, and every line that cannot be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loadtest.history import files
from loadtest.history.files import HistoryError, append, path_of, read
from tests.loadtest.history.factories import MACHINE, entry
from tests.rehearsal.review.repositories import Repository

ROOT = Path(__file__).parents[3]
WRITER = """
import sys
from pathlib import Path
from loadtest.history.files import append
from tests.loadtest.history.factories import entry
first = int(sys.argv[2])
sys.stdin.readline()
for number in range(first, first + 50):
    append(Path(sys.argv[1]), entry(number))
"""


def test_a_machine_class_has_a_file(tmp_path: Path) -> None:
    path = append(tmp_path, entry())
    assert path == path_of(tmp_path, MACHINE) == tmp_path / "intel-r-xeon-r-processor-2-cores-24-gib.jsonl"
    append(tmp_path, entry(1, machine="arm64, 8 cores, 16 GiB"))
    assert len(list(tmp_path.iterdir())) == 2
    assert [each.machine for each in read(tmp_path)] == [MACHINE, "arm64, 8 cores, 16 GiB"]


def test_runs_are_read_by_date_and_equal_lines_once(tmp_path: Path) -> None:
    for number in (2, 0, 1, 0):
        append(tmp_path, entry(number))
    assert read(tmp_path) == [entry(0), entry(1), entry(2)]


def test_a_folder_without_files_is_an_empty_history(tmp_path: Path) -> None:
    assert read(tmp_path / "absent") == []


def test_unknown_fields_and_empty_lines_are_ignored(tmp_path: Path) -> None:
    path = append(tmp_path, entry())
    found = json.loads(path.read_text()) | {"kernel": "6.1"}
    found["endpoints"]["all endpoints"]["p999"] = 1.0
    path.write_text(f"\n{json.dumps(found)}\n\n")
    assert read(tmp_path) == [entry()]


def test_writers_at_once_do_not_mix_their_lines(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(first)],
            cwd=ROOT, stdin=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for first in (0, 50, 100)
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    assert read(tmp_path) == [entry(number) for number in range(150)]


def test_an_append_after_a_line_that_was_cut_off_is_readable(tmp_path: Path) -> None:
    path = append(tmp_path, entry(0))
    append(tmp_path, entry(1))
    path.write_bytes(path.read_bytes()[:-20])
    append(tmp_path, entry(2))
    with pytest.raises(HistoryError) as caught:
        read(tmp_path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}:2: not a recorded run (")
    assert problem.endswith("; remove the line")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[2]]))
    assert read(tmp_path) == [entry(0), entry(2)]


@pytest.mark.parametrize("written", ["a part", "nothing"])
def test_a_line_that_cannot_be_written_as_a_whole_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    path = append(tmp_path, entry(0))
    before = path.read_bytes()
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if written == "a part":
            return write(descriptor, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "write", full)
    with pytest.raises(OSError, match="No space left on device"):
        append(tmp_path, entry(1))
    assert path.read_bytes() == before


def test_every_bad_line_of_all_files_is_named(tmp_path: Path) -> None:
    path = append(tmp_path, entry(0))
    other = append(tmp_path, entry(1, machine="a"))
    good: dict[str, Any] = json.loads(path.read_text())
    bad = [
        "{", json.dumps(good | {"seed": "x"}), json.dumps({"format": 1}), "<<<<<<< HEAD", "=======",
        json.dumps(good | {"format": 2}), json.dumps(good | {"date": "2026-11-01T00:00:00"}), "[]",
    ]  # fmt: skip
    path.write_text("\n".join([json.dumps(good), *bad]))
    other.write_bytes(b"\xff\xfe\n" + other.read_bytes())
    with pytest.raises(HistoryError) as caught:
        read(tmp_path)
    found = caught.value.problems
    assert [each.partition(": ")[0] for each in found] == [
        f"{other}:1", *(f"{path}:{number}" for number in range(2, 10))
    ]  # fmt: skip
    text = str(caught.value)
    for part in (
        "`$.seed`", "missing required field", "an unresolved merge conflict", "format 2 is newer than 1",
        "the date has no time zone",
    ):  # fmt: skip
        assert part in text


def test_git_merges_two_histories_as_their_union(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write(".gitattributes", (ROOT / ".gitattributes").read_text())
    folder = tmp_path / "loadtest" / "history"
    append(folder, entry(0))
    repository.commit("first run")
    repository.git("checkout", "--quiet", "-b", "branch")
    append(folder, entry(2))
    repository.commit("run of the branch")
    repository.git("checkout", "--quiet", "main")
    append(folder, entry(1))
    append(folder, entry(3))
    repository.commit("runs of main")
    repository.git("-c", "user.name=t", "-c", "user.email=t@example.org", "merge", "--quiet", "branch")
    assert read(folder) == [entry(number) for number in range(4)]
