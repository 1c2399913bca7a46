"""Clients that use the API while a drill runs, and record every operation.

Each client is one process of the history and has its own account. Operations and their outcome:

- a response 2xx is ok; 404 and the other 4xx are fail (certainly no effect), apart from 409 `in-progress`;
- a connection that was refused is fail: nothing was sent;
- a time-out, a cut connection and 5xx are info, and a write is sent again with its Idempotency-Key.
"""

from __future__ import annotations

import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from rehearsal.drills.history import Completion, History, RecordedOperation

_PASSWORD = "correct horse battery"  # noqa: S105 (of accounts that only a drill uses)
_TIMEOUT_SECONDS = 10.0
# Maximum attempts of a write whose outcome is unknown, as docs/failure-modes.md recommends.
_MAX_ATTEMPTS = 4
_RETRY_SECONDS = 0.5
_DEPOSIT_CENTS = 1_000_000
_PRODUCT, PRICE_CENTS = "creator-month", 900
_PAGE = 100
# Shares of the operations of one client.
_MIX = {"create": 3, "get": 8, "list_own": 2, "order": 1, "event": 3, "balance": 1}
WRITES = ("create", "order", "event")


@dataclass(frozen=True)
class DrillTarget:
    """The platform under test: its edge on this machine, and the certificate authority of its certificate."""

    url: str
    authority: Path

    def client(self) -> httpx.Client:
        """Return a client that trusts this authority only.

        It uses no keep-alive, so that drains end its connections.
        """
        return httpx.Client(
            base_url=self.url,
            verify=ssl.create_default_context(cafile=str(self.authority)),
            timeout=_TIMEOUT_SECONDS,
            limits=httpx.Limits(max_keepalive_connections=1, keepalive_expiry=2.0),
        )


@dataclass
class Client:
    """Client with one account. `rng` selects its operations; `pause` is their mean interval in seconds."""

    number: int
    target: DrillTarget
    history: History
    rng: random.Random
    pause: float
    account: str = ""
    email: str = ""
    token: str = ""
    contents: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    _stored: dict[str, bool] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _http: httpx.Client | None = None

    def unique(self) -> str:
        """Return a new UUID.

        It does not depend on the seed, because a repeated drill finds the accounts of the previous run.
        """
        return uuid4().hex

    # -- requests -----------------------------------------------------------------------------------------

    def call(
        self,
        function: str,
        value: Any,
        method: str,
        path: str,
        result: Callable[[Any], Any],
        *,
        body: Mapping[str, Any] | None = None,
        key: str = "",
        token: str = "",
    ) -> RecordedOperation:
        """Send one request as one operation.

        `result` extracts the recorded value from the response's JSON.
        """
        headers = {"authorization": f"Bearer {token or self.token}"} if token or self.token else {}
        if key:
            headers["idempotency-key"] = key
        invoked = time.monotonic()
        outcome, found, status = Completion.INFO, None, None
        try:
            if self._http is None:
                self._http = self.target.client()
            response = self._http.request(method, path, json=body, headers=headers)
            status = response.status_code
            if response.is_success:
                outcome, found = Completion.OK, result(response.json() if response.content else None)
            elif status < 500 and not _in_progress(response):
                outcome = Completion.FAIL
        except httpx.ConnectError:
            outcome = Completion.FAIL
        except (httpx.HTTPError, ValueError):
            self._drop()
        operation = RecordedOperation(
            self.number, function, value, invoked, time.monotonic(), outcome, found, status
        )
        self.history.add(operation)
        return operation

    def _drop(self) -> None:
        if self._http is not None:
            with suppress(Exception):
                self._http.close()
        self._http = None

    def write(
        self, function: str, value: Any, path: str, body: Mapping[str, Any], key: str
    ) -> RecordedOperation:
        """Send a write, and repeat it with the same key while its outcome is unknown."""
        operation = self.call(function, value, "POST", path, lambda found: found["id"], body=body, key=key)
        for _ in range(_MAX_ATTEMPTS - 1):
            if operation.outcome is not Completion.INFO:
                break
            time.sleep(_RETRY_SECONDS)
            operation = self.call(
                function, value, "POST", path, lambda found: found["id"], body=body, key=key
            )
        return operation

    # -- operations ---------------------------------------------------------------------------------------

    def sign_up(self) -> bool:
        """Create an account and sign in; return whether both were acknowledged."""
        self.email = f"{self.unique()}@example.com"
        body = {"email": self.email, "password": _PASSWORD, "name": "Drill"}
        operation = self.call("sign-up", self.email, "POST", "/v1/accounts", lambda found: found, body=body)
        return operation.outcome is Completion.OK and self.sign_in()

    def sign_in(self) -> bool:
        """Start a new session, with the account's current roles."""
        body = {"email": self.email, "password": _PASSWORD}
        operation = self.call("sign-in", self.email, "POST", "/v1/sessions", lambda found: found, body=body)
        if operation.outcome is Completion.OK:
            self.account, self.token = operation.result["account"]["id"], operation.result["token"]
        return operation.outcome is Completion.OK

    def create(self) -> None:
        """Create a content item; its unique prompt identifies it."""
        prompt = f"drill {self.unique()}"
        operation = self.write("create", prompt, "/v1/contents", {"prompt": prompt}, self.unique())
        if operation.outcome is Completion.OK:
            self.contents.append(str(operation.result))

    def get(self) -> None:
        """Read a content item that this client created."""
        if self.contents:
            id_ = self.rng.choice(self.contents)
            self.call("get", id_, "GET", f"/v1/contents/{id_}", lambda found: found["state"])

    def list_own(self) -> None:
        """Read all content items of this client, page by page."""
        self._pages("list", "/v1/contents", lambda item: item["prompt"])

    def order(self) -> None:
        """Buy a plan from the balance."""
        key = self.unique()
        self.write("order", key, "/v1/orders", {"product": _PRODUCT}, key)

    def event(self) -> None:
        """Publish one analytics event."""
        event = self.unique()
        if self._publish("event", event, [event]).outcome is Completion.OK:
            self.events.append(event)

    def _publish(self, function: str, value: Any, ids: list[str]) -> RecordedOperation:
        at = datetime.now(UTC).isoformat()
        body = {"events": [{"id": id_, "name": "screen.viewed", "at": at} for id_ in ids]}
        return self.call(function, value, "POST", "/v1/events", lambda found: found["known"], body=body)

    def balance(self) -> None:
        """Read the balance of the account."""
        self.call("balance", self.account, "GET", "/v1/accounts/me", lambda found: found)

    def _pages(self, function: str, path: str, element: Callable[[Any], Any]) -> RecordedOperation | None:
        """Read all pages of a list as one operation, which is ok only if every page was."""
        invoked, cursor = time.monotonic(), ""
        found: list[Any] = []
        while True:
            query = f"?limit={_PAGE}" + (f"&cursor={cursor}" if cursor else "")
            page = self.call("page", path, "GET", path + query, lambda body: body)
            if page.outcome is not Completion.OK:
                return None
            found += [element(item) for item in page.result["items"]]
            cursor = page.result.get("next") or ""
            if not cursor:
                operation = RecordedOperation(
                    self.number, function, self.account, invoked, page.completed, Completion.OK, found, 200
                )
                self.history.add(operation)
                return operation

    def work(self, enough: threading.Event) -> None:
        """Run random operations until `enough`."""
        while not self.token and not enough.is_set() and not self.sign_up():
            enough.wait(_RETRY_SECONDS)
        names, weights = list(_MIX), list(_MIX.values())
        while not enough.is_set():
            getattr(self, self.rng.choices(names, weights)[0])()
            enough.wait(self.rng.expovariate(1 / self.pause))

    def deposit(self, administrator: Client) -> bool:
        """Record a payment as an administrator; return whether it was acknowledged."""
        key = self.unique()
        operation = administrator.call(
            "deposit", (self.account, _DEPOSIT_CENTS), "POST", f"/v1/accounts/{self.account}/payments",
            lambda found: found["id"], body={"amount": _DEPOSIT_CENTS}, key=key,
        )  # fmt: skip
        return operation.outcome is Completion.OK

    # -- final reads -----------------------------------------------------------------------------------

    def read_everything(self) -> bool:
        """Read back all data of this client: contents, orders, events, balance.

        Return whether all reads succeeded.
        """
        listed = self._pages("list", "/v1/contents", lambda item: item["prompt"])
        bought = self._pages("list-orders", "/v1/orders", lambda item: item["id"])
        self.balance()
        for id_ in self.contents:
            self.call("get", id_, "GET", f"/v1/contents/{id_}", lambda found: found["state"])
        return listed is not None and bought is not None and self._read_events()

    def _read_events(self) -> bool:
        """An event that is sent again is `known` if it was stored. One operation lists the stored ones.

        The response counts known events without naming them, so each is sent alone. The first response about
        an event counts: sending it again stores it.
        """
        invoked = time.monotonic()
        for event in self.events:
            if event not in self._stored:
                again = self._publish("resend", event, [event])
                if again.outcome is not Completion.OK:
                    return False
                self._stored[event] = int(again.result) == 1
        stored = [event for event, was_stored in self._stored.items() if was_stored]
        self.history.add(
            RecordedOperation(
                self.number, "list-events", None, invoked, time.monotonic(), Completion.OK, stored, 200
            )
        )
        return True

    def unfinished(self) -> int:
        """Return the number of content items that are still queued, or cannot be read."""
        return sum(not self._is_done(id_) for id_ in self.contents)

    def _is_done(self, id_: str) -> bool:
        if id_ not in self._done:
            operation = self.call("get", id_, "GET", f"/v1/contents/{id_}", lambda found: found["state"])
            absent = operation.status == 404  # lost by a restore, or by a fault that the checks find
            if absent or (operation.outcome is Completion.OK and operation.result != "queued"):
                self._done.add(id_)
        return id_ in self._done

    def close(self) -> None:
        """Close the connection."""
        self._drop()


def _in_progress(response: httpx.Response) -> bool:
    """Whether another request with the same key is in progress, so that the outcome is not known yet."""
    return response.status_code == 409 and "in-progress" in response.text
