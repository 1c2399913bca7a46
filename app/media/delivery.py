"""Delivery of images over signed URLs: byte ranges (RFC 9110, section 14), revalidation and edge caching.

The object behind a name never changes, so its entity tag is derived from the name. Caches may store an image
until its signed URL expires, but at most :data:`~app.media.visibility.MAX_CACHED_SECONDS` without
revalidation. ``Cache-Tag`` and ``Surrogate-Key`` allow an edge cache to purge all variants of an image at
once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.http.problems import NOT_FOUND, RANGE_NOT_SATISFIABLE, UNAVAILABLE, Problem
from app.http.responses import Response, Stream, matches
from app.media.object_stream import ObjectStream
from app.media.signed_urls import SignedUrls, object_name
from app.media.visibility import MAX_CACHED_SECONDS, Visibility
from app.storage import Bucket, ObjectMissing, RangeMissing, StorageError

_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ConditionalHeaders:
    """The ``Range``, ``If-Range`` and ``If-None-Match`` headers of a request."""

    range: str | None
    if_range: str | None
    if_none_match: str | None


class MediaDelivery:
    """Serves stored images to clients that have a signed URL."""

    def __init__(self, bucket: Bucket, urls: SignedUrls, visibility: Visibility) -> None:
        self._bucket = bucket
        self._urls = urls
        self._visibility = visibility

    async def fetch(
        self, media: str, name: str, expires: int, signature: str, conditions: ConditionalHeaders
    ) -> Response[Stream | None]:
        """Return the image ``name`` of ``media``, or the requested byte range of it.

        Raises :class:`Problem`: 403 for an invalid or expired signature, 404 if the image is not public or
        its object is missing, 416 for a range beyond its end, and 503 if the storage is unavailable.
        """
        seconds_left = self._urls.verify(media, name, expires, signature)
        # Checked before a 304 too: a revalidating cache must learn that the image was withdrawn or deleted.
        if not await self._visibility.is_public(media):
            raise Problem(NOT_FOUND, "Image not found.")
        tag = f'"{media}/{name}"'
        headers = [
            (b"etag", tag.encode()),
            (b"cache-control", b"public, max-age=%d" % min(seconds_left, MAX_CACHED_SECONDS)),
            (b"cache-tag", f"media-{media}".encode()),
            (b"surrogate-key", f"media-{media}".encode()),
            (b"accept-ranges", b"bytes"),
            # Pages of other origins may embed the image; opened as a document of its own, it cannot run
            # anything.
            (b"cross-origin-resource-policy", b"cross-origin"),
            (b"content-security-policy", b"default-src 'none'; sandbox"),
        ]
        if matches(conditions.if_none_match, tag):
            return Response(None, headers=headers, status=304)
        range_ = conditions.range if conditions.if_range in {None, tag} else None
        object_ = object_name(media, name)
        try:
            found = await self._bucket.open(object_, _one_range(range_))
        except RangeMissing as error:
            unsatisfied = {"content-range": "bytes */*"}
            raise Problem(
                RANGE_NOT_SATISFIABLE,
                "The requested range is beyond the end of the image.",
                headers=unsatisfied,
            ) from error
        except ObjectMissing as error:
            raise Problem(NOT_FOUND, "Image not found.") from error
        except StorageError as error:
            retry = {"retry-after": "2"}
            raise Problem(
                UNAVAILABLE, "The image storage is unavailable. Retry later.", headers=retry
            ) from error
        headers.append((b"content-type", f"image/{name.rpartition('.')[2]}".encode()))
        if found.range is not None:
            headers.append((b"content-range", found.range.encode()))
        stream = ObjectStream(self._bucket, object_, found).stream()
        return Response(stream, headers=headers, status=200 if found.range is None else 206)


def _one_range(value: str | None) -> str | None:
    """Return a single valid byte range. Anything else is ignored, as RFC 9110 permits: the whole image is
    sent.
    """
    match = _RANGE.fullmatch(value) if value else None
    if match is None or not (match[1] or match[2]):
        return None
    if match[1] and match[2] and int(match[1]) > int(match[2]):
        return None
    return match[0]
