"""What a file is and how large a picture it holds, by its own first bytes, without decoding anything.

A name or a declared type says nothing. And a file of kilobytes can hold a picture of gigabytes, so its size
is read before anything is unpacked. Formats: PNG (W3C), JPEG (ITU T.81), GIF89a, WebP (RFC 9649), AVIF
(ISO 23000-22: the ``ispe`` box of ISO 23008-12).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

HEAD: Final = 256 * 1024  # a JPEG may carry that much before it says how large it is
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_MOST_BOXES: Final = 200

AVIF_BYTES: Final = 8

MAX_SIDE: Final = 16_383  # the most that WebP can hold; a line of pixels stays within 128 KiB
MAX_PIXELS: Final = 50_000_000
MAX_DECODED_BYTES: Final = 200_000_000  # all pixels at 4 channels of 8 bits


class Kind(StrEnum):
    """A format that is taken, by its media type."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    GIF = "image/gif"
    WEBP = "image/webp"
    AVIF = "image/avif"


@dataclass(frozen=True, slots=True)
class Recognised:
    """A picture: its format, and its width and height in pixels."""

    kind: Kind
    width: int
    height: int
    bytes_per_pixel: int = 4  # of the decoded image: channels times bytes per channel

    @property
    def excess(self) -> str | None:
        """Which bound the image exceeds, as a sentence for the client; ``None`` when it is within all."""
        return excess(self.width, self.height, self.bytes_per_pixel)


def excess(width: int, height: int, bytes_per_pixel: int) -> str | None:
    """Which bound an image of these sizes exceeds, as a sentence for the client; ``None`` for none.

    Only the first frame of an animation is ever decoded, so the number of frames does not count.
    """
    if max(width, height) > MAX_SIDE:
        return f"It is {width} by {height} pixels; each side may have at most {MAX_SIDE}."
    if width * height > MAX_PIXELS:
        return f"It has {width * height} pixels; at most {MAX_PIXELS} are accepted."
    if width * height * bytes_per_pixel > MAX_DECODED_BYTES:
        decoded = width * height * bytes_per_pixel
        return f"It has {decoded} bytes when decoded; at most {MAX_DECODED_BYTES} are accepted."
    return None


def recognise(head: bytes) -> Recognised | None:
    """What the first :data:`HEAD` bytes of a file say; ``None`` when it is no picture of a known format."""
    for kind, measure in (
        (Kind.PNG, _png),
        (Kind.GIF, _gif),
        (Kind.JPEG, _jpeg),
        (Kind.WEBP, _webp),
        (Kind.AVIF, _avif),
    ):
        try:
            size = measure(head)
        except IndexError:
            continue
        if size is not None and min(size) > 0:
            return Recognised(kind, *size)
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
            # A progressive JPEG is held as 2-byte coefficients of every channel until its last scan.
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
    """The largest width and the largest height that a property of the file declares: no item is larger."""
    if head[4:8] != b"ftyp" or not {head[at : at + 4] for at in range(8, 40, 4)} & {b"avif", b"avis"}:
        return None
    width = height = 0
    # av1C: the third byte of its body has high_bitdepth at 0x40.
    config = head.find(b"av1C")
    sample = 2 if config >= 0 and head[config + 6] & 0x40 else 1
    at = 0
    for _ in range(_MOST_BOXES):
        at = head.find(b"ispe", at)
        if at < 0:
            break
        width, height = max(width, _number(head, at + 8, 4)), max(height, _number(head, at + 12, 4))
        at += 4
    # libheif holds the planes and their interleaved copies at the same time: measured, not derived.
    return (width, height, AVIF_BYTES * sample) if width else None
