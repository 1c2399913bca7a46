"""Pictures for whoever has a signed address: in parts (RFC 9110, section 14), revalidated, kept by the edge.

What stands under a name never changes, so its entity tag is its name. No cache keeps an image beyond the end
of its signed URL, nor longer than :data:`~app.media.visibility.MAX_CACHED_SECONDS` without revalidation;
``Cache-Tag`` and ``Surrogate-Key`` let an edge drop all variants of an image at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.http.problems import NOT_FOUND, RANGE_NOT_SATISFIABLE, UNAVAILABLE, Problem
from app.http.responses import Answer, Stream, matches
from app.media.signed_urls import Links, object_name
from app.media.visibility import MAX_CACHED_SECONDS, Visibility
from app.storage import Bucket, ObjectMissing, RangeMissing, StorageError

_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wish:
    """The conditions of a request: its ``Range``, ``If-Range`` and ``If-None-Match``."""

    range: str | None
    if_range: str | None
    if_none_match: str | None


class Delivery:
    """Hands out what is in the bucket."""

    def __init__(self, bucket: Bucket, links: Links, visibility: Visibility) -> None:
        self._bucket = bucket
        self._links = links
        self._visibility = visibility

    async def fetch(
        self, media: str, name: str, expires: int, signature: str, wish: Wish
    ) -> Answer[Stream | None]:
        """The picture, or the part of it that is asked for."""
        grant = self._links.verify(media, name, expires, signature)
        # Also before a 304: a cache that revalidates must learn that the image was withdrawn or deleted.
        if not await self._visibility.is_public(media):
            raise Problem(NOT_FOUND, "There is no such picture.")
        tag = f'"{media}/{name}"'
        headers = [
            (b"etag", tag.encode()),
            (b"cache-control", b"public, max-age=%d" % min(grant.seconds, MAX_CACHED_SECONDS)),
            (b"cache-tag", f"media-{media}".encode()),
            (b"surrogate-key", f"media-{media}".encode()),
            (b"accept-ranges", b"bytes"),
            # An app on another origin may show it; as a page of its own it can do nothing.
            (b"cross-origin-resource-policy", b"cross-origin"),
            (b"content-security-policy", b"default-src 'none'; sandbox"),
        ]
        if matches(wish.if_none_match, tag):
            return Answer(None, headers=headers, status=304)
        part = wish.range if wish.if_range in {None, tag} else None
        try:
            found = await self._bucket.open(object_name(media, name), _one_range(part))
        except RangeMissing as error:
            whole = {"content-range": "bytes */*"}
            raise Problem(RANGE_NOT_SATISFIABLE, "It is not that long.", headers=whole) from error
        except ObjectMissing as error:
            raise Problem(NOT_FOUND, "There is no such picture.") from error
        except StorageError as error:
            again = {"retry-after": "2"}
            raise Problem(UNAVAILABLE, "Pictures cannot be read just now.", headers=again) from error
        headers.append((b"content-type", f"image/{name.rpartition('.')[2]}".encode()))
        if found.range is not None:
            headers.append((b"content-range", found.range.encode()))
        stream = Stream(found.chunks, length=found.length, release=found.release)
        return Answer(stream, headers=headers, status=200 if found.range is None else 206)


def _one_range(value: str | None) -> str | None:
    """A single range; anything else is no range, as the standard lets a server see it."""
    match = _RANGE.fullmatch(value) if value else None
    if match is None or not (match[1] or match[2]):
        return None
    if match[1] and match[2] and int(match[1]) > int(match[2]):
        return None
    return match[0]
