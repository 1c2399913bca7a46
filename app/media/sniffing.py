"""Detect the format and dimensions of an image from its header, without decoding it.

File names and declared types are not trusted, and a small file can declare a huge image, so its dimensions
are read before it is decoded. Formats: PNG (W3C), JPEG (ITU T.81), GIF89a, WebP (RFC 9649), AVIF (ISO
23000-22: the ``ispe`` box of ISO 23008-12).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Final

_HEAD: Final = 64
# Metadata segments before the frame header of a JPEG, of at most 64 KiB each. Reading this many takes about a
# millisecond.
MAX_SEGMENTS: Final = 1_024
_MAX_BOXES: Final = 64  # of an AVIF, before its metadata
_MAX_META_BYTES: Final = 256 * 1024
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_MAX_ISPE_BOXES: Final = 200

AVIF_BYTES: Final = 8

MAX_SIDE: Final = 16_383  # maximum of WebP; a line of pixels stays within 128 KiB
MAX_PIXELS: Final = 50_000_000
MAX_DECODED_BYTES: Final = 200_000_000  # all pixels at 4 channels of 8 bits


Size = tuple[int, int, int]  # width, height, bytes of a decoded pixel


class ImageFormat(StrEnum):
    """Accepted image formats by media type."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    GIF = "image/gif"
    WEBP = "image/webp"
    AVIF = "image/avif"


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Format of an image, width and height in pixels, and bytes of a decoded pixel."""

    kind: ImageFormat
    width: int
    height: int
    bytes_per_pixel: int = 4  # of the decoded image: channels times bytes per channel

    @property
    def limit_exceeded(self) -> str | None:
        """Return the exceeded limit as a message for the client; ``None`` within all limits."""
        return limit_exceeded(self.width, self.height, self.bytes_per_pixel)


def limit_exceeded(width: int, height: int, bytes_per_pixel: int) -> str | None:
    """Return the limit that an image exceeds as a message for the client; ``None`` within all limits.

    ``width`` and ``height`` are in pixels. Only the first frame of an animation is decoded, so the number of
    frames does not count.
    """
    if max(width, height) > MAX_SIDE:
        return f"The image is {width} by {height} pixels; each side may have at most {MAX_SIDE}."
    if width * height > MAX_PIXELS:
        return f"The image has {width * height} pixels; at most {MAX_PIXELS} are accepted."
    if width * height * bytes_per_pixel > MAX_DECODED_BYTES:
        decoded = width * height * bytes_per_pixel
        return f"The image has {decoded} bytes when decoded; at most {MAX_DECODED_BYTES} are accepted."
    return None


class UnreadableHeader(Exception):  # noqa: N818 (an expected outcome)
    """The file begins like an image, but its dimensions cannot be read. The message is for the client."""


def read_header(file: IO[bytes]) -> ImageHeader | None:
    """Return the header of an image file; ``None`` if its format is unknown.

    Raises :class:`UnreadableHeader` if the header is incomplete, malformed, or behind too much metadata.
    """
    head = _read(file, 0, _HEAD)
    kind = _kind(head)
    if kind is None:
        return None
    try:
        size = _PARSERS[kind](file, head)
    except IndexError:
        size = None
    if size is None or min(size) <= 0:
        raise UnreadableHeader(f"The header of the {kind.name} image is damaged or incomplete.")
    return ImageHeader(kind, *size)


def _kind(head: bytes) -> ImageFormat | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageFormat.PNG
    if head.startswith(b"\xff\xd8\xff"):
        return ImageFormat.JPEG
    if head[:6] in {b"GIF87a", b"GIF89a"}:
        return ImageFormat.GIF
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ImageFormat.WEBP
    if head[4:8] == b"ftyp" and {head[at : at + 4] for at in range(8, 40, 4)} & {b"avif", b"avis"}:
        return ImageFormat.AVIF
    return None


def _read(file: IO[bytes], at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)


def _number(data: bytes, at: int, length: int, order: str = "big") -> int:
    part = data[at : at + length]
    if len(part) < length:
        raise IndexError(at)
    return int.from_bytes(part, "little" if order == "little" else "big")


def _png(file: IO[bytes], head: bytes) -> Size | None:
    if head[12:16] != b"IHDR":
        return None
    # Color types: 0 gray, 2 RGB, 3 palette (decoded to RGB or RGBA), 4 gray and alpha, 6 RGBA.
    channels = {0: 2, 2: 4, 3: 4, 4: 2, 6: 4}.get(head[25], 4)
    return _number(head, 16, 4), _number(head, 20, 4), channels * (2 if head[24] == 16 else 1)


def _gif(file: IO[bytes], head: bytes) -> Size | None:
    return _number(head, 6, 2, "little"), _number(head, 8, 2, "little"), 4


def _jpeg(file: IO[bytes], head: bytes) -> Size | None:
    at = 2
    for _ in range(MAX_SEGMENTS):
        segment = _read(file, at, 10)
        if segment[0] != 0xFF:
            return None
        marker = segment[1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _FRAMES:
            # libjpeg stores a progressive JPEG as 2-byte coefficients of every channel until the last scan.
            sample = 2 if marker in _PROGRESSIVE or segment[4] > 8 else 1
            return _number(segment, 7, 2), _number(segment, 5, 2), max(1, segment[9]) * sample
        else:
            at += 2 + _number(segment, 2, 2)
    raise UnreadableHeader(f"The JPEG image has more than {MAX_SEGMENTS} segments before its frame header.")


def _webp(file: IO[bytes], head: bytes) -> Size | None:
    chunk = head[12:16]
    if chunk == b"VP8X":
        return _number(head, 24, 3, "little") + 1, _number(head, 27, 3, "little") + 1, 4
    if chunk == b"VP8L" and head[20] == 0x2F:
        bits = _number(head, 21, 4, "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 4
    if chunk == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        return _number(head, 26, 2, "little") & 0x3FFF, _number(head, 28, 2, "little") & 0x3FFF, 4
    return None


def _avif(file: IO[bytes], head: bytes) -> Size | None:
    """Read the maximum dimensions of all ``ispe`` boxes: an upper bound for the decoded size."""
    meta = _avif_metadata(file)
    width = height = 0
    # av1C: the third byte of its body has high_bitdepth in bit 0x40.
    config = meta.find(b"av1C")
    sample = 2 if config >= 0 and meta[config + 6] & 0x40 else 1
    at = 0
    for _ in range(_MAX_ISPE_BOXES):
        at = meta.find(b"ispe", at)
        if at < 0:
            break
        width, height = max(width, _number(meta, at + 8, 4)), max(height, _number(meta, at + 12, 4))
        at += 4
    # Measured: libheif holds the planes and their interleaved copies at the same time.
    return (width, height, AVIF_BYTES * sample) if width else None


def _avif_metadata(file: IO[bytes]) -> bytes:
    """Return the ``meta`` box, wherever it is in the file; empty without one."""
    at = 0
    for _ in range(_MAX_BOXES):
        box = _read(file, at, 16)
        size = _number(box, 0, 4)
        if size == 1:
            size = _number(box, 8, 8)
        if box[4:8] == b"meta":
            return _read(file, at, min(size or _MAX_META_BYTES, _MAX_META_BYTES))
        if size < 8:  # 0: the box ends with the file
            break
        at += size
    return b""


_PARSERS: Final[dict[ImageFormat, Callable[[IO[bytes], bytes], Size | None]]] = {
    ImageFormat.PNG: _png,
    ImageFormat.JPEG: _jpeg,
    ImageFormat.GIF: _gif,
    ImageFormat.WEBP: _webp,
    ImageFormat.AVIF: _avif,
}
