"""The page behind the image of a comment."""

from __future__ import annotations

from tools.comment_image import EXAMPLE, IMAGE, page


def test_example_is_rendered_with_its_table_and_details() -> None:
    html = page(EXAMPLE.read_text())
    assert "<table>" in html
    assert "<details>" in html
    assert "❌" not in html


def test_image_is_a_png_and_in_the_repository() -> None:
    assert IMAGE.read_bytes().startswith(b"\x89PNG")
