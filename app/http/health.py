"""The probes and the metrics: on every role, on the same port, and not routed from outside."""

from __future__ import annotations

from app.http.routing import Access, Answer, Call, Raw, Routes
from app.lifecycle import Stage
from app.telemetry import metrics
from app.telemetry.error_groups import ErrorGroup

health = Routes("", tag="health")
_UNREADY = 503


@health.get("/livez", access=Access.ANYONE)
async def live(call: Call) -> dict[str, str]:
    """Whether the process answers at all."""
    return {"status": "ok"}


@health.get("/readyz", access=Access.ANYONE)
async def ready(call: Call) -> Answer[dict[str, str]]:
    """Whether the pod should get traffic, and how each dependency is."""
    healthy, report = call.services.lifecycle.report()
    return Answer(report, status=200 if healthy else _UNREADY)


@health.get("/startupz", access=Access.ANYONE)
async def started(call: Call) -> Answer[dict[str, str]]:
    """Whether the pod has made its first contact with what it cannot do without."""
    stage = call.services.lifecycle.stage
    return Answer({"stage": stage.value}, status=_UNREADY if stage is Stage.STARTING else 200)


@health.get("/metrics", access=Access.ANYONE, media_type=metrics.MEDIA_TYPE)
async def scrape(call: Call) -> Raw:
    """Everything that is measured, for Prometheus."""
    return Raw(metrics.render())


@health.get("/outboxz", access=Access.ANYONE)
async def outbox(call: Call) -> list[dict[str, str]]:
    """The latest e-mails that were kept instead of sent, on a machine without a mail server."""
    return [
        {"to": each.to, "subject": each.subject, "text": each.text} for each in call.services.mailer.outbox
    ]


@health.get("/errorz", access=Access.ANYONE)
async def error_groups(call: Call) -> list[ErrorGroup]:
    """The unexpected errors of this pod in groups, the latest first."""
    return call.services.engine.error_groups.latest()
