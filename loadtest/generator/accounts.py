"""Accounts that send the operations of a load test, and their preparation."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import uuid4

import gevent
from gevent.pool import Pool

PASSWORD: Final = "correct horse battery"  # noqa: S105 (of generated accounts)
PROMPTS: Final = ("a fox in the snow", "the last train", "a lighthouse", "bread at dawn", "two old friends")
_DEPOSIT_CENTS: Final = 1_000_000
_POLL_SECONDS: Final = 0.5
_READY_SECONDS: Final = 60.0
_PARALLEL_SETUP: Final = 4


class SetupError(Exception):
    """The accounts of a load test could not be prepared."""


class Send(Protocol):
    """Sends one request and returns status and body."""

    def __call__(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]: ...


@dataclass(frozen=True)
class Credentials:
    """Email address and password of an account."""

    email: str
    password: str


@dataclass
class Account:
    """A signed-in account with the resources that its operations refer to."""

    email: str
    id: str
    token: str
    refresh_tokens: list[str] = field(default_factory=list)
    contents: list[str] = field(default_factory=list)
    feed: list[dict[str, Any]] = field(default_factory=list)
    image: str = ""
    password: str = PASSWORD

    @property
    def authorization(self) -> dict[str, str]:
        """Return the authorization header of the session."""
        return {"Authorization": f"Bearer {self.token}"}


def prepare(
    send: Send,
    count: int,
    grant: Callable[[str], bool] | None,
    rng: random.Random,
    *,
    credentials: Sequence[Credentials] = (),
) -> list[Account]:
    """Prepare accounts with a ready, published content item and, with ``grant``, a balance for orders.

    ``grant`` makes the account of an email address an administrator. The accounts are those of
    ``credentials``, or ``count`` new ones. Raises SetupError.
    """
    administrator = None
    if grant is not None:
        administrator = sign_up(send)
        if not grant(administrator.email):
            raise SetupError("no account could get the administrator role: see `kingdom logs api`")
        administrator.token = sign_in(send, administrator.email)
    found: list[Account] = []

    def add(known: Credentials | None) -> None:
        account = sign_up(send) if known is None else sign_in_to(send, known)
        if administrator is not None:
            _deposit(send, administrator, account)
        _create(send, account, rng)
        found.append(account)

    pool = Pool(_PARALLEL_SETUP)
    tasks = [pool.spawn(add, known) for known in credentials or [None] * count]
    gevent.joinall(tasks, raise_error=True)
    for account in found:
        _publish_when_ready(send, account)
    return found


def sign_up(send: Send) -> Account:
    """Create an account."""
    email = f"{uuid4().hex}@example.com"
    credentials = {"email": email, "password": PASSWORD}
    _expect(send("POST", "/v1/accounts", json=credentials | {"name": "Load"}), 202, "POST /v1/accounts")
    session = _expect(send("POST", "/v1/sessions", json=credentials), 201, "POST /v1/sessions")
    return Account(email, session["account"]["id"], session["token"], [session["refresh_token"]])


def sign_in_to(send: Send, known: Credentials) -> Account:
    """Sign in to an existing account."""
    body = {"email": known.email, "password": known.password}
    session = _expect(send("POST", "/v1/sessions", json=body), 201, "POST /v1/sessions")
    account = Account(known.email, session["account"]["id"], session["token"], [session["refresh_token"]])
    account.password = known.password
    return account


def sign_in(send: Send, email: str) -> str:
    """Return a token with the roles that the account has now."""
    body = {"email": email, "password": PASSWORD}
    return str(_expect(send("POST", "/v1/sessions", json=body), 201, "POST /v1/sessions")["token"])


def _deposit(send: Send, administrator: Account, account: Account) -> None:
    path = f"/v1/accounts/{account.id}/payments"
    headers = {**administrator.authorization, "Idempotency-Key": uuid4().hex}
    _expect(send("POST", path, json={"amount": _DEPOSIT_CENTS}, headers=headers), 201, f"POST {path}")


def _create(send: Send, account: Account, rng: random.Random) -> None:
    headers = {**account.authorization, "Idempotency-Key": uuid4().hex}
    body = {"prompt": rng.choice(PROMPTS)}
    made = _expect(send("POST", "/v1/contents", json=body, headers=headers), 202, "POST /v1/contents")
    account.contents.append(made["id"])


def _publish_when_ready(send: Send, account: Account) -> None:
    path = f"/v1/contents/{account.contents[0]}"
    with gevent.Timeout(_READY_SECONDS, SetupError(f"{path} was not ready within {_READY_SECONDS:g} s")):
        while _expect(send("GET", path, headers=account.authorization), 200, path)["state"] == "queued":
            gevent.sleep(_POLL_SECONDS)
    _expect(send("PUT", f"{path}/publication", headers=account.authorization), 200, f"PUT {path}/publication")
    # A cache may have the feed from before the first publication.
    with gevent.Timeout(_READY_SECONDS, SetupError(f"GET /v1/feed was empty for {_READY_SECONDS:g} s")):
        while not (feed := _feed(send, account)):
            gevent.sleep(_POLL_SECONDS)
    account.feed = feed


def _feed(send: Send, account: Account) -> list[dict[str, Any]]:
    page = _expect(send("GET", "/v1/feed?limit=20", headers=account.authorization), 200, "GET /v1/feed")
    return list(page["items"])


def _expect(response: tuple[int, Any], status: int, what: str) -> Any:
    if response[0] != status:
        raise SetupError(
            f"{what} returned {response[0] or 'no response'}, not {status}: {str(response[1])[:200]}"
        )
    return response[1]
