"""CORS: only configured origins, problem details for rejected preflights, readable errors."""

from __future__ import annotations

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from app.http.responses import write
from app.middleware.cors import with_cors

pytestmark = pytest.mark.anyio

ORIGIN = "https://app.example.com"
HEADERS = "authorization,content-type,idempotency-key,if-none-match,last-event-id,x-firebase-appcheck"


async def unauthorized(scope: Scope, receive: Receive, send: Send) -> None:
    await write(send, 401, [(b"content-type", b"application/problem+json")], b"{}")


def client(origins: frozenset[str] = frozenset({ORIGIN})) -> httpx.AsyncClient:
    app = with_cors(unauthorized, origins, "https://api.example.com")
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


async def test_application_is_unchanged_without_origins() -> None:
    assert with_cors(unauthorized, frozenset(), "https://api.example.com") is unauthorized
