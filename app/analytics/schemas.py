"""Bodies of the analytics routes."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.http.text import END
from app.ids import Id

MOST_EVENTS: Final = 100
LONGEST_RANGE: Final = 92  # days


class EventName(StrEnum):
    """What an app can tell of. The list is closed, so that counts by name stay few."""

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


class Event(msgspec.Struct, forbid_unknown_fields=True):
    """Something that happened. ``at`` counts when it is within the last week; else the time of arrival."""

    id: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_-]{8,64}" + END,
            description="Chosen by the app: the same id is counted once.",
        ),
    ]
    name: EventName
    at: Annotated[datetime, Meta(tz=True)]
    content: Annotated[Id | None, Meta(description="The piece of content it is about.")] = None
    screen: Annotated[str, Meta(max_length=80)] | None = None
    seconds: Annotated[float, Meta(ge=0, le=86_400, description="How long it lasted.")] | None = None


class NewEvents(msgspec.Struct, forbid_unknown_fields=True):
    """Events of the account that is signed in."""

    events: Annotated[list[Event], Meta(min_length=1, max_length=MOST_EVENTS)]


class EventsTaken(msgspec.Struct):
    """How many of the events were new; ``known`` ones had been told of before."""

    accepted: int
    known: int


class DaysQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Days in UTC: so many of them, up to and with the ``last`` one (today, unless it is named)."""

    last: date | UnsetType = UNSET
    days: Annotated[int, Meta(ge=1, le=LONGEST_RANGE)] = 30


class EventCount(msgspec.Struct):
    """How often something happened."""

    name: EventName
    count: int


class OwnSummary(msgspec.Struct):
    """What the account itself did. ``active_days``: days with at least one event."""

    first: date
    last: date
    active_days: int
    events: list[EventCount]


class Audience(msgspec.Struct):
    """Accounts that asked for anything within the last day, 7 days and 30 days (UTC, today included).

    Estimates with a standard error of 0.81 % (HyperLogLog). ``stickiness``: the share of the month's
    accounts that were there today.
    """

    day: int
    week: int
    month: int
    stickiness: float


class EventUse(msgspec.Struct):
    """How often something happened, exactly, and in how many accounts (0.81 % standard error)."""

    name: EventName
    count: int
    accounts: int


class DaySummary(msgspec.Struct):
    """A day of the platform, in UTC. ``active``: accounts that asked for anything."""

    day: date
    active: int
    events: list[EventUse]


class Summary(msgspec.Struct):
    """Days of the platform, oldest first."""

    first: date
    last: date
    days: list[DaySummary]
