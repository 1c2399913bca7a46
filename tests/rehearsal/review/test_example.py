"""The example in docs/pull-requests.md equals the output of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal.review.example import PAGE, page


@pytest.mark.slow
def test_the_example_comment_equals_the_output_of_a_run(tmp_path: Path) -> None:
    assert PAGE.read_text() == page(tmp_path), "run python -m tests.rehearsal.review.example and commit it"
