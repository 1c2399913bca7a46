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
_PNG_SIGNATURE: Final = 8  # bytes
_PNG_CHUNK: Final = 12  # bytes of a chunk without its data: length, type, checksum
_PNG_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
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
        if kind is ImageFormat.PNG:
            data = without_texts(data)
        image = pyvips.Image.new_from_buffer(data, "")
        if image.get("vips-loader") != _LOADERS[kind]:
            raise ImageRejected("The image is not of the detected format.")
        reason = limit_exceeded(image.width, image.height, _bytes_per_pixel(image, kind))
        if reason is not None:
            raise ImageRejected(reason)
        sizes = [(width, form) for width, form in _SIZES if _needed(image, width)]
        scaled = _scaled(pyvips, data, sorted({width for width, _ in sizes}, reverse=True))
        return [_variant(scaled[width], width, form) for width, form in sizes]
    except pyvips.Error as error:
        # The name of the operation, which precedes every reason.
        reason = str(error).lower().removeprefix("unable to copy to memory")
        if "alloc" in reason or "memory" in reason:
            raise ImageRejected("Decoding the image needs too much memory.") from error
        raise ImageRejected("The image is damaged or truncated.") from error


def without_texts(data: bytes) -> bytes:
    """Return a PNG file without its text chunks, up to the first damaged chunk.

    The loader decompresses all of them, each to up to 60 MB: a file of 3 MB takes a minute.
    """
    pieces = [data[:_PNG_SIGNATURE]]
    at = start = _PNG_SIGNATURE
    while at + 8 <= len(data):
        end = at + _PNG_CHUNK + int.from_bytes(data[at : at + 4])
        if data[at + 4 : at + 8] in _PNG_TEXTS:
            pieces.append(data[start:at])
            start = end
        at = end
    pieces.append(data[start:])
    return b"".join(pieces) if len(pieces) > 2 else data


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


def _scaled(pyvips: Any, data: bytes, widths: list[int]) -> dict[int, Any]:
    """Return the image reduced to each of ``widths``, which are in descending order.

    The file is decoded once, for the first width; each of the others is a reduction of the one before.
    """
    # thumbnail instead of resize: it lets the decoder shrink on load and applies the orientation. (Its own
    # fail_on does not reach the decoder of libvips 8.18; the loader option does.)
    image = pyvips.Image.thumbnail_buffer(
        data, widths[0], height=_MAX_HEIGHT, size="down", option_string="[fail_on=truncated]"
    ).copy_memory()
    scaled = {widths[0]: image}
    for width in widths[1:]:
        image = scaled[width] = image.thumbnail_image(width, height=_MAX_HEIGHT, size="down").copy_memory()
    return scaled


def _variant(image: Any, width: int, form: str) -> Variant:
    keep = "icc" if _profile_bytes(image) <= MAX_PROFILE_BYTES else "none"
    if form == "avif":
        encoded = image.heifsave_buffer(compression="av1", Q=55, effort=2, keep=keep)
    else:
        encoded = image.webpsave_buffer(Q=80, effort=2, keep=keep)
    return Variant(f"{width}.{form}", image.width, image.height, encoded)


def _profile_bytes(image: Any) -> int:
    """Return the size of the color profile of an image, 0 without one."""
    return len(image.get("icc-profile-data")) if image.get_typeof("icc-profile-data") else 0
