"""Marks of drills and load runs."""

from __future__ import annotations

from pathlib import Path

from rehearsal.monitoring.annotations import FILE, annotated, monitoring_folder, read_annotations


def test_a_band_has_a_start_and_an_end(tmp_path: Path) -> None:
    folder = monitoring_folder(tmp_path)
    folder.mkdir()
    with annotated(tmp_path, "drill", "kill api", {"seed": 1}):
        (begun,) = read_annotations(folder / FILE)
        assert (begun.kind, begun.title, begun.until) == ("drill", "kill api", None)
    (ended,) = read_annotations(folder / FILE)
    assert ended.at == begun.at
    assert ended.until is not None
    assert read_annotations(folder / FILE) == []


def test_no_annotation_is_written_without_a_recorder(tmp_path: Path) -> None:
    with annotated(tmp_path, "load", "peak"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_was_cut_off_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text('{"at": 1.0, "kind": "load", "title": "peak"}\n{"at": 2.0, "ki')
    assert [event.title for event in read_annotations(path)] == ["peak"]
