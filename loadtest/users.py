"""Who uses the platform, as Locust users, and how often they do what.

Each has an account of its own. What a feature test of it is made of stands in :data:`MIXES`: weights of these
people. Errors are what a person would call one: another status than the expected ones.
"""

from __future__ import annotations

import random
import struct
import time
import zlib
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import uuid4

import gevent
from locust import task
from locust.contrib.fasthttp import FastHttpUser
from locust.exception import RescheduleTask

_PASSWORD: Final = "correct horse battery"  # noqa: S105 (of people who are made up)
_SUBJECTS: Final = ("a fox in the snow", "the last train", "a lighthouse", "bread at dawn", "two old friends")
_SIDE: Final = 96


class Person(FastHttpUser):
    """Somebody with an account, signed in."""

    abstract = True
    network_timeout = 20.0
    connection_timeout = 5.0
    interval: ClassVar[float] = 0.0
    """Seconds between the requests of one person on average, at random; 0 for no pause."""

    def on_start(self) -> None:
        self.email = f"{uuid4().hex}@example.com"
        self.token, self.refresh_token = "", ""
        self._next_at = time.monotonic()
        self.enter("/v1/accounts", {"email": self.email, "password": _PASSWORD, "name": "Ada"})

    def enter(self, path: str, body: Mapping[str, str], status: int = 201) -> None:
        """Get a session, at one of the three places that give one out."""
        session = self.ask("POST", path, json=body, good={status})
        self.token, self.refresh_token = session["token"], session["refresh_token"]

    def ask(
        self,
        method: str,
        path: str,
        *,
        name: str | None = None,
        good: Collection[int] = (200,),
        headers: Mapping[str, str] | None = None,
        **request: Any,
    ) -> Any:
        """A request; its answer as JSON, or its bytes. ``name`` groups paths. Ends the task on an error."""
        self._pace()
        said = dict(headers or {})
        if self.token:
            said["Authorization"] = f"Bearer {self.token}"
        with self.client.request(
            method, path, name=name or path, headers=said, catch_response=True, **request
        ) as answer:
            if answer.status_code not in good:
                answer.failure(f"{answer.status_code}")
                raise RescheduleTask
            if not answer.content:
                return None
            plain = answer.content[:1] in {b"{", b"["}
            return answer.json() if plain else answer.content

    def _pace(self) -> None:
        """Wait for the next moment to ask. One that has passed already is not waited for, nor left out."""
        if not self.interval:
            return
        now = time.monotonic()
        self._next_at = max(self._next_at, now - 1.0) + random.expovariate(1 / self.interval)
        if self._next_at > now:
            gevent.sleep(self._next_at - now)


class Viewer(Person):
    """Looks at what others have published, and the app tells of it."""

    @task(6)
    def browse(self) -> None:
        self.ask("GET", "/v1/feed?limit=20", name="/v1/feed")

    @task(4)
    def view(self) -> None:
        items = self.ask("GET", "/v1/feed?limit=20", name="/v1/feed")["items"]
        if not items:
            return
        item = random.choice(items)  # noqa: S311 (any of them)
        self.ask("GET", f"/v1/feed/{item['id']}", name="/v1/feed/ID", good={200, 404})
        self.ask("GET", item["image"], name="/v1/media/ID/NAME", good={200, 404})

    @task(3)
    def tell(self) -> None:
        now = datetime.now(UTC).isoformat()
        names = ("content.viewed", "screen.viewed")
        events = [{"id": uuid4().hex, "name": random.choice(names), "at": now} for _ in range(5)]  # noqa: S311
        self.ask("POST", "/v1/events", json={"events": events}, good={202})

    @task(1)
    def look_at_own(self) -> None:
        self.ask("GET", "/v1/accounts/me")


class Creator(Person):
    """Asks for content, waits for it, looks at it again and again, and publishes some of it."""

    def on_start(self) -> None:
        super().on_start()
        self.pieces: list[str] = []
        self.making: str | None = None

    @task(2)
    def create(self) -> None:
        if self.making is not None:
            return self.wait()
        wish = {"prompt": random.choice(_SUBJECTS)}  # noqa: S311 (any of them)
        key = {"Idempotency-Key": uuid4().hex}
        self.making = self.ask("POST", "/v1/contents", json=wish, headers=key, good={202})["id"]
        return None

    @task(2)
    def wait(self) -> None:
        if self.making is None:
            return
        piece = self.ask("GET", f"/v1/contents/{self.making}", name="/v1/contents/ID")
        if piece["state"] != "queued":
            self.pieces.append(self.making)
            self.making = None

    @task(8)
    def read(self) -> None:
        if self.pieces:
            self.ask("GET", f"/v1/contents/{random.choice(self.pieces)}", name="/v1/contents/ID")  # noqa: S311

    @task(2)
    def list_own(self) -> None:
        self.ask("GET", "/v1/contents?limit=20", name="/v1/contents")

    @task(1)
    def look_at_picture(self) -> None:
        if self.pieces:
            self.ask("GET", f"/v1/contents/{self.pieces[-1]}/image", name="/v1/contents/ID/image")

    @task(1)
    def publish(self) -> None:
        if self.pieces:
            self.ask("PUT", f"/v1/contents/{self.pieces[-1]}/publication", name="/v1/contents/ID/publication")


class Newcomer(Person):
    """Signs in, renews the session and leaves again."""

    @task(2)
    def come_back(self) -> None:
        self.token = ""
        self.enter("/v1/sessions", {"email": self.email, "password": _PASSWORD})

    @task(4)
    def renew(self) -> None:
        self.enter("/v1/sessions/refresh", {"refresh_token": self.refresh_token}, status=200)

    @task(4)
    def look_at_own(self) -> None:
        self.ask("GET", "/v1/accounts/me")


class Shopper(Person):
    """Looks at what can be bought and at what was bought, and uploads a picture now and then."""

    @task(4)
    def look(self) -> None:
        self.ask("GET", "/v1/products")

    @task(3)
    def list_orders(self) -> None:
        self.ask("GET", "/v1/orders")

    @task(1)
    def upload(self) -> None:
        self.ask("POST", "/v1/uploads", data=picture(), headers={"Content-Type": "image/png"}, good={202})


class Analyst(Person):
    """Tells of events in larger batches, and asks what became of them."""

    @task(4)
    def tell(self) -> None:
        now = datetime.now(UTC).isoformat()
        events = [
            {"id": uuid4().hex, "name": "screen.viewed", "at": now, "screen": "home", "seconds": 3}
            for _ in range(50)
        ]
        self.ask("POST", "/v1/events", json={"events": events}, good={202})

    @task(1)
    def sum_up(self) -> None:
        self.ask("GET", "/v1/analytics/me")


MIXES: Final[Mapping[str, Mapping[type[Person], int]]] = {
    "mixed": {Viewer: 55, Creator: 30, Newcomer: 5, Shopper: 5, Analyst: 5},
    "authentication": {Newcomer: 1},
    "generation": {Creator: 1},
    "analytics": {Analyst: 1},
}
"""Mixes of people by name: all features, or one of them (LOD2)."""


def picture() -> bytes:
    """A PNG of its own: noise of one colour, so that no two are the same."""
    rows = b"".join(b"\0" + random.randbytes(_SIDE) for _ in range(_SIDE))  # noqa: S311 (any picture)
    head = struct.pack(">2I5B", _SIDE, _SIDE, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
