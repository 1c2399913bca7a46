"""Overload protection of a process: concurrency limiter, rate limits, deadlines, and their metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from app.http.client_address import ClientAddresses
from app.rate_limits import Limiter
from app.rate_limits.policies import RateLimitPolicies
from app.resilience import DeadlineWatchdog
from app.resilience.concurrency_limiter import ConcurrencyLimiter
from app.settings import ProtectionSettings
from app.telemetry import metrics
from app.telemetry.error_groups import ErrorGroups
from app.telemetry.http_metrics import HttpMetrics
from app.telemetry.load_report import LoadReport
from app.telemetry.system_metrics import SystemMetrics


@dataclass(frozen=True)
class Protection:
    """The components of overload protection; one instance per process."""

    client_addresses: ClientAddresses
    concurrency: ConcurrencyLimiter
    limiter: Limiter
    policies: RateLimitPolicies
    deadlines: DeadlineWatchdog
    http_metrics: HttpMetrics
    error_groups: ErrorGroups
    load_report: LoadReport


@asynccontextmanager
async def open_protection(settings: ProtectionSettings, redis: Redis) -> AsyncIterator[Protection]:
    """Create the components; run their background tasks and register their metrics until the context ends."""
    http_metrics = HttpMetrics()
    protection = Protection(
        client_addresses=ClientAddresses(settings.trusted_proxies),
        concurrency=ConcurrencyLimiter(),
        limiter=Limiter(redis),
        policies=RateLimitPolicies(settings.limits_factor),
        deadlines=DeadlineWatchdog(),
        http_metrics=http_metrics,
        error_groups=ErrorGroups(),
        load_report=LoadReport(http_metrics),
    )
    tasks = [
        asyncio.create_task(protection.deadlines.run()),
        asyncio.create_task(protection.load_report.run()),
    ]
    loop = asyncio.get_running_loop()
    metrics.event_loop_tasks.set_function(lambda: len(asyncio.all_tasks(loop)))
    protection_metrics = metrics.ProtectionMetrics(
        protection.concurrency, protection.limiter, protection.deadlines
    )
    with metrics.registered(protection.http_metrics, protection_metrics, SystemMetrics()):
        try:
            yield protection
        finally:
            for task in tasks:
                task.cancel()
