"""The make targets: each listed with its line, none hidden by a file of the same name."""

import re
import subprocess

from tests.repository._tree import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
REQUIRED = {"setup", "up", "down", "test", "preview", "bench", "lint"}


def targets() -> set[str]:
    """The names that can be given to make."""
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", MAKEFILE, re.MULTILINE))


def test_make_alone_lists_every_target_with_a_line() -> None:
    listing = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = dict(re.findall(r"^\s*make (\S+)\s+(\S.*)$", listing, re.MULTILINE))
    assert listed.keys() == targets()
    assert targets() >= REQUIRED


def test_no_target_can_be_shadowed_by_a_file() -> None:
    match = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert match
    assert set(match.group(1).split()) == targets()


def test_every_target_that_needs_the_environment_makes_it() -> None:
    for target in targets() - {"help"}:
        rule = re.search(rf"^{target}:(.*)$", MAKEFILE, re.MULTILINE)
        assert rule
        assert "$(STAMP)" in rule.group(1), target
