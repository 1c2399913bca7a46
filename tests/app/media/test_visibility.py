"""A signed URL works only while its image is public, even if a cache has stored the image."""

from __future__ import annotations

import re

import httpx

from app.media.visibility import MAX_CACHED_SECONDS
from tests.app.conftest import Person
from tests.app.media.test_endpoints import sample_image, settled, upload


def published(person: Person) -> dict[str, str]:
    """A published piece, as the feed shows it."""
    piece = person.create("something to withdraw")["id"]
    person.finished(piece)
    assert person.client.put(f"/v1/contents/{piece}/publication").status_code == 200
    return person.client.get(f"/v1/feed/{piece}").json()


def refused(client: httpx.Client, url: str, tag: str) -> bool:
    """Neither the image nor a 304, which would let a cache keep it."""
    responses = client.get(url), client.get(url, headers={"if-none-match": tag}), client.head(url)
    return {response.status_code for response in responses} == {404}


def test_copies_in_caches_expire_within_the_bound(ada: Person, client: httpx.Client) -> None:
    response = client.get(published(ada)["image"])
    assert response.status_code == 200
    age = re.search(r"max-age=(\d+)", response.headers["cache-control"])
    assert age is not None
    assert 0 < int(age[1]) <= MAX_CACHED_SECONDS
    assert "immutable" not in response.headers["cache-control"]


def test_withdrawn_image_is_not_public(ada: Person, client: httpx.Client) -> None:
    item = published(ada)
    tag = client.get(item["image"]).headers["etag"]
    assert ada.client.delete(f"/v1/contents/{item['id']}/publication").status_code == 204
    assert refused(client, item["image"], tag)
    assert ada.client.get(f"/v1/contents/{item['id']}/image").status_code == 200, "the owner has it still"
    assert ada.client.put(f"/v1/contents/{item['id']}/publication").status_code == 200
    assert client.get(item["image"]).status_code == 200


def test_deleted_content_is_not_found_anywhere(ada: Person, eve: Person, client: httpx.Client) -> None:
    item = published(ada)
    path = f"/v1/contents/{item['id']}"
    tag = client.get(item["image"]).headers["etag"]
    assert eve.client.delete(path).status_code == 404
    assert ada.client.delete(path).status_code == 204
    assert refused(client, item["image"], tag)
    for gone in (path, f"{path}/image", f"{path}/events", f"/v1/feed/{item['id']}"):
        assert ada.client.get(gone).status_code == 404, gone
    assert item["id"] not in client.get("/v1/feed?limit=100").text
    assert item["id"] not in ada.client.get("/v1/contents").text
    assert ada.client.delete(path).status_code == 404


def test_content_deleted_while_queued_stays_deleted(ada: Person) -> None:
    piece = ada.create("never mind")["id"]
    assert ada.client.delete(f"/v1/contents/{piece}").status_code == 204
    assert ada.client.get(f"/v1/contents/{piece}").status_code == 404


def test_upload_is_public_until_it_is_deleted(ada: Person, client: httpx.Client) -> None:
    media = settled(ada, upload(ada, sample_image(seed=9)).json()["id"])
    url = media["variants"][0]["url"]
    tag = client.get(url).headers["etag"]
    assert client.get(url, headers={"if-none-match": tag}).status_code == 304
    assert ada.client.delete(f"/v1/uploads/{media['id']}").status_code == 204
    assert refused(client, url, tag)
