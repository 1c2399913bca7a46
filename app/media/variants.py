"""Variants of an image, generated with libvips: several widths as AVIF and WebP, upright, without metadata.

Runs in the child process of :mod:`app.media.decoder`. An image over the limits of :mod:`app.media.sniffing`
is rejected before its pixels are decoded, even if its header was accepted on upload.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from app.media.sniffing import AVIF_BYTES, ImageFormat, limit_exceeded

_LOADERS: Final = {
    ImageFormat.PNG: "pngload_buffer",
    ImageFormat.JPEG: "jpegload_buffer",
    ImageFormat.GIF: "gifload_buffer",
    ImageFormat.WEBP: "webpload_buffer",
    ImageFormat.AVIF: "heifload_buffer",
}
# libvips has loaders for dozens of formats, several of them for documents and scripts.
_LOADER_CLASSES: Final = {
    ImageFormat.PNG: "VipsForeignLoadPng",
    ImageFormat.JPEG: "VipsForeignLoadJpeg",
    ImageFormat.GIF: "VipsForeignLoadNsgif",
    ImageFormat.WEBP: "VipsForeignLoadWebp",
    ImageFormat.AVIF: "VipsForeignLoadHeif",
}
_MAX_HEIGHT: Final = 8192
# Profiles of cameras and screens have a few kilobytes, those of printers megabytes. Every variant contains
# the profile, and a PNG can compress one of many megabytes into a few kilobytes.
MAX_PROFILE_BYTES: Final = 64 * 1024
# Width and format. The widest has no AVIF, which would take seconds of CPU time to save few bytes.
_SIZES: Final = ((320, "avif"), (320, "webp"), (1280, "avif"), (1280, "webp"), (2560, "webp"))


VARIANT_NAMES: Final = tuple(f"{width}.{form}" for width, form in _SIZES)


class ImageRejected(Exception):  # noqa: N818 (an expected outcome)
    """The file is not an image of the detected format, is damaged, or exceeds a limit."""


class Variant(msgspec.Struct, frozen=True):
    """A generated image: name, width and height in pixels, and encoded bytes."""

    name: str
    width: int
    height: int
    data: bytes


class DecodeResult(msgspec.Struct, frozen=True):
    """Result of decoding an upload: its variants, or the reason why it was ``rejected``."""

    variants: list[Variant] = []
    rejected: str | None = None


def allow_only(kind: ImageFormat) -> None:
    """Block the loaders of all other formats in this process.

    libvips detects the format of a file by itself, and a file can be valid in two formats.
    """
    import pyvips

    pyvips.operation_block_set("VipsForeignLoad", True)
    pyvips.operation_block_set(_LOADER_CLASSES[kind], False)


def render_variants(data: bytes, kind: ImageFormat) -> list[Variant]:
    """Return all variants of an image. Uses up to seconds of CPU time; raises :class:`ImageRejected`."""
    import pyvips

    pyvips.cache_set_max(0)  # every image is processed once, so an operation cache would only grow
    try:
        image = pyvips.Image.new_from_buffer(data, "")
        if image.get("vips-loader") != _LOADERS[kind]:
            raise ImageRejected("The image is not of the detected format.")
        reason = limit_exceeded(image.width, image.height, _bytes_per_pixel(image, kind))
        if reason is not None:
            raise ImageRejected(reason)
        return [_variant(pyvips, data, width, form) for width, form in _SIZES if _needed(image, width)]
    except pyvips.Error as error:
        if "alloc" in str(error).lower() or "memory" in str(error).lower():
            raise ImageRejected("Decoding the image needs too much memory.") from error
        raise ImageRejected("The image is damaged or truncated.") from error


def _bytes_per_pixel(image: Any, kind: ImageFormat) -> int:
    """Return the bytes of a decoded pixel. A progressive JPEG is stored as 2-byte coefficients."""
    sample = 2 if image.format in {"ushort", "short"} else 1
    if kind is ImageFormat.JPEG and image.get_typeof("interlaced") and image.get("interlaced"):
        sample = 2
    return (AVIF_BYTES if kind is ImageFormat.AVIF else image.bands) * sample


def _needed(image: Any, width: int) -> bool:
    """Return whether a variant is generated: images are not enlarged, and the narrowest one always exists."""
    narrowest = min(size for size, _ in _SIZES)
    return width == narrowest or max(image.width, image.height) > width / 2


def _variant(pyvips: Any, data: bytes, width: int, form: str) -> Variant:
    # thumbnail instead of resize: it lets the decoder shrink on load and applies the orientation. (Its own
    # fail_on does not reach the decoder of libvips 8.18; the loader option does.)
    small = pyvips.Image.thumbnail_buffer(
        data, width, height=_MAX_HEIGHT, size="down", option_string="[fail_on=truncated]"
    )
    keep = "icc" if _profile_bytes(small) <= MAX_PROFILE_BYTES else "none"
    if form == "avif":
        encoded = small.heifsave_buffer(compression="av1", Q=55, effort=2, keep=keep)
    else:
        encoded = small.webpsave_buffer(Q=80, effort=2, keep=keep)
    return Variant(f"{width}.{form}", small.width, small.height, encoded)


def _profile_bytes(image: Any) -> int:
    """Return the size of the color profile of an image, 0 without one."""
    return len(image.get("icc-profile-data")) if image.get_typeof("icc-profile-data") else 0
