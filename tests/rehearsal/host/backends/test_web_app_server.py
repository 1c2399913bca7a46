"""The files of a built web app as the local edge's server sends them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import httpx
import pytest

from rehearsal.host.backends.web_app_server import serve

_SCRIPT = "_expo/static/js/web/entry-0123456789abcdef0123456789abcdef.js"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    app = tmp_path / "dist"
    (app / _SCRIPT).parent.mkdir(parents=True)
    (app / _SCRIPT).write_text("run()")
    (app / f"{_SCRIPT}.gz").write_bytes(gzip.compress(b"run()", mtime=0))
    (app / "index.html").write_text("<html>")
    (tmp_path / "secret.txt").write_text("secret")
    return app


@pytest.fixture
def client(folder: Path) -> Iterator[httpx.Client]:
    server = serve(folder, "/app", 0)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}") as client:
            yield client
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("path", ["/app", "/app/", "/app/create", "/app/item/0192?x=1"])
def test_a_route_of_the_app_gets_its_index(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.text) == (200, "<html>")
    assert response.headers["cache-control"] == "no-cache"


def test_a_file_with_a_hash_in_its_name_may_be_cached_for_a_year(client: httpx.Client) -> None:
    response = client.get(f"/app/{_SCRIPT}")
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-type"].startswith("text/javascript")


def test_the_compressed_file_is_sent_to_clients_that_accept_it(client: httpx.Client) -> None:
    compressed = client.get(f"/app/{_SCRIPT}", headers={"accept-encoding": "gzip"})
    plain = client.get(f"/app/{_SCRIPT}", headers={"accept-encoding": "identity"})
    assert compressed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert compressed.text == plain.text == "run()"


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br", "br"),
        ("br;q=0, gzip", "gzip"),
        ("gzip;q=1.0", "gzip"),
        ("zstd", None),
    ],
)
def test_brotli_is_preferred_to_gzip(
    client: httpx.Client, folder: Path, accepted: str, coding: str | None
) -> None:
    (folder / f"{_SCRIPT}.br").write_bytes(b"brotli")
    with client.stream("GET", f"/app/{_SCRIPT}", headers={"accept-encoding": accepted}) as response:
        sent = b"".join(response.iter_raw())
    assert response.headers.get("content-encoding") == coding
    assert sent == {"br": b"brotli", "gzip": gzip.compress(b"run()", mtime=0), None: b"run()"}[coding]


def test_a_build_without_brotli_files_sends_gzip(client: httpx.Client) -> None:
    response = client.get(f"/app/{_SCRIPT}", headers={"accept-encoding": "br, gzip"})
    assert response.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("path", ["/app/missing.js", "/app/../secret.txt", "/app/%2e%2e/secret.txt"])
def test_paths_outside_the_app_return_404(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert "secret" not in response.text


def test_head_has_the_length_and_no_body(client: httpx.Client) -> None:
    response = client.head("/app/", headers={"accept-encoding": "identity"})
    assert (response.headers["content-length"], response.content) == ("6", b"")


def test_without_a_build_the_response_names_the_command(client: httpx.Client, folder: Path) -> None:
    (folder / "index.html").unlink()
    response = client.get("/app/")
    assert response.status_code == 404
    assert "make mobile" in response.text
