"""Locust users that make the journeys of the mobile client, request by request."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final
from uuid import uuid4

import gevent
from locust import task
from locust.exception import RescheduleTask

from loadtest.journeys import Journey, Step
from loadtest.users import PASSWORD, SUBJECTS, User

_POLL_SECONDS: Final = 0.5
_READY_SECONDS: Final = 60.0


class JourneyUser(User):
    """A user with one published piece of content who makes one journey after the other."""

    abstract = True
    journey: ClassVar[Journey]

    def on_start(self) -> None:
        super().on_start()
        self.items: list[dict[str, Any]] = []
        self.content = ""
        if any("/v1/contents" in operation for operation in self.journey.operations):
            create_content(self)
            self._wait_until_ready()

    @task
    def walk(self) -> None:
        """Make the journey once."""
        for step in self.journey.steps:
            self._think(step)
            for operation in step.requests:
                OPERATIONS[operation](self)

    def _pace(self) -> None:
        """Send the requests of a step without a pause, as the app does; :meth:`_think` waits."""

    def _think(self, step: Step) -> None:
        """Wait before a step.

        Think times are scaled so that a user's requests have the average interval of the load; without an
        interval there is no wait.
        """
        if not self.interval:
            return
        mean = step.think_seconds * self.interval / self.journey.think_seconds_per_request
        now = time.monotonic()
        self._next_at = max(self._next_at, now - 1.0) + (random.expovariate(1 / mean) if mean else 0.0)
        if self._next_at > now:
            gevent.sleep(self._next_at - now)

    def _wait_until_ready(self) -> None:
        ends = time.monotonic() + _READY_SECONDS
        while self.call("GET", f"/v1/contents/{self.content}", name="/v1/contents/ID")["state"] == "queued":
            if time.monotonic() > ends:
                raise RescheduleTask
            gevent.sleep(_POLL_SECONDS)


def sign_in(user: JourneyUser) -> None:
    """Exchange the user's credentials for a session."""
    user.token = ""
    user.enter("/v1/sessions", {"email": user.email, "password": PASSWORD})


def list_feed(user: JourneyUser) -> None:
    """Read the first page of the feed."""
    user.items = user.call("GET", "/v1/feed?limit=20", name="/v1/feed")["items"]


def read_feed_item(user: JourneyUser) -> None:
    """Read an item of the feed; another user may have withdrawn it."""
    if user.items:
        item = random.choice(user.items)  # noqa: S311 (any of them)
        user.call("GET", f"/v1/feed/{item['id']}", name="/v1/feed/ID", good={200, 404})


def fetch_media(user: JourneyUser) -> None:
    """Fetch the image of an item of the feed; another user may have withdrawn it."""
    if user.items:
        item = random.choice(user.items)  # noqa: S311 (any of them)
        user.call("GET", item["image"], name="/v1/media/ID/NAME", good={200, 404})


def create_content(user: JourneyUser) -> None:
    """Create a piece of content under an idempotency key."""
    body = {"prompt": random.choice(SUBJECTS)}  # noqa: S311 (any of them)
    key = {"Idempotency-Key": uuid4().hex}
    user.content = user.call("POST", "/v1/contents", json=body, headers=key, good={202})["id"]


def follow_events(user: JourneyUser) -> None:
    """Follow the progress of the piece until its stream ends.

    The response time ends with the headers: how long a text takes is not the time of a request.
    """
    path = f"/v1/contents/{user.content}/events"
    headers = {"Authorization": f"Bearer {user.token}", "Accept": "text/event-stream"}
    with user.client.request(
        "GET", path, name="/v1/contents/ID/events", headers=headers, stream=True, catch_response=True
    ) as response:
        if response.status_code not in {200, 204}:
            response.failure(f"{response.status_code}")
            raise RescheduleTask
        _ = response.content
    user._wait_until_ready()


def publish(user: JourneyUser) -> None:
    """Publish the piece."""
    user.call("PUT", f"/v1/contents/{user.content}/publication", name="/v1/contents/ID/publication")


def list_contents(user: JourneyUser) -> None:
    """List the user's own content."""
    user.call("GET", "/v1/contents?limit=20", name="/v1/contents")


def read_content(user: JourneyUser) -> None:
    """Read the user's own piece."""
    user.call("GET", f"/v1/contents/{user.content}", name="/v1/contents/ID")


def fetch_content_image(user: JourneyUser) -> None:
    """Fetch the image of the user's own piece."""
    user.call("GET", f"/v1/contents/{user.content}/image", name="/v1/contents/ID/image")


def _get(path: str) -> Callable[[JourneyUser], None]:
    def read(user: JourneyUser) -> None:
        user.call("GET", path)

    return read


OPERATIONS: Final[Mapping[str, Callable[[JourneyUser], None]]] = {
    "POST /v1/sessions": sign_in,
    "GET /v1/feed": list_feed,
    "GET /v1/feed/{content_id}": read_feed_item,
    "GET /v1/media/{media_id}/{name}": fetch_media,
    "POST /v1/contents": create_content,
    "GET /v1/contents/{content_id}/events": follow_events,
    "PUT /v1/contents/{content_id}/publication": publish,
    "GET /v1/contents": list_contents,
    "GET /v1/contents/{content_id}": read_content,
    "GET /v1/contents/{content_id}/image": fetch_content_image,
    "GET /v1/accounts/me": _get("/v1/accounts/me"),
    "GET /v1/products": _get("/v1/products"),
    "GET /v1/orders": _get("/v1/orders?limit=20"),
}
"""How each operation of a journey is sent."""


def users_of(journeys: tuple[Journey, ...]) -> dict[type[User], int]:
    """A user class for each journey, with its weight."""
    return {
        type(
            f"{journey.name.title()}Journey", (JourneyUser,), {"journey": journey, "abstract": False}
        ): journey.weight
        for journey in journeys
    }
