"""The analytics routes: own numbers for every account, platform numbers for analysts."""

from __future__ import annotations

from app.analytics.schemas import (
    Audience,
    DaysQuery,
    EventsIngested,
    NewEvents,
    OwnSummary,
    Summary,
)
from app.analytics.summaries import span
from app.auth.roles import Role
from app.http.routing import RequestContext, Routes
from app.orders.schemas import Revenue
from app.resilience.priority import RequestPriority

events = Routes("/v1/events", tag="analytics")
analytics = Routes("/v1/analytics", tag="analytics")


@events.post("", status=202, priority=RequestPriority.BULK)
async def ingest(context: RequestContext, body: NewEvents) -> EventsIngested:
    """Ingest a batch of client events.

    The events are stored when the response is sent. A batch can be sent again if its response was lost:
    events are de-duplicated by ID.
    """
    return await context.services.ingestion.ingest(context.session.account, body.events)


@analytics.get("/me")
async def own(context: RequestContext, query: DaysQuery) -> OwnSummary:
    """Get the account's event counts by name."""
    return await context.services.summaries.own(context.session.account, query)


@analytics.get("/audience", role=Role.ANALYST)
async def audience(context: RequestContext) -> Audience:
    """Get the number of active accounts."""
    return await context.services.summaries.audience()


@analytics.get("/summary", role=Role.ANALYST)
async def summary(context: RequestContext, query: DaysQuery) -> Summary:
    """Get the platform's event counts by day and name."""
    return await context.services.summaries.platform(query)


@analytics.get("/revenue", role=Role.ANALYST)
async def revenue(context: RequestContext, query: DaysQuery) -> Revenue:
    """Get the revenue from orders by day and product."""
    return await context.services.orders.revenue(*span(query))
