"""Probes and diagnostics of a pod."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.accounts.mail import Message
from app.http import health
from app.http.routing import Access, RequestContext
from app.lifecycle import Stage

pytestmark = pytest.mark.anyio


def context(**services: Any) -> RequestContext:
    found: Any = SimpleNamespace(**services)
    return RequestContext({"type": "http"}, found, None)


def lifecycle(stage: Stage, *, healthy: bool = True) -> Any:
    return SimpleNamespace(stage=stage, report=lambda: (healthy, {"stage": stage.value}))


@pytest.mark.parametrize(("healthy", "status"), [(True, 200), (False, 503)])
async def test_readiness_is_that_of_the_report(healthy: bool, status: int) -> None:
    response = await health.ready(context(lifecycle=lifecycle(Stage.STARTING, healthy=healthy)))
    assert (response.status, response.body) == (status, {"stage": "starting"})


@pytest.mark.parametrize("stage", Stage)
async def test_startup_ends_when_the_pod_has_started(stage: Stage) -> None:
    response = await health.started(context(lifecycle=lifecycle(stage)))
    assert response.status == (503 if stage is Stage.STARTING else 200)


async def test_liveness_needs_no_service() -> None:
    assert await health.live(context()) == {"status": "ok"}


async def test_outbox_shows_the_messages() -> None:
    mailer = SimpleNamespace(outbox=[Message("a@example.com", "Hello", "Text")])
    assert await health.outbox(context(mailer=mailer)) == [
        {"to": "a@example.com", "subject": "Hello", "text": "Text"}
    ]


async def test_metrics_are_rendered() -> None:
    assert b"# HELP" in await health.scrape(context())


async def test_no_route_requires_a_session() -> None:
    assert {endpoint.access for endpoint in health.health.endpoints} == {Access.ANYONE}
