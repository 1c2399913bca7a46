"""Pictures over HTTP: taken in, made small, delivered over signed addresses, refused when they must be."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import pyvips

from app.http.problems import Problem
from app.media.signed_urls import SignedUrls
from tests.app.conftest import Person
from tests.support.backends import wait_for


def picture(width: int = 900, height: int = 600, form: str = ".png", seed: int = 0) -> bytes:
    """A gradient; another one for another seed."""
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


def slug(answer: httpx.Response) -> str:
    return answer.json()["type"].rpartition("#")[2]


def test_a_picture_comes_back_in_small_over_signed_addresses(ada: Person, client: httpx.Client) -> None:
    answer = upload(ada, picture())
    assert answer.status_code == 202, answer.text
    media = settled(ada, answer.json()["id"])
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
def test_every_format_is_taken(ada: Person, form: str) -> None:
    media_type = "image/jpeg" if form == ".jpg" else f"image/{form[1:]}"
    answer = upload(ada, picture(120, 80, form), media_type)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["width"], answer.json()["height"]) == (120, 80)
    assert settled(ada, answer.json()["id"])["state"] == "ready"


def test_where_a_picture_was_taken_is_not_delivered(ada: Person, client: httpx.Client) -> None:
    image = pyvips.Image.new_from_buffer(picture(64, 64, ".jpg"), "").copy()
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd3-GPSLatitude", "52/1 31/1 0/1")
    data = image.write_to_buffer(".jpg")
    assert b"Exif" in data
    media = settled(ada, upload(ada, data, "image/jpeg").json()["id"])
    for item in media["variants"]:
        assert b"Exif" not in client.get(item["url"]).content


def test_a_part_can_be_asked_for_and_what_is_known_is_not_sent(ada: Person, client: httpx.Client) -> None:
    media = settled(ada, upload(ada, picture()).json()["id"])
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


def test_an_address_is_good_for_what_it_was_signed_for_only(ada: Person, client: httpx.Client) -> None:
    mine = settled(ada, upload(ada, picture(seed=1)).json()["id"])["variants"]
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


def test_the_same_picture_again_is_the_same_media(ada: Person, eve: Person) -> None:
    data = picture(seed=2)
    first, again = upload(ada, data), upload(ada, data)
    assert first.json()["id"] == again.json()["id"]
    assert upload(eve, data).json()["id"] != first.json()["id"]
    assert len(ada.client.get("/v1/uploads").json()["items"]) == 1


def test_another_persons_pictures_are_not_there(ada: Person, eve: Person) -> None:
    media = upload(ada, picture(seed=3)).json()
    assert eve.client.get(f"/v1/uploads/{media['id']}").status_code == 404
    assert eve.client.delete(f"/v1/uploads/{media['id']}").status_code == 404
    assert ada.client.get("/v1/uploads").json()["items"][0]["id"] == media["id"]


def test_a_deleted_picture_is_gone(ada: Person, client: httpx.Client) -> None:
    media = settled(ada, upload(ada, picture(seed=4)).json()["id"])
    path = f"/v1/uploads/{media['id']}"
    assert ada.client.delete(path).status_code == 204
    assert ada.client.get(path).status_code == 404
    assert client.get(media["variants"][0]["url"]).status_code == 404


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png"),
        (b"\xff\xd8\xff\xe0" + b"\xff" * 5000, "image/jpeg"),
        (b"<!doctype html><script>alert(1)</script>", "image/webp"),
        (picture(10, 10), "image/jpeg"),
        (picture(10, 10), "text/html"),
    ],
)
def test_a_type_is_what_the_bytes_say(ada: Person, data: bytes, media_type: str) -> None:
    answer = upload(ada, data, media_type)
    assert (answer.status_code, slug(answer)) == (415, "unsupported-media-type")


def test_a_bomb_is_refused_before_it_is_unpacked(ada: Person) -> None:
    data = bomb(30_000, 30_000)
    assert len(data) < 100_000
    answer = upload(ada, data)
    assert (answer.status_code, slug(answer)) == (422, "picture-refused")


def test_a_damaged_picture_is_refused_by_the_worker(ada: Person) -> None:
    whole = picture(400, 400)
    answer = upload(ada, whole[: len(whole) // 2])
    assert answer.status_code == 202, "its head is in order"
    media = settled(ada, answer.json()["id"])
    assert (media["state"], media["variants"]) == ("refused", [])
    assert "damaged" in media["reason"]


def test_an_upload_without_end_is_cut_off(ada: Person) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield picture(10, 10)
        while sent < 100_000_000:
            sent += 65_536
            yield bytes(65_536)

    try:
        answer = upload(ada, endless())
    except httpx.HTTPError:
        pass  # cut off while it was still sending
    else:
        assert answer.status_code == 413
    assert sent < 50_000_000  # the limit, the bytes read to deliver the 413, and socket buffers


def test_signatures_end_and_keys_can_change() -> None:
    old, new = bytes(32), bytes([1]) * 32
    now = 1_000_000_000.0
    signing = SignedUrls((old, new), clock=lambda: now)
    url = signing.sign("an-id", "320.webp")
    query = dict(part.split("=") for part in url.partition("?")[2].split("&"))
    expires, signature = int(query["expires"]), query["signature"]
    assert 3600 <= expires - now <= 7200
    later = SignedUrls((new, old), clock=lambda: expires - 1.0)
    assert later.verify("an-id", "320.webp", expires, signature) == 1
    with pytest.raises(Problem):
        SignedUrls((new, old), clock=lambda: float(expires)).verify("an-id", "320.webp", expires, signature)
    with pytest.raises(Problem):
        SignedUrls((new,), clock=lambda: now).verify("an-id", "320.webp", expires, signature)
    with pytest.raises(Problem):
        signing.verify("an-id", "320.webp", expires, signature[:-1] + "é")
