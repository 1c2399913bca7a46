"""Admission control over HTTP: rate limits, guessing protection, tracing, load headers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from tests.app.conftest import Person
from tests.support.backends import Platform, pod

WRONG = {"email": "nobody@example.com", "password": "wrong password"}


@pytest.fixture(scope="module")
def strict(platform: Platform) -> Iterator[str]:
    process = pod("api", platform.folder, platform.settings | {"KINGDOM_LIMITS_FACTOR": "1"})
    process.start()
    platform.wait_until_ready(process)
    yield f"http://127.0.0.1:{process.port}"
    process.kill()


def test_password_guessing_is_limited_per_address(strict: str) -> None:
    def guess(address: str) -> httpx.Response:
        return httpx.post(f"{strict}/v1/sessions", json=WRONG, headers={"x-forwarded-for": address})

    responses = [guess("198.51.100.7") for _ in range(22)]
    assert [response.status_code for response in responses] == [401] * 20 + [429] * 2
    refused = responses[-1]
    assert refused.json()["type"].endswith("#too-many-requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 316
    assert refused.headers["ratelimit-policy"] == '"sign-in";q=20;w=300'
    assert refused.headers["ratelimit"].startswith('"sign-in";r=0;t=')
    assert guess("198.51.100.8").status_code == 401


@pytest.mark.slow
def test_distributed_password_guessing_is_limited_without_locking_out_the_owner(strict: str) -> None:
    email, home = f"{uuid4().hex}@example.com", {"x-forwarded-for": "198.51.100.200"}
    owner = {"email": email, "password": "correct horse battery"}
    signed_up = httpx.post(f"{strict}/v1/accounts", json=owner | {"name": "Ada"}, headers=home)
    assert signed_up.status_code == 202
    signed_in = httpx.post(f"{strict}/v1/sessions", json=owner, headers=home)
    assert signed_in.status_code == 201

    def attempt(body: dict[str, str], address: str) -> int:
        with httpx.Client(base_url=strict, headers={"x-forwarded-for": address}) as client:
            return client.post("/v1/sessions", json=body).status_code

    for victim in (email, f"{uuid4().hex}@example.com"):  # without an account, the same
        guesses = [{"email": victim, "password": "wrong password"}] * 70
        addresses = [f"203.0.113.{number}" for number in range(70)]
        with ThreadPoolExecutor(4) as clients:
            found = list(clients.map(attempt, guesses, addresses))
        assert found.count(429) >= 8
        assert set(found) == {401, 429}
    assert attempt(owner, "203.0.113.250") == 429, "an unknown device at an unknown address"
    assert attempt(owner, "198.51.100.200") == 201, "where the owner had signed in before"
    device = {"device_token": signed_in.json()["device_token"]}
    assert attempt(owner | device, "203.0.113.251") == 201, "the owner's device, anywhere"
    forged = {"device_token": "A" * 43}
    assert attempt(owner | forged, "203.0.113.252") == 429


def test_token_guessing_is_limited_per_address(strict: str) -> None:
    bad = {"authorization": "Bearer e30.e30.e30", "x-forwarded-for": "198.51.100.9"}
    # One client: making one takes so long on a busy machine that what is used up comes back meanwhile.
    with httpx.Client(base_url=strict, headers=bad) as client:
        statuses = [client.get("/v1/contents").status_code for _ in range(32)]
    assert statuses[:30] == [401] * 30
    assert statuses[-1] == 429


def test_response_has_rate_limit_and_load_headers(ada: Person) -> None:
    response = ada.client.get("/v1/contents")
    assert response.headers["ratelimit"].split(";")[0] in {'"account-free"', '"read-free"', '"address"'}
    assert response.headers["endpoint-load-metrics"].startswith('JSON {"cpu_utilization": ')


def test_trace_is_continued_with_a_new_span(client: httpx.Client) -> None:
    parent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
    version, trace, span, flags = (
        client.get("/livez", headers={"traceparent": parent}).headers["traceparent"].split("-")
    )
    assert (version, trace, flags) == ("00", "0123456789abcdef0123456789abcdef", "01")
    assert span != "0123456789abcdef"
