"""Posters: deterministic WebP images of a fixed size."""

from __future__ import annotations

import io

from app.content.poster import HEIGHT, WIDTH, draw
from app.media.sniffing import ImageFormat, read_header


def test_same_prompt_gives_the_same_image() -> None:
    image = draw("a lighthouse")
    assert image == draw("a lighthouse")
    assert image != draw("a forest")


def test_image_is_webp_of_the_declared_size() -> None:
    header = read_header(io.BytesIO(draw("a lighthouse")))
    assert header is not None
    assert (header.kind, header.width, header.height) == (ImageFormat.WEBP, WIDTH, HEIGHT)
