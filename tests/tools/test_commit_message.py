"""The commit-msg hook on good and bad messages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository._tree import ROOT
from tools.commit_message import problems


@pytest.mark.parametrize(
    "message",
    [
        "Bound the time that a request body may take",
        "Process events in one batch\n\nThe reason, in a sentence.",
        "Pass the concern of a policy explicitly\n\n# a comment that git removes",
        "Merge branch 'topic' into main, whatever its subject is called in the end, however long it may get",
    ],
)
def test_a_good_message_has_no_problems(message: str) -> None:
    assert not list(problems(message))


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("", "empty"),
        ("Add " + "x" * 80, "more than 72"),
        ("Add a test.", "period"),
        ("Added a test", "imperative"),
        ("Adds a test", "imperative"),
        ("The queue keeps order", "imperative"),
        ("Add a test\nfor it", "blank"),
        ("Mend the queue", "write fix"),
    ],
)
def test_a_bad_message_names_the_problem(message: str, problem: str) -> None:
    assert problem in " ".join(problems(message))


def test_the_hook_exits_with_1_and_prints_the_problem(tmp_path: Path) -> None:
    file = tmp_path / "message"
    file.write_text("Whoever reads this\n")
    command = [sys.executable, "-m", "tools.commit_message", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "user, client" in done.stderr
