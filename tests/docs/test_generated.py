"""Generated documents are current."""

from pathlib import Path

import pytest
import yaml

from tests.repository._tree import ROOT, name
from tools.docs.__main__ import pages

PAGES = pages()


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_generated_documents_are_current(path: Path) -> None:
    assert path.read_text() == PAGES[path], f"run `make docs` and commit {name(path)}"


@pytest.mark.parametrize("stack", sorted((ROOT / "stacks").glob("Pulumi.*.yaml")), ids=lambda path: path.stem)
def test_settings_of_the_rehearsal_are_documented_too(stack: Path) -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    for key, value in yaml.safe_load(stack.read_text())["config"].items():
        if key.startswith("rehearsal:"):
            assert f"`{key}" in page
            assert all(f"{name}:" in page for name in value), key
