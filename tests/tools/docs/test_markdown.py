"""Documents taken apart: fenced blocks, links, anchors and tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.repository._tree import ROOT
from tools.docs.markdown import Block, anchors, blocks, documents, links, prose, table

PAGE = """\
# The Title: a `code` & more

See [one](a.md#x), ![image](b.png), [two](https://example.com) and `[three](c.md)`.

```sh
# not a heading
make up  # [four](d.md)
```

~~~python
```
print(1)
~~~

## Second — title

| a | b |
| --- | --- |
| 1 | x \\| y |
| 2 | |

text

| other | table |
| --- | --- |
| 3 | z |

### Empty

No table here.
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "page.md"
    file.write_text(PAGE)
    return file


def test_documents_are_the_pages_of_the_repository() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in documents()}
    assert {"README.md", "docs/api.md"} <= found
    assert not [path for path in found if path.startswith(("tests/", ".github/")) or not path.endswith(".md")]


def test_blocks_have_the_language_and_the_text_between_equal_fences(page: Path) -> None:
    assert list(blocks(page, "sh", "python")) == [
        Block(page, "sh", "# not a heading\nmake up  # [four](d.md)\n"),
        Block(page, "python", "```\nprint(1)\n"),
    ]
    assert list(blocks(page, "yaml")) == []


def test_prose_is_the_page_without_its_blocks(page: Path) -> None:
    text = prose(page)
    assert "make up" not in text
    assert "print(1)" not in text
    assert "No table here." in text


def test_links_are_those_of_the_prose_without_images_and_code(page: Path) -> None:
    assert list(links(page)) == ["a.md#x", "https://example.com"]


def test_anchors_are_derived_from_headings_as_github_does(page: Path) -> None:
    assert anchors(page) == {"the-title-a-code--more", "second--title", "empty"}


def test_first_table_below_a_heading_has_its_cells_without_the_head(page: Path) -> None:
    assert table(page, "Second — title") == [["1", "x \\| y"], ["2", ""]]


@pytest.mark.parametrize("heading", ["Empty", "Absent", "Second"])
def test_heading_without_a_table_is_an_error(
    monkeypatch: pytest.MonkeyPatch, page: Path, heading: str
) -> None:
    monkeypatch.setattr("tools.docs.markdown.ROOT", page.parent)
    with pytest.raises(LookupError, match=rf"no table below “{heading}” in page\.md"):
        table(page, heading)
