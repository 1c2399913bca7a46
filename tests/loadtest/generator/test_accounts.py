"""Accounts of a load test: what is sent to prepare them, and what stops the preparation."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from loadtest.generator import accounts as module
from loadtest.generator.accounts import Credentials, SetupError, prepare


class Service:
    """Responses of the API by method and path; ``changed`` replaces some, by a pattern of both."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, dict[str, str]]] = []
        self.changed: list[tuple[str, Callable[[], tuple[int, Any]]]] = []
        self.sessions = 0
        self.polls = 0

    def __call__(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        request = f"{method} {path}"
        self.sent.append((request, json, headers or {}))
        for pattern, response in self.changed:
            if re.fullmatch(pattern, request):
                return response()
        if request == "POST /v1/accounts":
            return 202, None
        if request == "POST /v1/sessions":
            self.sessions += 1
            account = json["email"].partition("@")[0]
            return 201, {
                "account": {"id": account},
                "token": f"token-{self.sessions}",
                "refresh_token": f"refresh-{self.sessions}",
            }
        if request == "POST /v1/contents":
            return 202, {"id": f"content-of-{(headers or {})['Authorization'][7:]}"}
        if re.fullmatch(r"GET /v1/contents/[^/]+", request):
            self.polls += 1
            return 200, {"state": "queued" if self.polls == 1 else "ready"}
        if request == "GET /v1/feed?limit=20":
            return 200, {"items": [{"id": "f"}]}
        return (201 if method == "POST" else 200), None

    def requests(self, pattern: str) -> list[tuple[str, Any, dict[str, str]]]:
        return [each for each in self.sent if re.fullmatch(pattern, each[0])]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.0)
    return Service()


RNG = random.Random(1)


def test_a_cached_feed_without_the_publication_is_read_again(service: Service) -> None:
    pages: list[list[dict[str, str]]] = [[], [], [{"id": "f"}]]
    feeds = iter(pages)
    service.changed.append((re.escape("GET /v1/feed?limit=20"), lambda: (200, {"items": next(feeds)})))
    (account,) = prepare(service, 1, None, RNG)
    assert account.feed == [{"id": "f"}]


def test_new_accounts_have_published_content_and_a_feed(service: Service) -> None:
    found = prepare(service, 3, None, RNG)
    assert len({account.email for account in found}) == 3
    for account in found:
        assert account.authorization == {"Authorization": f"Bearer {account.token}"}
        assert account.contents == [f"content-of-{account.token}"]
        assert account.feed == [{"id": "f"}]
        published = service.requests(f"PUT /v1/contents/{account.contents[0]}/publication")
        assert [headers for _, _, headers in published] == [account.authorization]
    # The first content was not ready at once.
    assert service.polls == 4
    keys = {headers["Idempotency-Key"] for _, _, headers in service.requests("POST /v1/contents")}
    assert len(keys) == 3
    assert service.requests("POST /v1/accounts/.+/payments") == []


def test_deposits_are_sent_with_the_session_that_has_the_granted_role(service: Service) -> None:
    granted: list[str] = []

    def grant(email: str) -> bool:
        granted.append(email)
        return True

    found = prepare(service, 2, grant, RNG)
    assert granted[0] not in {account.email for account in found}
    # The first session of the administrator is older than its role.
    deposits = service.requests("POST /v1/accounts/.+/payments")
    assert [headers["Authorization"] for _, _, headers in deposits] == ["Bearer token-2"] * 2
    assert sorted(path for path, _, _ in deposits) == sorted(
        f"POST /v1/accounts/{account.id}/payments" for account in found
    )
    assert {body["amount"] for _, body, _ in deposits} == {1_000_000}


def test_refused_grant_stops_the_preparation(service: Service) -> None:
    with pytest.raises(
        SetupError, match="no account could get the administrator role: see `kingdom logs api`"
    ):
        prepare(service, 2, lambda email: False, RNG)
    assert len(service.requests("POST /v1/accounts")) == 1


def test_given_accounts_sign_in_with_their_own_password(service: Service) -> None:
    known = [Credentials("ada@example.com", "one"), Credentials("alan@example.com", "two")]
    found = prepare(service, 24, None, RNG, credentials=known)
    assert sorted((account.email, account.password) for account in found) == [
        ("ada@example.com", "one"),
        ("alan@example.com", "two"),
    ]
    assert service.requests("POST /v1/accounts") == []
    assert [body for _, body, _ in service.requests("POST /v1/sessions")] == [
        {"email": each.email, "password": each.password} for each in known
    ]


@pytest.mark.parametrize(
    ("request_", "response", "message"),
    [
        ("POST /v1/accounts", (503, {"title": "busy"}), "/v1/accounts returned 503, not 202: {'title': 'bu"),
        ("POST /v1/sessions", (401, None), "POST /v1/sessions returned 401, not 201: None"),
        ("POST /v1/contents", (0, ConnectionRefusedError(111)), "returned no response, not 202: 111"),
        ("GET /v1/feed?limit=20", (500, "x" * 300), f"GET /v1/feed returned 500, not 200: {'x' * 200}"),
    ],
)  # fmt: skip
def test_unexpected_response_is_named_with_request_status_and_body(
    service: Service, request_: str, response: tuple[int, Any], message: str
) -> None:
    service.changed = [(re.escape(request_), lambda: response)]
    with pytest.raises(SetupError) as caught:
        prepare(service, 2, None, RNG)
    assert message in str(caught.value)
    assert not str(caught.value).endswith("x" * 201)


def test_content_that_is_never_generated_stops_the_preparation(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_READY_SECONDS", 0.05)
    service.changed = [("GET /v1/contents/.+", lambda: (200, {"state": "queued"}))]
    with pytest.raises(SetupError, match=r"/v1/contents/content-of-token-1 was not ready within 0.05 s"):
        prepare(service, 1, None, RNG)
    assert service.requests("PUT .+") == []
