"""The demo creates accounts, content and an order, and a second run changes nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.support import backends
from tests.support.backends import ROOT, Platform
from tools.demo import CREDIT_CENTS, RetryingTransport, seed, sign_in


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    whole = backends.platform(tmp_path_factory.mktemp("demo"))
    try:
        yield whole
    finally:
        backends.end(whole)


@pytest.mark.slow
def test_two_runs_make_one_journey(platform: Platform) -> None:
    def appoint(email: str) -> None:
        command = [sys.executable, "-m", "app", "grant", email, "administrator"]
        subprocess.run(command, cwd=ROOT, env=platform.settings, check=True, capture_output=True)

    with httpx.Client(base_url=platform.url, timeout=20) as client:
        first, again = seed(client, appoint), seed(client, appoint)
        assert first == again
        ada = sign_in(client, "ada")
        assert len(ada.call("GET", "/v1/orders")["items"]) == 1
        assert len(ada.call("GET", "/v1/contents")["items"]) == 2
        assert len(ada.call("GET", "/v1/uploads")["items"]) == 1
        assert 0 < ada.call("GET", "/v1/accounts/me")["balance"] < CREDIT_CENTS
        assert len(client.get("/v1/feed").json()["items"]) == 4


@pytest.mark.parametrize(("status", "attempts"), [(200, 1), (401, 1), (429, 3), (500, 1), (503, 3)])
def test_request_is_repeated_while_the_service_returns_429_or_503(status: int, attempts: int) -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status if len(seen) < 3 else 201, headers={"retry-after": "0"})

    transport = RetryingTransport(httpx.MockTransport(respond))
    with httpx.Client(base_url="https://localhost", transport=transport) as client:
        response = client.post("/v1/orders", json={"product": "creator-month"})
    assert response.status_code == (status if attempts == 1 else 201)
    assert [request.content for request in seen] == [seen[0].content] * attempts


def test_retry_ends_when_retry_after_is_too_long() -> None:
    transport = RetryingTransport(
        httpx.MockTransport(lambda _: httpx.Response(503, headers={"retry-after": "3600"}))
    )
    with httpx.Client(base_url="https://localhost", transport=transport) as client:
        assert client.get("/v1/feed").status_code == 503
