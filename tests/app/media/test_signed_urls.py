"""Signed URLs: expiry, key rotation, tampering."""

from __future__ import annotations

import pytest

from app.http.problems import Problem
from app.media.signed_urls import SignedUrls, object_name

OLD, NEW = bytes(32), bytes([1]) * 32
NOW = 1_000_000_000.0


def signed(urls: SignedUrls, media: str = "an-id", name: str = "320.webp") -> tuple[int, str]:
    query = dict(part.split("=") for part in urls.sign(media, name).partition("?")[2].split("&"))
    return int(query["expires"]), query["signature"]


def test_url_is_valid_for_one_to_two_hours_and_the_same_for_every_client() -> None:
    urls = SignedUrls((OLD,), clock=lambda: NOW)
    expires, _ = signed(urls)
    assert 3600 <= expires - NOW <= 7200
    assert signed(urls) == signed(SignedUrls((OLD,), clock=lambda: NOW + 1))


def test_signatures_of_every_key_are_accepted_until_they_expire() -> None:
    expires, signature = signed(SignedUrls((OLD, NEW), clock=lambda: NOW))
    rotated = SignedUrls((NEW, OLD), clock=lambda: expires - 1.0)
    assert rotated.verify("an-id", "320.webp", expires, signature) == 1
    with pytest.raises(Problem) as caught:
        SignedUrls((NEW, OLD), clock=lambda: float(expires)).verify("an-id", "320.webp", expires, signature)
    assert caught.value.kind.status == 403
    with pytest.raises(Problem):
        SignedUrls((NEW,), clock=lambda: NOW).verify("an-id", "320.webp", expires, signature)


def test_changed_url_is_rejected() -> None:
    urls = SignedUrls((OLD,), clock=lambda: NOW)
    expires, signature = signed(urls)
    for media, name, at, given in (
        ("other", "320.webp", expires, signature),
        ("an-id", "1280.webp", expires, signature),
        ("an-id", "320.webp", expires + 1, signature),
        ("an-id", "320.webp", expires, signature[:-1] + "é"),
    ):
        with pytest.raises(Problem):
            urls.verify(media, name, at, given)


def test_objects_are_stored_below_their_media() -> None:
    assert object_name("an-id", "original") == "media/an-id/original"
