"""An API in memory that a drill's clients can use, with faults that a checker must report."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from rehearsal.drills.workload import PRICE_CENTS, DrillTarget


@dataclass
class ServiceDouble:
    """The routes that the workload uses. `fault` is one of the names in `FAULTS`, or "" for none."""

    fault: str = ""
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    orders: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    emails: dict[str, str] = field(default_factory=dict)
    _made: int = 0

    def target(self) -> DrillTarget:
        """A target whose clients reach this service."""
        return _Target("https://double", Path(), self)

    def _id(self) -> str:
        self._made += 1
        return f"id-{self._made}"

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Respond to one request."""
        account = request.headers.get("authorization", "").removeprefix("Bearer ")
        body = json.loads(request.content) if request.content else {}
        key = request.headers.get("idempotency-key", "")
        match request.method, request.url.path.split("/")[2:]:
            case "POST", ["accounts"]:
                return self._sign_up(body["email"])
            case "POST", ["sessions"]:
                id_ = self.emails[body["email"]]
                return httpx.Response(201, json={"account": {"id": id_}, "token": id_})
            case "POST", ["accounts", owner, "payments"]:
                self.accounts[owner]["balance"] += body["amount"]
                return httpx.Response(201, json={"id": self._id()})
            case "GET", ["accounts", "me"]:
                return httpx.Response(200, json=self.accounts[account])
            case "POST", ["contents"]:
                return self._create(account, key, body)
            case "GET", ["contents"]:
                return httpx.Response(200, json={"items": self.contents[account], "next": None})
            case "GET", ["contents", id_]:
                found = [item for item in self.contents[account] if item["id"] == id_]
                return httpx.Response(200, json=found[0]) if found else httpx.Response(404)
            case "POST", ["orders"]:
                return self._order(account, key)
            case "GET", ["orders"]:
                return httpx.Response(200, json={"items": self.orders[account], "next": None})
            case _:
                return self._publish(body)

    def _sign_up(self, email: str) -> httpx.Response:
        id_ = self.emails[email] = self._id()
        self.accounts[id_] = {"id": id_, "balance": 0}
        self.contents[id_] = list[dict[str, Any]]()
        self.orders[id_] = list[dict[str, Any]]()
        return httpx.Response(202, json={"confirmation": "none"})

    def _create(self, account: str, key: str, body: dict[str, Any]) -> httpx.Response:
        if key in self.keys and self.fault != "double delivery":
            return httpx.Response(202, json=self.keys[key])
        item = {"id": self._id(), "prompt": body["prompt"], "state": "ready"}
        if self.fault == "job never done":
            item["state"] = "queued"
        self.keys[key] = item
        if self.fault != "acknowledge before write":
            self.contents[account].append(item)
        if self.fault == "lost append" and len(self.contents[account]) > 1:
            self.contents[account].pop(0)
        if self.fault == "double delivery":
            self.contents[account].append({**item, "id": self._id()})
        return httpx.Response(202, json=item)

    def _order(self, account: str, key: str) -> httpx.Response:
        if key not in self.keys:
            self.keys[key] = {"id": self._id()}
            self.orders[account].append(self.keys[key])
            price = 2 * PRICE_CENTS if self.fault == "charged twice" else PRICE_CENTS
            self.accounts[account]["balance"] -= price
        return httpx.Response(201, json=self.keys[key])

    def _publish(self, body: dict[str, Any]) -> httpx.Response:
        ids = {event["id"] for event in body["events"]}
        known = len(ids & self.events)
        if self.fault != "event lost":
            self.events |= ids
        return httpx.Response(202, json={"accepted": len(ids) - known, "known": known})


FAULTS = (
    "acknowledge before write",
    "lost append",
    "double delivery",
    "charged twice",
    "event lost",
    "job never done",
)


@dataclass(frozen=True)
class _Target(DrillTarget):
    service: ServiceDouble

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, transport=httpx.MockTransport(self.service.handle))
