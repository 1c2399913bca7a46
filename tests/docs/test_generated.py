"""The generated documents are what the code says today."""

from pathlib import Path

import pytest

from tests.docs.generate import pages
from tests.repository._tree import name

PAGES = pages()


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_generated_documents_are_current(path: Path) -> None:
    assert path.read_text() == PAGES[path], f"run `make docs` and commit {name(path)}"
