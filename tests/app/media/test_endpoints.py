"""Uploads over HTTP: variants, signed URLs, byte ranges, rejected images."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import pyvips

from app.http.requests import MAX_DISCARD_BYTES
from tests.app.conftest import Person
from tests.support.backends import wait_for


def sample_image(width: int = 900, height: int = 600, form: str = ".png", seed: int = 0) -> bytes:
    """Return a gradient image; each seed gives a different one."""
    image = pyvips.Image.xyz(width, height)[0].linear([255 / width], [seed]).cast("uchar")
    return image.bandjoin([image, image]).copy(interpretation="srgb").write_to_buffer(form)


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that unpacks to ``width * height`` bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    lines = [packer.compress(bytes(width + 1)) for _ in range(min(height, 500))]
    packed = b"".join([*lines, packer.flush()])
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", packed)
        + png_chunk(b"IEND", b"")
    )


def upload(person: Person, data: bytes | Iterator[bytes], media_type: str = "image/png") -> httpx.Response:
    return person.client.post("/v1/uploads", content=data, headers={"content-type": media_type})


def settled(person: Person, media_id: str) -> dict[str, Any]:
    latest: dict[str, Any] = {}

    def ready() -> bool:
        latest.update(person.client.get(f"/v1/uploads/{media_id}").json())
        return latest["state"] != "processing"

    wait_for("variants made", ready)
    return latest


def slug(response: httpx.Response) -> str:
    return response.json()["type"].rpartition("#")[2]


def test_variants_are_delivered_over_signed_urls(ada: Person, client: httpx.Client) -> None:
    response = upload(ada, sample_image())
    assert response.status_code == 202, response.text
    media = settled(ada, response.json()["id"])
    assert (media["state"], media["width"], media["height"]) == ("ready", 900, 600)
    assert {item["media_type"] for item in media["variants"]} == {"image/avif", "image/webp"}
    for item in media["variants"]:
        delivered = client.get(item["url"])
        assert delivered.status_code == 200, delivered.text
        assert delivered.headers["content-type"] == item["media_type"]
        assert len(delivered.content) == item["size"]
        image = pyvips.Image.new_from_buffer(delivered.content, "")
        assert (image.width, image.height) == (item["width"], item["height"])
        assert image.width <= 900, "nothing is made larger than it is"
        assert delivered.headers["cache-control"].startswith("public, max-age=")
        assert delivered.headers["cache-tag"] == f"media-{media['id']}"


@pytest.mark.parametrize("form", [".jpg", ".webp", ".gif", ".avif"])
def test_every_supported_format_is_accepted(ada: Person, form: str) -> None:
    media_type = "image/jpeg" if form == ".jpg" else f"image/{form[1:]}"
    response = upload(ada, sample_image(120, 80, form), media_type)
    assert response.status_code == 202, response.text
    assert (response.json()["width"], response.json()["height"]) == (120, 80)
    assert settled(ada, response.json()["id"])["state"] == "ready"


def test_location_metadata_is_removed(ada: Person, client: httpx.Client) -> None:
    image = pyvips.Image.new_from_buffer(sample_image(64, 64, ".jpg"), "").copy()
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd3-GPSLatitude", "52/1 31/1 0/1")
    data = image.write_to_buffer(".jpg")
    assert b"Exif" in data
    media = settled(ada, upload(ada, data, "image/jpeg").json()["id"])
    for item in media["variants"]:
        assert b"Exif" not in client.get(item["url"]).content


def test_byte_ranges_and_revalidation(ada: Person, client: httpx.Client) -> None:
    media = settled(ada, upload(ada, sample_image()).json()["id"])
    url = media["variants"][0]["url"]
    whole = client.get(url)
    size = len(whole.content)
    for value, expected in (
        ("bytes=10-19", whole.content[10:20]),
        ("bytes=10-", whole.content[10:]),
    ):
        part = client.get(url, headers={"range": value})
        assert (part.status_code, part.content) == (206, expected), value
        assert part.headers["content-range"].endswith(f"/{size}")
    assert client.get(url, headers={"range": f"bytes={size}-"}).status_code == 416
    last = client.get(url, headers={"range": "bytes=-5"})  # the emulator of one machine has no such ranges
    assert (last.status_code, last.content) in {(206, whole.content[-5:]), (200, whole.content)}
    for value in ("bytes=1-2,4-5", "bytes=9-2", "lines=1-2", "bytes=-"):
        assert client.get(url, headers={"range": value}).content == whole.content, "no range that is served"
    changed = client.get(url, headers={"range": "bytes=0-0", "if-range": '"another"'})
    assert changed.status_code == 200
    known = client.get(url, headers={"if-none-match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert client.head(url).headers["content-length"] == str(size)


def test_signed_url_is_valid_for_its_image_only(ada: Person, client: httpx.Client) -> None:
    mine = settled(ada, upload(ada, sample_image(seed=1)).json()["id"])["variants"]
    url = mine[0]["url"]
    path, _, query = url.partition("?")
    for forged in (
        path,
        f"{path.replace('320', '1280')}?{query}",
        url.replace("expires=1", "expires=2"),
        url[:-1] + ("A" if url[-1] != "A" else "B"),
        f"{path.replace(path.split('/')[-1], 'original')}?{query}",
    ):
        assert client.get(forged).status_code in {403, 404, 422}, forged


def test_repeated_upload_returns_the_existing_media(ada: Person, eve: Person) -> None:
    data = sample_image(seed=2)
    first, again = upload(ada, data), upload(ada, data)
    assert first.json()["id"] == again.json()["id"]
    assert upload(eve, data).json()["id"] != first.json()["id"]
    assert len(ada.client.get("/v1/uploads").json()["items"]) == 1


def test_uploads_of_another_account_are_not_found(ada: Person, eve: Person) -> None:
    media = upload(ada, sample_image(seed=3)).json()
    assert eve.client.get(f"/v1/uploads/{media['id']}").status_code == 404
    assert eve.client.delete(f"/v1/uploads/{media['id']}").status_code == 404
    assert ada.client.get("/v1/uploads").json()["items"][0]["id"] == media["id"]


def test_deleted_upload_is_not_found(ada: Person, client: httpx.Client) -> None:
    media = settled(ada, upload(ada, sample_image(seed=4)).json()["id"])
    path = f"/v1/uploads/{media['id']}"
    assert ada.client.delete(path).status_code == 204
    assert ada.client.get(path).status_code == 404
    assert client.get(media["variants"][0]["url"]).status_code == 404


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"", "image/png"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png"),
        (b"<!doctype html><script>alert(1)</script>", "image/webp"),
        (sample_image(10, 10), "image/jpeg"),
        (sample_image(10, 10), "text/html"),
    ],
)
def test_format_is_detected_from_the_bytes(ada: Person, data: bytes, media_type: str) -> None:
    response = upload(ada, data, media_type)
    assert (response.status_code, slug(response)) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("data", "media_type", "detail"),
    [
        (b"GIF89a", "image/gif", "The header of the GIF image is damaged or incomplete."),
        (b"\xff\xd8\xff\xe0" + b"\xff" * 5000, "image/jpeg", "The header of the JPEG image is damaged"),
        (b"\xff\xd8" + b"\xff" * 5000, "image/jpeg", "more than 1024 segments"),
    ],
)
def test_unreadable_header_is_rejected_with_its_reason(
    ada: Person, data: bytes, media_type: str, detail: str
) -> None:
    response = upload(ada, data, media_type)
    assert (response.status_code, slug(response)) == (422, "image-rejected")
    assert detail in response.json()["detail"]


def test_decompression_bomb_is_rejected_before_decoding(ada: Person) -> None:
    data = bomb(30_000, 30_000)
    assert len(data) < 100_000
    response = upload(ada, data)
    assert (response.status_code, slug(response)) == (422, "image-rejected")


def test_damaged_image_is_rejected_by_the_worker(ada: Person) -> None:
    whole = sample_image(400, 400)
    response = upload(ada, whole[: len(whole) // 2])
    assert response.status_code == 202, "its head is in order"
    media = settled(ada, response.json()["id"])
    assert (media["state"], media["variants"]) == ("refused", [])
    assert "damaged" in media["reason"]


@pytest.mark.slow
def test_endless_upload_is_aborted(ada: Person) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield sample_image(10, 10)
        while sent < 3 * MAX_DISCARD_BYTES:
            sent += 65_536
            yield bytes(65_536)

    try:
        response = upload(ada, endless())
    except httpx.HTTPError:
        pass  # cut off while it was still sending
    else:
        assert response.status_code == 413
    # The limit of an upload, the bytes discarded to deliver the 413, and socket buffers.
    assert sent < 1.5 * MAX_DISCARD_BYTES
