"""Pictures made small, with libvips: in several widths, as AVIF and WebP, turned upright, without metadata.

Only workers do this. A picture is refused before it is unpacked if it has more pixels than
:data:`MOST_PIXELS`, whatever its header said when it arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from app.media.recognition import Kind

MOST_PIXELS: Final = 50_000_000
_LOADERS: Final = {
    Kind.PNG: "pngload_buffer",
    Kind.JPEG: "jpegload_buffer",
    Kind.GIF: "gifload_buffer",
    Kind.WEBP: "webpload_buffer",
    Kind.AVIF: "heifload_buffer",
}
_TALLEST: Final = 8192
# Width and format. AVIF of the largest would take a core for seconds and save little on a large screen.
_WANTED: Final = ((320, "avif"), (320, "webp"), (1280, "avif"), (1280, "webp"), (2560, "webp"))


class PictureRefused(Exception):  # noqa: N818 (an answer, not a failure)
    """The file is not the picture that it seemed to be, or too large a one."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A picture made from another: its name, its size in pixels and its bytes."""

    name: str
    width: int
    height: int
    data: bytes


def make(data: bytes, kind: Kind) -> list[Variant]:
    """All variants of a picture; takes up to seconds of a core: call it in a thread."""
    import pyvips

    pyvips.cache_set_max(0)  # every picture is made once, so a cache of operations only grows
    try:
        picture = pyvips.Image.new_from_buffer(data, "")
        if picture.get("vips-loader") != _LOADERS[kind]:
            raise PictureRefused("It is not the kind of picture that it seemed to be.")
        if picture.width * picture.height > MOST_PIXELS:
            raise PictureRefused(f"It has more than {MOST_PIXELS} pixels.")
        return [_variant(pyvips, data, width, form) for width, form in _WANTED if _needed(picture, width)]
    except pyvips.Error as error:
        raise PictureRefused("It cannot be read: it is damaged or cut off.") from error


def _needed(picture: Any, width: int) -> bool:
    """Nothing is made larger than it is; the smallest is made always."""
    smallest = min(wanted for wanted, _ in _WANTED)
    return width == smallest or max(picture.width, picture.height) > width / 2


def _variant(pyvips: Any, data: bytes, width: int, form: str) -> Variant:
    # thumbnail, not resize: it lets the decoder shrink while it reads, and turns the picture upright.
    # (Its own fail_on does not reach the decoder of libvips 8.18; the decoder's option does.)
    small = pyvips.Image.thumbnail_buffer(
        data, width, height=_TALLEST, size="down", option_string="[fail_on=truncated]"
    )
    if form == "avif":
        encoded = small.heifsave_buffer(compression="av1", Q=55, effort=2, keep="icc")
    else:
        encoded = small.webpsave_buffer(Q=80, effort=2, keep="icc")
    return Variant(f"{width}.{form}", small.width, small.height, encoded)
