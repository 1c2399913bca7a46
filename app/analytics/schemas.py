"""Request and response bodies of the analytics routes."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.http.text import END, LINE
from app.ids import Id

MAX_EVENTS: Final = 100
MAX_DAYS: Final = 92  # days


class EventName(StrEnum):
    """Names of client events. The list is closed, which bounds the number of metric series."""

    APP_OPENED = "app.opened"
    APP_CLOSED = "app.closed"
    SCREEN_VIEWED = "screen.viewed"
    CONTENT_VIEWED = "content.viewed"
    CONTENT_LIKED = "content.liked"
    CONTENT_SAVED = "content.saved"
    CONTENT_SHARED = "content.shared"
    SEARCH_MADE = "search.made"
    NOTIFICATION_OPENED = "notification.opened"
    APP_INTERACTIVE = "app.interactive"
    SCREEN_RENDERED = "screen.rendered"
    FRAMES_DROPPED = "frames.dropped"


TIMINGS: Final = frozenset({EventName.APP_INTERACTIVE, EventName.SCREEN_RENDERED, EventName.FRAMES_DROPPED})
"""Events whose duration is a measurement of the client."""


class Event(msgspec.Struct, forbid_unknown_fields=True):
    """A client event. ``at`` is used if it is within the last week, otherwise the time of arrival."""

    id: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_-]{8,64}" + END,
            description="Chosen by the client; events with the same ID are counted once.",
        ),
    ]
    name: EventName
    at: Annotated[datetime, Meta(tz=True)]
    content: Annotated[Id | None, Meta(description="ID of the content item.")] = None
    screen: (
        Annotated[str, Meta(max_length=80, pattern=LINE, description="Name of a screen of the app.")] | None
    ) = None
    seconds: Annotated[float, Meta(ge=0, le=86_400, description="Duration in seconds.")] | None = None


class NewEvents(msgspec.Struct, forbid_unknown_fields=True):
    """Events of the authenticated account."""

    events: Annotated[list[Event], Meta(min_length=1, max_length=MAX_EVENTS)]


class EventsIngested(msgspec.Struct):
    """Number of new events, and of ``known`` ones that were ingested before."""

    accepted: int
    known: int


class DaysQuery(msgspec.Struct, forbid_unknown_fields=True):
    """A range of ``days`` in UTC that ends with ``last`` (default: today), inclusive."""

    last: date | UnsetType = UNSET
    days: Annotated[int, Meta(ge=1, le=MAX_DAYS)] = 30


class EventCount(msgspec.Struct):
    """Number of events of one name."""

    name: EventName
    count: int


class OwnSummary(msgspec.Struct):
    """Events of the account. ``active_days`` is the number of days with at least one event."""

    first: date
    last: date
    active_days: int
    events: list[EventCount]


class Audience(msgspec.Struct):
    """Accounts with at least one request within the last day, 7 days and 30 days (UTC, today included).

    Estimates with a standard error of 0.81 % (HyperLogLog). ``stickiness`` is the ratio of the day's to the
    month's active accounts.
    """

    day: int
    week: int
    month: int
    stickiness: float


class EventUse(msgspec.Struct):
    """Exact number of events of one name, and estimated number of accounts (standard error 0.81 %)."""

    name: EventName
    count: int
    accounts: int


class DaySummary(msgspec.Struct):
    """Platform events of a day in UTC. ``active`` is the number of accounts with at least one request."""

    day: date
    active: int
    events: list[EventUse]


class Summary(msgspec.Struct):
    """Platform summary by day, oldest first."""

    first: date
    last: date
    days: list[DaySummary]
