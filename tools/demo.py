"""Seed the platform of one machine with demo accounts, content, an image and an order: ``make demo``.

Every request goes through the edge, as a client's would. The only step outside the API is the first
administrator, whom an operator appoints with ``kingdom exec``; the administrator then credits an account, and
the account buys a plan. A second run finds everything in place and changes nothing.
"""

from __future__ import annotations

import json
import ssl
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

ROOT: Final = Path(__file__).parents[1]
KINGDOM: Final = Path(sys.executable).with_name("kingdom")
PASSWORD: Final = "a demo on one machine"  # noqa: S105 (printed at the end, for one machine only)
ACCOUNTS: Final = {"ada": "Ada", "grace": "Grace", "root": "Operator"}
PROMPTS: Final = ("a lighthouse in the fog", "a market before dawn")
CREDIT_CENTS: Final = 2_000
SETTLED_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 60.0
RETRIED: Final = frozenset({429, 503})


class RetryingTransport(httpx.BaseTransport):
    """Sends a request again after a 429 or 503, for up to 60 seconds.

    It waits for the ``Retry-After`` of the response, or a second without one. Requests of this program have
    an idempotency key or change nothing when they are repeated.
    """

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the first response of another status, or the last one."""
        end = time.monotonic() + RETRY_SECONDS
        while True:
            response = self._transport.handle_request(request)
            after = response.headers.get("retry-after", "1")
            seconds = int(after) if after.isdigit() else 1
            if response.status_code not in RETRIED or time.monotonic() + seconds > end:
                return response
            response.close()
            time.sleep(seconds)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


@dataclass
class Account:
    """A demo account, signed in."""

    client: httpx.Client
    id: str
    token: str

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Send a request as this account and return its decoded body. An error response ends the program."""
        headers = {"authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return body(self.client.request(method, path, headers=headers, **options))


def body(response: httpx.Response) -> Any:
    """Return the decoded body of a response. An error response ends the program with its text."""
    if response.is_error:
        request = response.request
        sys.exit(f"{request.method} {request.url.path}: {response.status_code} {response.text}")
    return response.json() if response.content else None


def sign_in(client: httpx.Client, name: str) -> Account:
    """Sign in to the demo account `name`, which is created if it does not exist."""
    email = f"{name}@example.com"
    credentials = {"email": email, "password": PASSWORD}
    response = client.post("/v1/sessions", json=credentials)
    if response.status_code == httpx.codes.UNAUTHORIZED:
        body(client.post("/v1/accounts", json={**credentials, "name": ACCOUNTS[name]}))
        response = client.post("/v1/sessions", json=credentials)
    session = body(response)
    return Account(client, session["account"]["id"], session["token"])


def settled(account: Account, path: str, pending: str) -> Any:
    """Poll the resource at `path` until its state is not `pending`, and return it."""
    end = time.monotonic() + SETTLED_SECONDS
    while (found := account.call("GET", path))["state"] == pending:
        if time.monotonic() > end:
            sys.exit(f"{path} is still {pending} after {SETTLED_SECONDS:g} s")
        time.sleep(0.2)
    return found


def gradient(width: int = 640, height: int = 400) -> bytes:
    """Return a PNG image of the given size in pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    lines = b"".join(
        b"\0" + bytes(value for x in range(width) for value in (x * 255 // width, y * 255 // height, 160))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


def appoint(email: str) -> None:
    """Grant the role of an administrator to an account, by a command in an `api` pod."""
    command = [str(KINGDOM), "exec", "api", "--", "python", "-m", "app", "grant", email, "administrator"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{' '.join(command)}: {ended.stderr or ended.stdout}")


def seed(client: httpx.Client, appoint: Callable[[str], None]) -> list[str]:
    """Create the missing demo data; return lines that describe all of it.

    `appoint` grants the role of an administrator to the account of an e-mail address.
    """
    ada, grace = sign_in(client, "ada"), sign_in(client, "grace")
    sign_in(client, "root")
    appoint("root@example.com")
    root = sign_in(client, "root")  # a new session: an existing one does not get the new role
    for account in (ada, grace):
        for number, prompt in enumerate(PROMPTS):
            key = {"idempotency-key": f"demo-{account.id}-{number}"}
            piece = account.call("POST", "/v1/contents", json={"prompt": prompt}, headers=key)
            settled(account, f"/v1/contents/{piece['id']}", "queued")
            account.call("PUT", f"/v1/contents/{piece['id']}/publication")
    image = ada.call("POST", "/v1/uploads", content=gradient(), headers={"content-type": "image/png"})
    settled(ada, f"/v1/uploads/{image['id']}", "processing")
    key = {"idempotency-key": f"demo-credit-{ada.id}"}
    root.call("POST", f"/v1/accounts/{ada.id}/payments", json={"amount": CREDIT_CENTS}, headers=key)
    key = {"idempotency-key": f"demo-order-{ada.id}"}
    order = ada.call("POST", "/v1/orders", json={"product": "creator-month"}, headers=key)
    balance = ada.call("GET", "/v1/accounts/me")["balance"]
    return [
        f"feed     {client.base_url.join('/v1/feed')}",
        f"docs     {client.base_url.join('/docs')}",
        f"order    {order['product']} until {order['plan_until'][:10]}, {balance} cents left",
        *(f"account  {name}@example.com  password: {PASSWORD}" for name in ACCOUNTS),
    ]


def connect(url: str, root: Path) -> httpx.Client:
    """Return a client that trusts the local certificate authority of the project in `root`."""
    trust = ssl.create_default_context(cafile=str(root / ".rehearsal" / "ca" / "ca.pem"))
    transport = RetryingTransport(httpx.HTTPTransport(verify=trust))
    return httpx.Client(base_url=url, transport=transport, timeout=20)


def main() -> None:
    """Seed the platform that runs on this machine."""
    outputs = subprocess.run(
        [str(KINGDOM), "outputs", "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if outputs.returncode:
        sys.exit("the platform does not run on this machine: run `make up` first")
    url = json.loads(outputs.stdout)["url"]
    with connect(url, ROOT) as client:
        print("\n".join(seed(client, appoint)))


if __name__ == "__main__":
    main()
