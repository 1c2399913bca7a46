"""Variants of an image, made with libvips: in several widths, as AVIF and WebP, upright, without metadata.

Runs in the child process of :mod:`app.media.decoder`. An image beyond the bounds of
:mod:`app.media.sniffing` is refused before its pixels are decoded, whatever its header said on arrival.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from app.media.sniffing import AVIF_BYTES, Kind, excess

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


VARIANT_NAMES: Final = tuple(f"{width}.{form}" for width, form in _WANTED)


class PictureRefused(Exception):  # noqa: N818 (an answer, not a failure)
    """The file is not the picture that it seemed to be, or too large a one."""


class Variant(msgspec.Struct, frozen=True):
    """An image derived from an upload: its name, its width and height in pixels, and its encoded bytes."""

    name: str
    width: int
    height: int
    data: bytes


class Decoded(msgspec.Struct, frozen=True):
    """Result of decoding an upload: its variants, or the reason why it was ``refused``."""

    variants: list[Variant] = []
    refused: str | None = None


def make(data: bytes, kind: Kind) -> list[Variant]:
    """All variants of an image. Takes up to seconds of a core; raises :class:`PictureRefused`."""
    import pyvips

    pyvips.cache_set_max(0)  # every picture is made once, so a cache of operations only grows
    try:
        picture = pyvips.Image.new_from_buffer(data, "")
        if picture.get("vips-loader") != _LOADERS[kind]:
            raise PictureRefused("It is not the kind of picture that it seemed to be.")
        reason = excess(picture.width, picture.height, _bytes_per_pixel(picture, kind))
        if reason is not None:
            raise PictureRefused(reason)
        return [_variant(pyvips, data, width, form) for width, form in _WANTED if _needed(picture, width)]
    except pyvips.Error as error:
        if "alloc" in str(error).lower() or "memory" in str(error).lower():
            raise PictureRefused("It needs too much memory to decode.") from error
        raise PictureRefused("It cannot be read: it is damaged or cut off.") from error


def _bytes_per_pixel(picture: Any, kind: Kind) -> int:
    """Bytes of a decoded pixel. A progressive JPEG is held as 2-byte coefficients of every channel."""
    sample = 2 if picture.format in {"ushort", "short"} else 1
    if kind is Kind.JPEG and picture.get_typeof("interlaced") and picture.get("interlaced"):
        sample = 2
    return (AVIF_BYTES if kind is Kind.AVIF else picture.bands) * sample


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
