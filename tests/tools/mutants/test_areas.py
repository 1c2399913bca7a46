"""Areas of mutation testing: modules, their tests, and samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.mutants import areas
from tools.mutants.areas import AREAS, ROOT, area_of, draw, marker_expression, modules, suites_of


def test_sample_is_reproducible_and_bounded() -> None:
    assert draw(["breaker"], 10, 7) == draw(["breaker"], 10, 7)
    assert draw(["breaker"], 10, 7) != draw(["breaker"], 10, 8)
    assert len(draw(["rollout"], 10_000, 1)) < 10_000


@pytest.mark.parametrize("area", AREAS)
def test_every_area_has_modules_with_a_mirrored_test(area: str) -> None:
    found = modules([area])
    assert found
    for path in found:
        assert (ROOT / suites_of(path)[0][0]).exists(), path
        assert area_of(path) == area


def test_mirrored_test_is_first_and_then_the_tests_that_name_the_module() -> None:
    mirrored, others = suites_of("app/resilience/priority.py")
    assert mirrored == ["tests/app/resilience/test_priority.py"]
    naming = [file for file in others if "app.resilience.priority" in (ROOT / file).read_text()]
    assert naming
    assert others[: len(naming)] == naming
    assert mirrored[0] not in others


def test_tests_of_subfolders_are_left_out() -> None:
    files = [file for stage in suites_of("rehearsal/engine/diff.py") for file in stage]
    assert {Path(file).parent.as_posix() for file in files} == {"tests/rehearsal/engine"}


def test_tests_are_selected_by_the_marker_expression_of_the_makefile() -> None:
    markers = {part.removeprefix("not ") for part in marker_expression().split(" and ")}
    assert {"slow", "drill", "soak", "cluster"} <= markers


def test_makefile_without_the_marker_expression_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "Makefile").write_text("test:\n\tpytest\n")
    monkeypatch.setattr(areas, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="SUITE"):
        marker_expression()
