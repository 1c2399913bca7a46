"""Table of all API operations: who may call each one, and how to build a valid request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from app.application import PUBLIC
from app.auth.roles import Role
from app.content.poster import draw
from app.http import openapi
from tests.app.conftest import Person
from tests.support.backends import wait_for

DOCUMENT = openapi.document(
    [endpoint for part in PUBLIC for endpoint in part.endpoints], base="http://localhost", version="0"
)
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


@dataclass(frozen=True)
class Request:
    """A request that succeeds for an authorized caller."""

    path: str
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, client: httpx.Client, method: str, **headers: str) -> httpx.Response:
        """Send the request with ``client``, with additional headers."""
        return client.request(
            method,
            self.path,
            json=self.json,
            content=self.content,
            headers={**self.headers, **headers},
        )


Make = Callable[[Person], Request]


@dataclass(frozen=True)
class Row:
    """One row of the table.

    ``owned``: the path identifies a resource of the account passed to ``make``. ``role``: required role.
    ``anyone``: no session is required. ``refused_as``: the problem that every request gets, because ``make``
    cannot obtain the input that the operation consumes.
    """

    make: Make
    anyone: bool = False
    owned: bool = False
    role: Role | None = None
    refused_as: str = ""


def plain(path: str, body: Any = None) -> Make:
    """A request that needs no existing resource."""
    return lambda person: Request(path, body)


def named(path: str, body: Any) -> Make:
    """Like :func:`plain`, with an idempotency key."""
    return lambda person: Request(path, body, headers={"idempotency-key": uuid4().hex})


def of_content(path: str) -> Make:
    """A request for a content item in the state ready."""

    def make(person: Person) -> Request:
        content = person.create("a private item")["id"]
        person.finished(content)
        return Request(path.format(content_id=content))

    return make


def of_published(path: str) -> Make:
    """A request for a published content item."""

    def make(person: Person) -> Request:
        request = of_content(path)(person)
        content = request.path.rpartition("/")[2]
        assert person.client.put(f"/v1/contents/{content}/publication").status_code == 200
        return request

    return make


def image(person: Person) -> Request:
    """An image upload."""
    return Request("/v1/uploads", content=draw(uuid4().hex), headers={"content-type": "image/webp"})


def of_upload(path: str) -> Make:
    """A request for an uploaded image."""

    def make(person: Person) -> Request:
        uploaded = image(person).send(person.client, "POST")
        assert uploaded.status_code == 202, uploaded.text
        return Request(path.format(media_id=uploaded.json()["id"]))

    return make


def of_address(person: Person) -> Request:
    """A request for a signed URL."""
    return Request(of_published("/v1/feed/{content_id}")(person).send(person.client, "GET").json()["image"])


def of_session(person: Person) -> Request:
    """A request for another session of the account."""
    credentials = {"email": person.email, "password": person.password}
    token = person.client.post("/v1/sessions", json=credentials).json()["refresh_token"]
    return Request(f"/v1/sessions/{token.partition('.')[0]}")


def refreshing(person: Person) -> Request:
    """A request with a refresh token."""
    credentials = {"email": person.email, "password": person.password}
    token = person.client.post("/v1/sessions", json=credentials).json()["refresh_token"]
    return Request("/v1/sessions/refresh", {"refresh_token": token})


def signing_in(person: Person) -> Request:
    """Credentials."""
    return Request("/v1/sessions", {"email": person.email, "password": person.password})


def signing_up(person: Person) -> Request:
    """A new account."""
    address = f"{uuid4().hex}@example.com"
    return Request("/v1/accounts", {"email": address, "password": "correct horse", "name": "Bob"})


def confirming(person: Person) -> Request:
    """A code without a sign-up: the platform of these tests sends no codes."""
    return Request("/v1/accounts/confirmation", {"code": f"{person.account['id']}.{'A' * 43}"})


def password(person: Person) -> Request:
    """A password change to the same password."""
    payload = {"current": person.password, "new": person.password}
    return Request("/v1/accounts/me/password", payload)


def closing(person: Person) -> Request:
    """A deletion of the account, confirmed with its password."""
    return Request("/v1/accounts/me/deletion", {"password": person.password})


def resetting(person: Person) -> Request:
    """A password reset with the token of the latest mail."""
    person.client.post("/v1/password-resets", json={"email": person.email})
    found: list[str] = []

    def mailed() -> bool:
        outbox = httpx.get(person.client.base_url.join("/outboxz")).json()
        texts = [message["text"] for message in outbox if message["to"] == person.email]
        found[:] = [text.split("\n\n")[2] for text in texts[:1]]
        return bool(found)

    wait_for("mail with a token", mailed)
    return Request("/v1/password-resets/completion", {"token": found[0], "password": "seven quiet lanterns"})


def roles(person: Person) -> Request:
    """A change of an account's roles."""
    return Request(f"/v1/accounts/{person.account['id']}/roles", {"roles": []})


def payment(person: Person) -> Request:
    """A payment to an account."""
    path = f"/v1/accounts/{person.account['id']}/payments"
    return Request(path, {"amount": 900}, headers={"idempotency-key": uuid4().hex})


def of_order(person: Person) -> Request:
    """A request for an order; requires a balance."""
    placed = named("/v1/orders", {"product": "creator-month"})(person).send(person.client, "POST")
    assert placed.status_code == 201, placed.text
    return Request(placed.headers["location"])


def event(person: Person) -> Request:
    """A batch with one analytics event."""
    body = {"id": uuid4().hex, "name": "app.opened", "at": "2026-11-25T00:00:00Z"}
    return Request("/v1/events", {"events": [body]})


CONTENT = "/v1/contents/{content_id}"
TABLE: dict[str, Row] = {
    "POST /v1/contents": Row(named("/v1/contents", {"prompt": "x"})),
    "GET /v1/contents": Row(plain("/v1/contents")),
    f"GET {CONTENT}": Row(of_content(CONTENT), owned=True),
    f"DELETE {CONTENT}": Row(of_content(CONTENT), owned=True),
    f"GET {CONTENT}/image": Row(of_content(f"{CONTENT}/image"), owned=True),
    f"GET {CONTENT}/events": Row(of_content(f"{CONTENT}/events"), owned=True),
    f"PUT {CONTENT}/publication": Row(of_content(f"{CONTENT}/publication"), owned=True),
    f"DELETE {CONTENT}/publication": Row(of_content(f"{CONTENT}/publication"), owned=True),
    "GET /v1/feed": Row(plain("/v1/feed"), anyone=True),
    "GET /v1/feed/{content_id}": Row(of_published("/v1/feed/{content_id}"), anyone=True),
    "POST /v1/uploads": Row(image),
    "GET /v1/uploads": Row(plain("/v1/uploads")),
    "GET /v1/uploads/{media_id}": Row(of_upload("/v1/uploads/{media_id}"), owned=True),
    "DELETE /v1/uploads/{media_id}": Row(of_upload("/v1/uploads/{media_id}"), owned=True),
    "GET /v1/media/{media_id}/{name}": Row(of_address, anyone=True),
    "POST /v1/sessions": Row(signing_in, anyone=True),
    "GET /v1/sessions": Row(plain("/v1/sessions")),
    "POST /v1/sessions/refresh": Row(refreshing, anyone=True),
    "DELETE /v1/sessions/current": Row(plain("/v1/sessions/current")),
    "DELETE /v1/sessions/{session_id}": Row(of_session, owned=True),
    "POST /v1/accounts": Row(signing_up, anyone=True),
    "POST /v1/accounts/confirmation": Row(confirming, anyone=True, refused_as="confirmation-expired"),
    "GET /v1/accounts/me": Row(plain("/v1/accounts/me")),
    "PUT /v1/accounts/me/profile": Row(plain("/v1/accounts/me/profile", {"name": "Countess"})),
    "PUT /v1/accounts/me/password": Row(password),
    "GET /v1/accounts/me/export": Row(plain("/v1/accounts/me/export")),
    "POST /v1/accounts/me/deletion": Row(closing),
    "POST /v1/password-resets": Row(plain("/v1/password-resets", {"email": "ada@example.com"}), anyone=True),
    "POST /v1/password-resets/completion": Row(resetting, anyone=True),
    "PUT /v1/accounts/{account_id}/roles": Row(roles, role=Role.ADMINISTRATOR),
    "POST /v1/accounts/{account_id}/payments": Row(payment, role=Role.ADMINISTRATOR),
    "GET /v1/products": Row(plain("/v1/products"), anyone=True),
    "POST /v1/orders": Row(named("/v1/orders", {"product": "creator-month"})),
    "GET /v1/orders": Row(plain("/v1/orders")),
    "GET /v1/orders/{order_id}": Row(of_order, owned=True),
    "POST /v1/events": Row(event),
    "GET /v1/analytics/me": Row(plain("/v1/analytics/me")),
    "GET /v1/analytics/audience": Row(plain("/v1/analytics/audience"), role=Role.ANALYST),
    "GET /v1/analytics/summary": Row(plain("/v1/analytics/summary"), role=Role.ANALYST),
    "GET /v1/analytics/revenue": Row(plain("/v1/analytics/revenue"), role=Role.ANALYST),
}
