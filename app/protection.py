"""What a pod defends itself with, put together once: room, limits, deadlines, and the count of it all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from app.http.client_address import Addresses
from app.rate_limits import Limiter
from app.rate_limits.policies import RateLimitPolicies
from app.resilience import DeadlineWatchdog
from app.resilience.concurrency_limiter import ConcurrencyLimiter
from app.settings import EngineSettings
from app.telemetry import metrics
from app.telemetry.error_groups import ErrorGroups
from app.telemetry.http_metrics import HttpMetrics
from app.telemetry.load_report import LoadReport
from app.telemetry.system_metrics import SystemMetrics


@dataclass(frozen=True)
class Engine:
    """The parts. One of each in a process."""

    addresses: Addresses
    concurrency: ConcurrencyLimiter
    limiter: Limiter
    policies: RateLimitPolicies
    deadlines: DeadlineWatchdog
    http_metrics: HttpMetrics
    error_groups: ErrorGroups
    load_report: LoadReport


@asynccontextmanager
async def open_engine(settings: EngineSettings, redis: Redis) -> AsyncIterator[Engine]:
    """The engine, its watch running, its numbers among the metrics."""
    http_metrics = HttpMetrics()
    engine = Engine(
        addresses=Addresses(settings.trusted_proxies),
        concurrency=ConcurrencyLimiter(),
        limiter=Limiter(redis),
        policies=RateLimitPolicies(settings.limits_factor),
        deadlines=DeadlineWatchdog(),
        http_metrics=http_metrics,
        error_groups=ErrorGroups(),
        load_report=LoadReport(http_metrics),
    )
    tasks = [asyncio.create_task(engine.deadlines.run()), asyncio.create_task(engine.load_report.run())]
    loop = asyncio.get_running_loop()
    metrics.event_loop_tasks.set_function(lambda: len(asyncio.all_tasks(loop)))
    protection_metrics = metrics.ProtectionMetrics(engine.concurrency, engine.limiter, engine.deadlines)
    with metrics.registered(engine.http_metrics, protection_metrics, SystemMetrics()):
        try:
            yield engine
        finally:
            for task in tasks:
                task.cancel()
