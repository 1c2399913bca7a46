"""Detect the format and dimensions of an image from its first bytes, without decoding it.

File names and declared types are not trusted, and a small file can declare a huge image, so its dimensions
are read before it is decoded. Formats: PNG (W3C), JPEG (ITU T.81), GIF89a, WebP (RFC 9649), AVIF (ISO
23000-22: the ``ispe`` box of ISO 23008-12).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

HEAD: Final = 256 * 1024  # a JPEG may carry this much metadata before its frame header
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_MAX_ISPE_BOXES: Final = 200

AVIF_BYTES: Final = 8

MAX_SIDE: Final = 16_383  # maximum of WebP; a line of pixels stays within 128 KiB
MAX_PIXELS: Final = 50_000_000
MAX_DECODED_BYTES: Final = 200_000_000  # all pixels at 4 channels of 8 bits


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


def read_header(head: bytes) -> ImageHeader | None:
    """Return the header of an image whose file begins with ``head``, its first :data:`HEAD` bytes.

    ``None`` if the format is unknown or the header is incomplete or malformed.
    """
    for kind, parse in (
        (ImageFormat.PNG, _png),
        (ImageFormat.GIF, _gif),
        (ImageFormat.JPEG, _jpeg),
        (ImageFormat.WEBP, _webp),
        (ImageFormat.AVIF, _avif),
    ):
        try:
            size = parse(head)
        except IndexError:
            continue
        if size is not None and min(size) > 0:
            return ImageHeader(kind, *size)
    return None


def _number(data: bytes, at: int, length: int, order: str = "big") -> int:
    part = data[at : at + length]
    if len(part) < length:
        raise IndexError(at)
    return int.from_bytes(part, "little" if order == "little" else "big")


def _png(head: bytes) -> tuple[int, int, int] | None:
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or head[12:16] != b"IHDR":
        return None
    # Color types: 0 gray, 2 RGB, 3 palette (decoded to RGB or RGBA), 4 gray and alpha, 6 RGBA.
    channels = {0: 2, 2: 4, 3: 4, 4: 2, 6: 4}.get(head[25], 4)
    return _number(head, 16, 4), _number(head, 20, 4), channels * (2 if head[24] == 16 else 1)


def _gif(head: bytes) -> tuple[int, int, int] | None:
    if head[:6] not in {b"GIF87a", b"GIF89a"}:
        return None
    return _number(head, 6, 2, "little"), _number(head, 8, 2, "little"), 4


def _jpeg(head: bytes) -> tuple[int, int, int] | None:
    if not head.startswith(b"\xff\xd8\xff"):
        return None
    at = 2
    while _number(head, at, 1) == 0xFF:
        marker = _number(head, at + 1, 1)
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _FRAMES:
            # libjpeg stores a progressive JPEG as 2-byte coefficients of every channel until the last scan.
            sample = 2 if marker in _PROGRESSIVE or head[at + 4] > 8 else 1
            return _number(head, at + 7, 2), _number(head, at + 5, 2), max(1, head[at + 9]) * sample
        else:
            at += 2 + _number(head, at + 2, 2)
    return None


def _webp(head: bytes) -> tuple[int, int, int] | None:
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    chunk = head[12:16]
    if chunk == b"VP8X":
        return _number(head, 24, 3, "little") + 1, _number(head, 27, 3, "little") + 1, 4
    if chunk == b"VP8L" and head[20] == 0x2F:
        bits = _number(head, 21, 4, "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 4
    if chunk == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        return _number(head, 26, 2, "little") & 0x3FFF, _number(head, 28, 2, "little") & 0x3FFF, 4
    return None


def _avif(head: bytes) -> tuple[int, int, int] | None:
    """Read the maximum dimensions of all ``ispe`` boxes: an upper bound for the decoded size."""
    if head[4:8] != b"ftyp" or not {head[at : at + 4] for at in range(8, 40, 4)} & {b"avif", b"avis"}:
        return None
    width = height = 0
    # av1C: the third byte of its body has high_bitdepth in bit 0x40.
    config = head.find(b"av1C")
    sample = 2 if config >= 0 and head[config + 6] & 0x40 else 1
    at = 0
    for _ in range(_MAX_ISPE_BOXES):
        at = head.find(b"ispe", at)
        if at < 0:
            break
        width, height = max(width, _number(head, at + 8, 4)), max(height, _number(head, at + 12, 4))
        at += 4
    # Measured: libheif holds the planes and their interleaved copies at the same time.
    return (width, height, AVIF_BYTES * sample) if width else None
