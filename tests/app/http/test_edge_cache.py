"""Copies of images in the cache of the local edge, and the memory of the edge."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes

from app.media.visibility import MAX_CACHED_SECONDS
from rehearsal.host.envoy import response_cache
from tests.app.conftest import Person
from tests.app.media.test_endpoints import sample_image, settled, upload
from tests.support import backends
from tests.support.backends import Platform, wait_for
from tests.support.edges import HOST, MIB, Edge, Origin, resident_bytes, running

PAGE = "https://app.example.com"


@pytest.fixture
def called_by_pages(platform: Platform, refusing: int, tmp_path: Path) -> Iterator[Edge]:
    """An edge in front of a pod whose API the pages of :data:`PAGE` may call."""
    pod = backends.pod("api", platform.folder, platform.settings | {"KINGDOM_CORS_ORIGINS": PAGE})
    try:
        pod.start()
        platform.wait_until_ready(pod)
        with running(pod.port, refusing, tmp_path) as found:
            yield found
    finally:
        pod.kill()


def test_one_copy_of_an_image_is_cached_for_pages_of_every_origin(called_by_pages: Edge, ada: Person) -> None:
    media = settled(ada, upload(ada, sample_image(90, 60)).json()["id"])
    url = media["variants"][0]["url"]
    with called_by_pages.client(http2=True) as client:
        first = client.get(url)
        wait_for("the copy", lambda: "age" in client.get(url).headers)  # it is written after the response
        origins = (None, PAGE, "https://other.example.com", "null")
        cached = [client.get(url, headers={} if origin is None else {"origin": origin}) for origin in origins]
    assert (first.status_code, "age" in first.headers) == (200, False)
    assert int(first.headers["cache-control"].removeprefix("public, max-age=")) <= MAX_CACHED_SECONDS
    for response in (first, *cached):
        assert (response.status_code, response.content) == (200, first.content)
        assert response.headers["access-control-allow-origin"] == "*"
        assert "vary" not in response.headers
    for response in cached:
        assert "age" in response.headers, "served from the cache"
    assert len({response.headers["x-request-id"] for response in cached}) == 1


def test_a_part_of_a_cached_image_ends_and_its_connection_is_used_again(
    called_by_pages: Edge, ada: Person
) -> None:
    media = settled(ada, upload(ada, sample_image(70, 60)).json()["id"])
    url = media["variants"][0]["url"]
    for http2 in (False, True):
        with called_by_pages.client(http2=http2) as client:
            whole = client.get(url).content
            wait_for("the copy", lambda: "age" in client.get(url).headers)
            for first, last in ((1, 3), (0, len(whole) - 2), (5, len(whole) - 1)):
                part = client.get(url, headers={"range": f"bytes={first}-{last}"})
                assert (part.status_code, part.content) == (206, whole[first : last + 1])
                assert part.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"
                assert client.get(url).content == whole


def test_other_spellings_of_a_signed_url_create_no_copies(called_by_pages: Edge, ada: Person) -> None:
    media = settled(ada, upload(ada, sample_image(80, 60)).json()["id"])
    url = media["variants"][0]["url"]
    path, _, query = url.partition("?")
    expires, _, signature = query.partition("&")
    spellings = [
        f"{path}?{signature}&{expires}",
        f"{path}?{expires.replace('=', '=0')}&{signature}",
        f"{path}?{expires.replace('=', '=%2B')}&{signature}",
        f"{path}?{expires}&{signature[:-1]}%{ord(signature[-1]):02x}",
        f"{path}?{query}&",
        f"{path}?&{query}",
        f"{url}&other=1",
        f"{path.replace('.', '%2e')}?{query}",
        f"{path.replace('.', '%2E')}?{query}",
        f"{path[:-1]}%{ord(path[-1]):02x}?{query}",
        f"{path[: path.rindex('/')]}%2F{path[path.rindex('/') + 1 :]}?{query}",
    ]
    with called_by_pages.client(http2=True) as client:
        assert client.get(url).status_code == 200
        wait_for("the copy", lambda: "age" in client.get(url).headers)
        copy = client.get(url)
        for spelling in spellings:
            response = client.get(spelling)
            if response.status_code == 200:  # Envoy decodes some characters of a path before the lookup
                assert response.headers["x-request-id"] == copy.headers["x-request-id"], spelling
                continue
            assert response.status_code in {403, 422}, spelling
            assert response.headers["cache-control"] == "no-store"


def test_withdrawn_image_is_served_until_its_copy_expires(
    origin: Origin, refusing: int, tmp_path: Path
) -> None:
    with running(origin.server_port, refusing, tmp_path) as found, found.client(http2=True) as client:
        assert client.get("/v1/media/1/a.webp").content == b"an image"
        # The copy is written after the first response.
        wait_for("the copy", lambda: "age" in client.get("/v1/media/1/a.webp").headers)
        # An expired copy is revalidated, and stored for another second.
        wait_for("revalidated", lambda: bool(client.get("/v1/media/1/a.webp")) and '"1"' in origin.conditions)
        origin.withdrawn = True
        began = time.monotonic()
        wait_for("withdrawn", lambda: client.get("/v1/media/1/a.webp").status_code == 404, 10)
        # Ages are whole seconds.
        assert time.monotonic() - began < 1 + 2


def cached_bytes(found: Edge) -> int:
    """Size of all copies that the edge has stored."""
    sizes = 0
    for file in (found.folder / "cache").iterdir():
        with contextlib.suppress(FileNotFoundError):  # deleted in the meantime
            sizes += file.stat().st_size
    return sizes


def test_spellings_of_the_host_share_one_copy(origin: Origin, refusing: int, tmp_path: Path) -> None:
    origin.body, origin.max_age = b"x" * MIB, 3600
    with running(origin.server_port, refusing, tmp_path) as found, found.client(http2=False) as client:

        def get(host: str) -> httpx.Response:
            return client.get("/v1/media/1/a.webp", headers={"host": host})

        def status(host: str) -> int:
            return get(host).status_code

        assert status(HOST) == 200
        wait_for("the copy", lambda: "age" in get(HOST).headers)  # it is written after the response
        requests = len(origin.conditions)
        before = resident_bytes(found.pid)
        spellings = [
            HOST.upper(),
            HOST.title(),
            f"{HOST}:{found.port}",
            f"API.example.com:{found.port}",
            f"{HOST}:a",
        ]
        spellings += [f"{HOST}:{port}" for port in range(1, 100)]
        assert {status(host) for host in spellings} == {200}
        assert len(origin.conditions) == requests, "all are served from the copy"
        refused = [
            f"{HOST}.",
            f"{HOST}:1:1",
            f"x{HOST}",
            "example.com",
            "169.254.169.254",
            "localhost.localdomain",
        ]
        refused += [f"h{number}.{HOST}" for number in range(20)]
        assert {host: status(host) for host in refused} == dict.fromkeys(refused, 421)
        assert status("localhost") == 200
        assert len(origin.conditions) == requests + 1, "one more for each name that the edge serves"
        assert cached_bytes(found) < 3 * MIB
        assert resident_bytes(found.pid) - before < 32 * MIB


def test_copies_of_many_images_are_bounded(
    origin: Origin, refusing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "MAX_BYTES", 8 * MIB)
    origin.body, origin.max_age = b"x" * (512 * 1024), 3600
    with running(origin.server_port, refusing, tmp_path) as found, found.client(http2=False) as client:
        assert client.get("/v1/media/0/a.webp").status_code == 200
        before = resident_bytes(found.pid)
        for number in range(200):  # 100 MiB
            response = client.get(f"/v1/media/{number % 100}/a.webp?expires={number}")
            assert (response.status_code, len(response.content)) == (200, len(origin.body))
        # The oldest copies are deleted in the background.
        wait_for("copies within the bound", lambda: cached_bytes(found) <= 8 * MIB, 10)
        assert resident_bytes(found.pid) - before < 32 * MIB
        latest = "/v1/media/99/a.webp?expires=199"
        wait_for("the copy", lambda: "age" in client.get(latest).headers)


def without_window(found: Edge, streams: int) -> ssl.SSLSocket:
    """Send requests over HTTP/2, and never open the window for their responses."""
    connection = found.connect("h2")
    state = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    state.initiate_connection()
    state.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    for number in range(streams):
        head = [(":method", "GET"), (":path", f"/v1/none?{number}"), (":scheme", "https")]
        state.send_headers(2 * number + 1, [*head, (":authority", HOST)], end_stream=True)
    connection.sendall(state.data_to_send())
    return connection


@pytest.mark.slow
def test_memory_of_responses_that_are_not_read_is_bounded(
    origin: Origin, refusing: int, tmp_path: Path
) -> None:
    origin.body = b"x" * (8 * MIB)
    with running(origin.server_port, refusing, tmp_path) as found, found.client(http2=True) as client:
        assert client.get("/v1/none").status_code == 200
        before = resident_bytes(found.pid)
        with without_window(found, 50), without_window(found, 50):
            wait_for("requests at the origin", lambda: len(origin.conditions) > 60)
            for _ in range(3):
                assert len(client.get("/v1/none").content) == len(origin.body)
            # Of more than 480 MiB that the origin began to send.
            assert resident_bytes(found.pid) - before < 48 * MIB


@pytest.mark.slow
def test_many_clients_that_do_not_read_do_not_exceed_the_memory_of_the_edge(
    origin: Origin, refusing: int, tmp_path: Path
) -> None:
    origin.body = b"x" * MIB
    limit = 128 * MIB
    with (
        running(origin.server_port, refusing, tmp_path, limit) as found,
        contextlib.ExitStack() as connections,
    ):

        def status() -> int | None:
            """Status of a request of another client; `None` if its stream was reset."""
            with found.client(http2=True) as client, contextlib.suppress(httpx.RemoteProtocolError):
                return client.get("/v1/none").status_code
            return None

        unused = resident_bytes(found.pid)
        for _ in range(25):
            connections.enter_context(without_window(found, 100))
            assert status() in {200, 503, 504, None}
        wait_for("load", lambda: len(origin.conditions) > 700 or status() == 503)
        # Without the bound these streams need more than 200 KiB each, 500 MiB in all. Envoy compares its heap
        # with the bound at intervals: what it receives in between is above the bound.
        assert resident_bytes(found.pid) - unused < 2 * limit
        connections.close()
        wait_for("memory for other clients", lambda: status() == 200, 20)
