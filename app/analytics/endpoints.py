"""The analytics routes: own numbers for every account, platform numbers for analysts."""

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
from app.resilience.priority import RequestPriority

events = Routes("/v1/events", tag="analytics")
analytics = Routes("/v1/analytics", tag="analytics")


@events.post("", status=202, priority=RequestPriority.BULK)
async def ingest(call: Call, body: NewEvents) -> EventsTaken:
    """Ingest a batch of client events.

    The events are stored when the response is sent. A batch can be sent again if its response was lost:
    events are de-duplicated by ID.
    """
    return await call.services.ingestion.ingest(call.session.account, body.events)


@analytics.get("/me")
async def own(call: Call, query: DaysQuery) -> OwnSummary:
    """Get the account's own event counts by name."""
    return await call.services.summaries.own(call.session.account, query)


@analytics.get("/audience", role=Role.ANALYST)
async def audience(call: Call) -> Audience:
    """Get the number of active accounts."""
    return await call.services.summaries.audience()


@analytics.get("/summary", role=Role.ANALYST)
async def summary(call: Call, query: DaysQuery) -> Summary:
    """Get the platform's event counts by day and name."""
    return await call.services.summaries.platform(query)


@analytics.get("/revenue", role=Role.ANALYST)
async def revenue(call: Call, query: DaysQuery) -> Revenue:
    """Get the revenue from orders by day and product."""
    return await call.services.orders.revenue(*span(query))
