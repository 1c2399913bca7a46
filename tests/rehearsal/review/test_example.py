"""The example in docs/pull-requests.md equals the output of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal.review.example import PAGE, page


@pytest.mark.slow
def test_the_example_comment_is_what_a_run_makes_today(tmp_path: Path) -> None:
    assert PAGE.read_text() == page(tmp_path), "run python -m tests.rehearsal.review.example and commit it"
