"""A client that writes continuously during faults and records acknowledged writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

import httpx

from tests.support.projects import wait_for

# Within the quota of the free plan, and enough that most writes are content.
_PIECES_A_PERSON = 5
# Leaves CPU time to the recovering processes.
_PAUSE_SECONDS = 0.5
_PASSWORD = "correct horse battery"


class Reachable(Protocol):
    """A server of the API."""

    def client(self) -> httpx.Client:
        """Return a client of the server."""
        ...


@dataclass
class Ledger:
    """Writes that the platform acknowledged: sessions by account, and the content that each created."""

    tokens: dict[str, str] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)
    pieces: list[tuple[str, str, str]] = field(default_factory=list)  # account, id, prompt
    refused: int = 0

    def sign_up(self, client: httpx.Client) -> str:
        """Create an account and return its ID. Raises httpx.HTTPError if it was not acknowledged."""
        email = f"{uuid4().hex}@example.com"
        credentials = {"email": email, "password": _PASSWORD}
        _acknowledged(client.post("/v1/accounts", json=credentials | {"name": "Ada"}), 202)
        body = _acknowledged(client.post("/v1/sessions", json=credentials), 201)
        account = body["account"]["id"]
        self.tokens[account], self.emails[account] = body["token"], email
        return account

    def create(self, client: httpx.Client, account: str) -> str:
        """Create a content item. Raises httpx.HTTPError if it was not acknowledged."""
        prompt = f"a drill {uuid4().hex}"
        response = client.post("/v1/contents", json={"prompt": prompt}, headers=self._headers(account))
        piece = _acknowledged(response, 202)["id"]
        self.pieces.append((account, piece, prompt))
        return piece

    def write(self, client: httpx.Client) -> None:
        """Run one round of writes: an account and several content items."""
        account = self.sign_up(client)
        for _ in range(_PIECES_A_PERSON):
            self.create(client, account)

    def keep_writing(self, project: Reachable, enough: threading.Event) -> None:
        """Write until the event is set; count the rounds that were rejected or cut off."""
        with project.client() as client:
            while not enough.is_set():
                try:
                    self.write(client)
                except httpx.HTTPError:
                    self.refused += 1
                enough.wait(_PAUSE_SECONDS)

    def require_readable(self, client: httpx.Client) -> None:
        """Require that every account can sign in and every content item exists with its prompt."""
        for account, email in self.emails.items():
            credentials = {"email": email, "password": _PASSWORD}
            response = client.post("/v1/sessions", json=credentials)
            assert _acknowledged(response, 201)["account"]["id"] == account
        for account, piece, prompt in self.pieces:
            assert self.read(client, account, piece)["prompt"] == prompt

    def are_made(self, client: httpx.Client) -> bool:
        """Return whether the workers have generated every content item."""
        return all(self.read(client, who, piece)["state"] == "ready" for who, piece, _ in self.pieces)

    def require_image(self, client: httpx.Client) -> None:
        """Require that the image of the last content item can be read."""
        account, piece, _ = self.pieces[-1]
        image = client.get(f"/v1/contents/{piece}/image", headers=self._headers(account))
        assert image.status_code == 200, image.text

    def read(self, client: httpx.Client, account: str, piece: str) -> dict[str, Any]:
        return _acknowledged(client.get(f"/v1/contents/{piece}", headers=self._headers(account)), 200)

    def _headers(self, account: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[account]}"}


def _acknowledged(response: httpx.Response, status: int) -> dict[str, Any]:
    if response.status_code != status:
        raise httpx.HTTPStatusError(response.text, request=response.request, response=response)
    return dict(response.json())


def is_serving(project: Reachable) -> bool:
    """Return whether an account, a content item and its image can be created."""
    ledger = Ledger()
    try:
        with project.client() as client:
            account = ledger.sign_up(client)
            piece = ledger.create(client, account)
            wait_for("made", lambda: ledger.read(client, account, piece)["state"] == "ready", 10)
            return True
    except (httpx.HTTPError, AssertionError):
        return False


@contextmanager
def writing(project: Reachable) -> Iterator[Ledger]:
    """Run a client that writes before, during and after the block; yield its ledger."""
    ledger, enough = Ledger(), threading.Event()
    with project.client() as client:
        ledger.write(client)
    person = threading.Thread(target=ledger.keep_writing, args=(project, enough))
    person.start()
    try:
        yield ledger
    finally:
        enough.set()
        person.join()
