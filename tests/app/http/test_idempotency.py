"""Idempotency keys."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.auth.tokens import Session
from app.http.idempotency import IdempotentRequest, request, required
from app.http.problems import INVALID, KEY_REUSED, Problem
from app.http.routing import RequestContext


class Body(msgspec.Struct):
    text: str = "a"


def context(
    key: str | None, *, account: str = "ada", method: str = "POST", path: str = "/v1/things"
) -> RequestContext:
    headers = [] if key is None else [(b"idempotency-key", key.encode())]
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": headers}
    services: Any = None
    return RequestContext(scope, services, Session(account=account, expires=0, id="s"))


KEY = "0123456789"


def test_request_without_a_key_is_not_idempotent() -> None:
    assert request(context(None), Body()) is None
    with pytest.raises(Problem, match="is missing"):
        required(context(None), Body())


@pytest.mark.parametrize("key", ["12345678", "a" * 128, '"12345678"', "A_z.:+/=-"])
def test_key_is_accepted_with_and_without_quotes(key: str) -> None:
    found = required(context(key), Body())
    assert found.name == f"ada:{key.strip(chr(34))}"
    assert found.fields() == {"request": found.name, "fingerprint": found.fingerprint}


@pytest.mark.parametrize("key", ["1234567", "a" * 129, "with space", "12345678\n", "schlüssel", ""])
def test_malformed_key_is_refused(key: str) -> None:
    with pytest.raises(Problem) as raised:
        request(context(key), Body())
    assert raised.value.kind is INVALID
    assert raised.value.errors[0].at == "Idempotency-Key"


@pytest.mark.parametrize(
    ("other", "body"),
    [
        (context(KEY), Body("b")),
        (context(KEY, method="PUT"), Body()),
        (context(KEY, path="/v1/others"), Body()),
    ],
)
def test_key_of_another_request_is_refused(other: RequestContext, body: Body) -> None:
    first, second = required(context(KEY), Body()), required(other, body)
    first.check(first.fields())
    assert second.name == first.name
    with pytest.raises(Problem) as raised:
        second.check(first.fields())
    assert raised.value.kind is KEY_REUSED


def test_accounts_have_keys_of_their_own() -> None:
    assert required(context(KEY), Body()).name != required(context(KEY, account="eve"), Body()).name
    assert required(context(KEY), Body()) == IdempotentRequest(
        f"ada:{KEY}", required(context(KEY, account="eve"), Body()).fingerprint
    )
