"""CORS: public responses for every origin, others for configured ones, problem details for rejections."""

from __future__ import annotations

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.responses import write
from app.middleware.cors import with_cors

pytestmark = pytest.mark.anyio

ORIGIN = "https://app.example.com"
HEADERS = "authorization,content-type,idempotency-key,if-none-match,last-event-id,x-firebase-appcheck"


async def unauthorized(scope: Scope, receive: Receive, send: Send) -> None:
    await write(send, 401, [(b"content-type", b"application/problem+json")], b"{}")


def responding(cache_control: str) -> ASGIApp:
    """Return an application that responds with this ``Cache-Control``."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await write(send, 200, [(b"cache-control", cache_control.encode())], b"body")

    return respond


def client(origins: frozenset[str] = frozenset({ORIGIN}), app: ASGIApp = unauthorized) -> httpx.AsyncClient:
    app = with_cors(app, origins, "https://api.example.com")
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")


async def preflight(origin: str, headers: str = "authorization") -> httpx.Response:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": headers}
    async with client() as browser:
        return await browser.options("/v1/contents", headers={"origin": origin, **asked})


async def test_configured_origin_is_allowed_without_credentials() -> None:
    response = await preflight(ORIGIN)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", f"{ORIGIN}.evil.org"])
async def test_other_origins_get_a_problem(origin: str) -> None:
    response = await preflight(origin)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"] == "Disallowed CORS origin."
    assert "access-control-allow-origin" not in response.headers
    async with client() as browser:
        page = await browser.get("/v1/feed", headers={"origin": origin})
    assert "access-control-allow-origin" not in page.headers


async def test_headers_of_the_mobile_client_are_allowed() -> None:
    assert (await preflight(ORIGIN, HEADERS)).status_code == 200
    assert (await preflight(ORIGIN, "x-unknown")).status_code == 400


async def test_page_can_read_error_responses_and_rate_limits() -> None:
    async with client() as browser:
        response = await browser.get("/v1/contents", headers={"origin": ORIGIN})
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (401, ORIGIN)
    assert "RateLimit" in response.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", [None, ORIGIN, "https://other.example.com", "null"])
async def test_public_response_is_the_same_for_every_origin(origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}
    async with client(app=responding("public, max-age=300")) as browser:
        response = await browser.get("/v1/media/1/320.webp", headers=headers)
    assert response.headers["access-control-allow-origin"] == "*"
    assert "ETag" in response.headers["access-control-expose-headers"]
    assert "vary" not in response.headers
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize("cache_control", ["private, no-cache", "no-store"])
async def test_other_response_varies_by_origin(cache_control: str) -> None:
    async with client(app=responding(cache_control)) as browser:
        for origin, allowed in ((ORIGIN, ORIGIN), ("https://other.example.com", None)):
            response = await browser.get("/v1/contents", headers={"origin": origin})
            assert response.headers.get("access-control-allow-origin") == allowed
            assert response.headers["vary"] == "Origin"


async def test_application_is_unchanged_without_origins() -> None:
    assert with_cors(unauthorized, frozenset(), "https://api.example.com") is unauthorized
