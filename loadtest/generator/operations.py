"""Requests of each operation of a mix: method, path, body, and the statuses that count as success."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from loadtest.generator.accounts import PASSWORD, PROMPTS, Account

_SIDE: Final = 96
_EVENTS: Final = 50
# Maximum references per account, so that memory does not grow during a long run.
_MAX_CONTENTS: Final = 20
_MAX_REFRESH_TOKENS: Final = 5


@dataclass(frozen=True)
class Request:
    """One request. ``received`` takes the JSON of a successful response.

    ``streamed``: the response time ends with the headers, and the body is read to its end afterwards.
    """

    method: str
    path: str
    good: Collection[int] = (200,)
    json: Any = None
    data: bytes | None = None
    headers: Mapping[str, str] | None = None
    received: Callable[[Any], None] | None = None
    streamed: bool = False


Operation = Callable[[Account, random.Random], Request]


def _get(path: str) -> Operation:
    return lambda account, rng: Request("GET", path, headers=account.authorization)


def _keyed(account: Account) -> dict[str, str]:
    return {**account.authorization, "Idempotency-Key": uuid4().hex}


def _sign_up(account: Account, rng: random.Random) -> Request:
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "name": "Load"}
    return Request("POST", "/v1/accounts", {202}, json=body)


def _sign_in(account: Account, rng: random.Random) -> Request:
    def received(session: Any) -> None:
        account.token = session["token"]
        account.refresh_tokens = [*account.refresh_tokens, session["refresh_token"]][-_MAX_REFRESH_TOKENS:]

    body = {"email": account.email, "password": account.password}
    return Request("POST", "/v1/sessions", {201}, json=body, received=received)


def _refresh(account: Account, rng: random.Random) -> Request:
    if not account.refresh_tokens:
        return _sign_in(account, rng)

    def received(session: Any) -> None:
        account.token = session["token"]
        account.refresh_tokens.append(session["refresh_token"])

    # A refresh token is valid once: it is removed from the account, so that no second request sends it.
    body = {"refresh_token": account.refresh_tokens.pop()}
    return Request("POST", "/v1/sessions/refresh", json=body, received=received)


def _feed(account: Account, rng: random.Random) -> Request:
    def received(page: Any) -> None:
        account.feed = page["items"] or account.feed

    return Request("GET", "/v1/feed?limit=20", headers=account.authorization, received=received)


def _feed_item(account: Account, rng: random.Random) -> Request:
    path = f"/v1/feed/{rng.choice(account.feed)['id']}"
    return Request("GET", path, {200, 404}, headers=account.authorization)


def _media(account: Account, rng: random.Random) -> Request:
    path = str(rng.choice(account.feed)["image"])
    return Request("GET", path, {200, 404}, headers=account.authorization)


def _create(account: Account, rng: random.Random) -> Request:
    def received(content: Any) -> None:
        # The first item is the published one that the account was prepared with.
        account.contents = [account.contents[0], *account.contents[1:], content["id"]]
        if len(account.contents) > _MAX_CONTENTS:
            del account.contents[1]

    body = {"prompt": rng.choice(PROMPTS)}
    return Request("POST", "/v1/contents", {202}, json=body, headers=_keyed(account), received=received)


def _follow(account: Account, rng: random.Random) -> Request:
    headers = {**account.authorization, "Accept": "text/event-stream"}
    return Request(
        "GET", f"/v1/contents/{account.contents[-1]}/events", {200, 204}, headers=headers, streamed=True
    )


def _read(account: Account, rng: random.Random) -> Request:
    return Request("GET", f"/v1/contents/{rng.choice(account.contents)}", headers=account.authorization)


def _image(account: Account, rng: random.Random) -> Request:
    return Request("GET", f"/v1/contents/{account.contents[0]}/image", headers=account.authorization)


def _publish(account: Account, rng: random.Random) -> Request:
    return Request("PUT", f"/v1/contents/{account.contents[0]}/publication", headers=account.authorization)


def _order(account: Account, rng: random.Random) -> Request:
    return Request("POST", "/v1/orders", {201}, json={"product": "creator-month"}, headers=_keyed(account))


def _upload(account: Account, rng: random.Random) -> Request:
    headers = {**account.authorization, "Content-Type": "image/png"}
    return Request("POST", "/v1/uploads", {202}, data=image(rng), headers=headers)


def _events(account: Account, rng: random.Random) -> Request:
    now = datetime.now(UTC).isoformat()
    events = [
        {"id": uuid4().hex, "name": "screen.viewed", "at": now, "screen": "home", "seconds": 3}
        for _ in range(_EVENTS)
    ]
    return Request("POST", "/v1/events", {202}, json={"events": events}, headers=account.authorization)


def image(rng: random.Random) -> bytes:
    """Return a PNG of grayscale noise; every image is different."""
    rows = b"".join(b"\0" + rng.randbytes(_SIDE) for _ in range(_SIDE))
    head = struct.pack(">2I5B", _SIDE, _SIDE, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


OPERATIONS: Final[Mapping[str, Operation]] = {
    "POST /v1/accounts": _sign_up,
    "POST /v1/sessions": _sign_in,
    "POST /v1/sessions/refresh": _refresh,
    "GET /v1/accounts/me": _get("/v1/accounts/me"),
    "GET /v1/feed": _feed,
    "GET /v1/feed/{content_id}": _feed_item,
    "GET /v1/media/{media_id}/{name}": _media,
    "POST /v1/contents": _create,
    "GET /v1/contents": _get("/v1/contents?limit=20"),
    "GET /v1/contents/{content_id}": _read,
    "GET /v1/contents/{content_id}/events": _follow,
    "GET /v1/contents/{content_id}/image": _image,
    "PUT /v1/contents/{content_id}/publication": _publish,
    "GET /v1/products": _get("/v1/products"),
    "GET /v1/orders": _get("/v1/orders?limit=20"),
    "POST /v1/orders": _order,
    "POST /v1/uploads": _upload,
    "POST /v1/events": _events,
    "GET /v1/analytics/me": _get("/v1/analytics/me"),
}
"""Every operation that a mix may name."""
