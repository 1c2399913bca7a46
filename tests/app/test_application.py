"""End-to-end tests of the service over HTTP, with real backends."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.app.conftest import Person
from tests.support.backends import Platform, status


def problem(response: httpx.Response, code: int, slug: str) -> dict[str, object]:
    assert response.status_code == code, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["type"].endswith(f"/docs#{slug}")
    assert body["status"] == code
    assert body["request_id"] == response.headers["x-request-id"]
    return body


@pytest.mark.parametrize(
    ("path", "cache", "outcome"),
    [("/v1/contents/{id}", "contents", "memory"), ("/v1/feed/{id}", "responses", "memory")],
)
def test_repeated_read_is_served_from_the_layer_of_its_cache(
    platform: Platform, ada: Person, path: str, cache: str, outcome: str
) -> None:
    content = ada.create("read twice")
    ada.finished(content["id"])
    assert ada.client.put(f"/v1/contents/{content['id']}/publication").status_code == 200
    read = path.format(id=content["id"])
    assert ada.client.get(read).status_code == 200

    def hits() -> float:
        lines = httpx.get(f"{platform.url}/metrics").text.splitlines()
        name = f'kingdom_cache_reads_total{{cache="{cache}",outcome="{outcome}"}}'
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    before = hits()
    assert ada.client.get(read).status_code == 200
    assert hits() == before + 1


def test_list_has_every_item_once_newest_first(ada: Person) -> None:
    made = [ada.create(f"number {number}")["id"] for number in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = ada.client.get("/v1/contents", params=query).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == made[::-1]


def test_content_of_other_accounts_is_not_found(ada: Person, eve: Person) -> None:
    content = ada.create("mine")
    ada.finished(content["id"])
    for path in (f"/v1/contents/{content['id']}", f"/v1/contents/{content['id']}/image"):
        assert ada.client.get(path).status_code == 200
        problem(eve.client.get(path), 404, "not-found")
    assert eve.client.get("/v1/contents").json()["items"] == []


def test_sign_in_requires_the_password(client: httpx.Client, ada: Person) -> None:
    right = client.post("/v1/sessions", json={"email": ada.email.upper(), "password": ada.password})
    assert right.status_code == 201
    assert right.json()["account"]["id"] == ada.account["id"]
    wrong = client.post("/v1/sessions", json={"email": ada.email, "password": "wrong password"})
    problem(wrong, 401, "wrong-credentials")
    unknown = client.post("/v1/sessions", json={"email": "nobody@example.com", "password": "wrong password"})
    assert unknown.json()["detail"] == wrong.json()["detail"]


def test_address_belongs_to_one_account(client: httpx.Client, ada: Person) -> None:
    again = {"email": ada.email.upper(), "password": "another fine lantern", "name": "Eve"}
    assert client.post("/v1/accounts", json=again).status_code == 202
    other = {"email": ada.email, "password": again["password"]}
    problem(client.post("/v1/sessions", json=other), 401, "wrong-credentials")
    own = {"email": ada.email, "password": ada.password}
    assert client.post("/v1/sessions", json=own).json()["account"] == ada.account


@pytest.mark.parametrize(
    "path", ["/v1/contents", "/v1/accounts/me", "/v1/contents/x", "/v1/contents/x/image"]
)
def test_requests_without_a_session_are_rejected(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"] == "Bearer"
    client.headers["authorization"] = "Bearer e30.e30.e30"
    problem(client.get(path), 401, "unauthenticated")


def test_errors_state_the_problem_and_its_position(ada: Person) -> None:
    post = ada.client.post
    assert problem(post("/v1/contents", json={"prompt": 3}), 422, "invalid")["errors"] == [
        {"at": "$.prompt", "detail": "Expected `str`, got `int`"}
    ]
    problem(post("/v1/contents", json={"prompt": "x", "owner": "eve"}), 422, "invalid")
    as_json = {"content-type": "application/json"}
    problem(post("/v1/contents", content="{", headers=as_json), 400, "malformed")
    problem(post("/v1/contents", content="prompt=x"), 415, "unsupported-media-type")
    problem(post("/v1/contents", content=b" " * 70_000, headers=as_json), 413, "too-large")
    problem(ada.client.get("/v1/contents", params={"cursor": "!"}), 422, "invalid")
    problem(ada.client.get("/v1/contents", params={"limit": "1000"}), 422, "invalid")
    problem(ada.client.get("/v1/nothing"), 404, "not-found")
    refused = ada.client.delete("/v1/contents")
    problem(refused, 405, "method-not-allowed")
    assert refused.headers["allow"] == "GET, HEAD, POST"


def test_operators_in_credentials_are_rejected(client: httpx.Client, ada: Person) -> None:
    attempt = {"email": {"$ne": ""}, "password": {"$ne": ""}}
    problem(client.post("/v1/sessions", json=attempt), 422, "invalid")
    problem(ada.client.get("/v1/contents/%7B%22$ne%22:1%7D"), 404, "not-found")


def test_responses_have_security_headers_and_the_request_id(client: httpx.Client) -> None:
    response = client.get("/livez", headers={"x-request-id": "0123-abcd"})
    assert response.headers["x-request-id"] == "0123-abcd"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    forged = client.get("/livez", headers={"x-request-id": 'x" forged="1'})
    assert forged.headers["x-request-id"] != 'x" forged="1'


def test_readiness_reports_the_dependencies(platform: Platform) -> None:
    for process in (platform.api, platform.worker):
        ready = httpx.get(f"http://127.0.0.1:{process.port}/readyz")
        assert ready.json() == {"stage": "serving", "mongodb": "ok", "redis": "ok", "storage": "ok"}
        assert status(process, "/livez") == 200
        assert status(process, "/startupz") == 200
        assert "kingdom_http_request_seconds" in httpx.get(f"http://127.0.0.1:{process.port}/metrics").text


def test_documentation_page_loads_no_external_resources(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(sources) == 4
    for source in sources:
        assert source.startswith("/")
        assert client.get(source).status_code == 200
    assert "<script>" not in page.text, "no script of the page itself: the policy would refuse it"
    assert 'id="body-timeout"' in page.text, "the type of a problem leads to its paragraph"
