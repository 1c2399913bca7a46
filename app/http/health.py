"""Probes, metrics and diagnostics of a pod: served by every role on its port, not routed from outside."""

from __future__ import annotations

from app.http.routing import Access, Raw, RequestContext, Response, Routes
from app.lifecycle import Stage
from app.telemetry import metrics
from app.telemetry.error_groups import ErrorGroup

health = Routes("", tag="health")
_UNREADY = 503


@health.get("/livez", access=Access.ANYONE)
async def live(context: RequestContext) -> dict[str, str]:
    """Liveness probe: the process responds."""
    return {"status": "ok"}


@health.get("/readyz", access=Access.ANYONE)
async def ready(context: RequestContext) -> Response[dict[str, str]]:
    """Readiness probe: 200 if the pod should receive traffic, else 503, with the state of each dependency."""
    healthy, report = context.services.lifecycle.report()
    return Response(report, status=200 if healthy else _UNREADY)


@health.get("/startupz", access=Access.ANYONE)
async def started(context: RequestContext) -> Response[dict[str, str]]:
    """Startup probe: 503 until the pod has reached MongoDB once and its indexes exist."""
    stage = context.services.lifecycle.stage
    return Response({"stage": stage.value}, status=_UNREADY if stage is Stage.STARTING else 200)


@health.get("/metrics", access=Access.ANYONE, media_type=metrics.MEDIA_TYPE)
async def scrape(context: RequestContext) -> Raw:
    """Metrics in the Prometheus text format."""
    return Raw(metrics.render())


@health.get("/outboxz", access=Access.ANYONE)
async def outbox(context: RequestContext) -> list[dict[str, str]]:
    """The latest e-mails stored instead of sent; only without a mail server, in local environments."""
    return [
        {"to": mail.to, "subject": mail.subject, "text": mail.text} for mail in context.services.mailer.outbox
    ]


@health.get("/errorz", access=Access.ANYONE)
async def error_groups(context: RequestContext) -> list[ErrorGroup]:
    """Groups of unexpected errors in this pod, latest first."""
    return context.services.protection.error_groups.latest()
