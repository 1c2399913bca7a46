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
_MOST_BOXES: Final = 200


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

    @property
    def pixels(self) -> int:
        return self.width * self.height


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
        if size is not None and size[0] > 0 and size[1] > 0:
            return Recognised(kind, *size)
    return None


def _number(data: bytes, at: int, length: int, order: str = "big") -> int:
    part = data[at : at + length]
    if len(part) < length:
        raise IndexError(at)
    return int.from_bytes(part, "little" if order == "little" else "big")


def _png(head: bytes) -> tuple[int, int] | None:
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or head[12:16] != b"IHDR":
        return None
    return _number(head, 16, 4), _number(head, 20, 4)


def _gif(head: bytes) -> tuple[int, int] | None:
    if head[:6] not in {b"GIF87a", b"GIF89a"}:
        return None
    return _number(head, 6, 2, "little"), _number(head, 8, 2, "little")


def _jpeg(head: bytes) -> tuple[int, int] | None:
    if not head.startswith(b"\xff\xd8\xff"):
        return None
    at = 2
    while _number(head, at, 1) == 0xFF:
        marker = _number(head, at + 1, 1)
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _FRAMES:
            return _number(head, at + 7, 2), _number(head, at + 5, 2)
        else:
            at += 2 + _number(head, at + 2, 2)
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    chunk = head[12:16]
    if chunk == b"VP8X":
        return _number(head, 24, 3, "little") + 1, _number(head, 27, 3, "little") + 1
    if chunk == b"VP8L" and head[20] == 0x2F:
        bits = _number(head, 21, 4, "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        return _number(head, 26, 2, "little") & 0x3FFF, _number(head, 28, 2, "little") & 0x3FFF
    return None


def _avif(head: bytes) -> tuple[int, int] | None:
    """The largest of the sizes that the properties of the file name: no part of it is larger."""
    if head[4:8] != b"ftyp" or not {head[at : at + 4] for at in range(8, 40, 4)} & {b"avif", b"avis"}:
        return None
    largest: tuple[int, int] | None = None
    at = 0
    for _ in range(_MOST_BOXES):
        at = head.find(b"ispe", at)
        if at < 0:
            break
        size = _number(head, at + 8, 4), _number(head, at + 12, 4)
        if largest is None or size[0] * size[1] > largest[0] * largest[1]:
            largest = size
        at += 4
    return largest
