"""The analytics routes. One's own numbers are for everybody, the platform's for analysts."""

from __future__ import annotations

from app.analytics.schemas import (
    Audience,
    DaysQuery,
    EventsTaken,
    NewEvents,
    OwnSummary,
    Summary,
)
from app.analytics.summaries import span
from app.auth.roles import Role
from app.http.routing import Call, Routes
from app.orders.schemas import Revenue
from app.resilience.priority import Urgency

events = Routes("/v1/events", tag="analytics")
analytics = Routes("/v1/analytics", tag="analytics")


@events.post("", status=202, urgency=Urgency.BULK)
async def tell(call: Call, body: NewEvents) -> EventsTaken:
    """Tell of what happened in the app, in batches.

    They are kept when this answers. A batch whose answer was lost can be sent again: an event is counted
    once.
    """
    return await call.services.ingestion.take(call.session.account, body.events)


@analytics.get("/me")
async def own(call: Call, query: DaysQuery) -> OwnSummary:
    """What the account itself did, by kind of event."""
    return await call.services.summaries.own(call.session.account, query)


@analytics.get("/audience", role=Role.ANALYST)
async def audience(call: Call) -> Audience:
    """How many accounts are active."""
    return await call.services.summaries.audience()


@analytics.get("/summary", role=Role.ANALYST)
async def summary(call: Call, query: DaysQuery) -> Summary:
    """What everybody did, by day and kind of event."""
    return await call.services.summaries.platform(query)


@analytics.get("/revenue", role=Role.ANALYST)
async def revenue(call: Call, query: DaysQuery) -> Revenue:
    """What orders brought in, by day and product."""
    return await call.services.orders.revenue(*span(query))
