"""Locust users of the platform, with weighted tasks per feature.

Each user has its own account. :mod:`loadtest.mixes` holds the weights of users per feature test. A response
with an unexpected status is an error.
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

PASSWORD: Final = "correct horse battery"  # noqa: S105 (of generated accounts)
SUBJECTS: Final = ("a fox in the snow", "the last train", "a lighthouse", "bread at dawn", "two old friends")
_SIDE: Final = 96


class User(FastHttpUser):
    """A signed-in user with its own account."""

    abstract = True
    network_timeout = 20.0
    connection_timeout = 5.0
    interval: ClassVar[float] = 0.0
    """Mean seconds between the requests of one user, exponentially distributed; 0 for no pause."""

    def on_start(self) -> None:
        self.email = f"{uuid4().hex}@example.com"
        self.token, self.refresh_token = "", ""
        self._next_at = time.monotonic()
        credentials = {"email": self.email, "password": PASSWORD}
        self.call("POST", "/v1/accounts", json=credentials | {"name": "Ada"}, good={202})
        self.enter("/v1/sessions", credentials)

    def enter(self, path: str, body: Mapping[str, str], status: int = 201) -> None:
        """Open a session at an endpoint that returns tokens."""
        session = self.call("POST", path, json=body, good={status})
        self.token, self.refresh_token = session["token"], session["refresh_token"]

    def call(
        self,
        method: str,
        path: str,
        *,
        name: str | None = None,
        good: Collection[int] = (200,),
        headers: Mapping[str, str] | None = None,
        **request: Any,
    ) -> Any:
        """Send a request; return the JSON or the bytes of its response. ``name`` groups paths.

        Raises ``RescheduleTask`` on an unexpected status, which ends the task.
        """
        self._pace()
        sent = dict(headers or {})
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        with self.client.request(
            method, path, name=name or path, headers=sent, catch_response=True, **request
        ) as response:
            if response.status_code not in good:
                response.failure(f"{response.status_code}")
                raise RescheduleTask
            if not response.content:
                return None
            plain = response.content[:1] in {b"{", b"["}
            return response.json() if plain else response.content

    def _pace(self) -> None:
        """Wait until the next request is due. An overdue request is sent at once."""
        if not self.interval:
            return
        now = time.monotonic()
        self._next_at = max(self._next_at, now - 1.0) + random.expovariate(1 / self.interval)
        if self._next_at > now:
            gevent.sleep(self._next_at - now)


class Creator(User):
    """Creates content, waits for it, reads it repeatedly and publishes some of it."""

    def on_start(self) -> None:
        super().on_start()
        self.pieces: list[str] = []
        self.pending: str | None = None

    @task(2)
    def create(self) -> None:
        if self.pending is not None:
            return self.wait()
        body = {"prompt": random.choice(SUBJECTS)}  # noqa: S311 (any of them)
        key = {"Idempotency-Key": uuid4().hex}
        self.pending = self.call("POST", "/v1/contents", json=body, headers=key, good={202})["id"]
        return None

    @task(2)
    def wait(self) -> None:
        if self.pending is None:
            return
        piece = self.call("GET", f"/v1/contents/{self.pending}", name="/v1/contents/ID")
        if piece["state"] != "queued":
            self.pieces.append(self.pending)
            self.pending = None

    @task(8)
    def read(self) -> None:
        if self.pieces:
            self.call("GET", f"/v1/contents/{random.choice(self.pieces)}", name="/v1/contents/ID")  # noqa: S311

    @task(2)
    def list_own(self) -> None:
        self.call("GET", "/v1/contents?limit=20", name="/v1/contents")

    @task(1)
    def view_image(self) -> None:
        if self.pieces:
            self.call("GET", f"/v1/contents/{self.pieces[-1]}/image", name="/v1/contents/ID/image")

    @task(1)
    def publish(self) -> None:
        if self.pieces:
            self.call(
                "PUT", f"/v1/contents/{self.pieces[-1]}/publication", name="/v1/contents/ID/publication"
            )


class Newcomer(User):
    """Signs in and refreshes its session."""

    @task(2)
    def come_back(self) -> None:
        self.token = ""
        self.enter("/v1/sessions", {"email": self.email, "password": PASSWORD})

    @task(4)
    def renew(self) -> None:
        self.enter("/v1/sessions/refresh", {"refresh_token": self.refresh_token}, status=200)

    @task(4)
    def read_own(self) -> None:
        self.call("GET", "/v1/accounts/me")


class Shopper(User):
    """Lists products and orders, and uploads an image occasionally."""

    @task(4)
    def look(self) -> None:
        self.call("GET", "/v1/products")

    @task(3)
    def list_orders(self) -> None:
        self.call("GET", "/v1/orders")

    @task(1)
    def upload(self) -> None:
        self.call("POST", "/v1/uploads", data=image(), headers={"Content-Type": "image/png"}, good={202})


class Analyst(User):
    """Sends events in large batches and reads its summary."""

    @task(4)
    def send_events(self) -> None:
        now = datetime.now(UTC).isoformat()
        events = [
            {"id": uuid4().hex, "name": "screen.viewed", "at": now, "screen": "home", "seconds": 3}
            for _ in range(50)
        ]
        self.call("POST", "/v1/events", json={"events": events}, good={202})

    @task(1)
    def sum_up(self) -> None:
        self.call("GET", "/v1/analytics/me")


def image() -> bytes:
    """A PNG of grayscale noise; no two are the same."""
    rows = b"".join(b"\0" + random.randbytes(_SIDE) for _ in range(_SIDE))  # noqa: S311 (not cryptographic)
    head = struct.pack(">2I5B", _SIDE, _SIDE, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
