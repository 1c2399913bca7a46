"""What a pod defends itself with, put together once: room, limits, deadlines, and the count of it all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from app.http.client_address import Addresses
from app.rate_limits import Limiter
from app.rate_limits.policies import Policies
from app.resilience import Watch
from app.resilience.concurrency_limiter import Gate
from app.settings import EngineSettings
from app.telemetry import metrics
from app.telemetry.error_groups import Faults
from app.telemetry.http_metrics import Traffic
from app.telemetry.load_report import Load
from app.telemetry.system_metrics import System


@dataclass(frozen=True)
class Engine:
    """The parts. One of each in a process."""

    addresses: Addresses
    gate: Gate
    limiter: Limiter
    policies: Policies
    watch: Watch
    traffic: Traffic
    faults: Faults
    load: Load


@asynccontextmanager
async def open_engine(settings: EngineSettings, redis: Redis) -> AsyncIterator[Engine]:
    """The engine, its watch running, its numbers among the metrics."""
    traffic = Traffic()
    engine = Engine(
        addresses=Addresses(settings.trusted_proxies),
        gate=Gate(),
        limiter=Limiter(redis),
        policies=Policies(settings.limits_factor),
        watch=Watch(),
        traffic=traffic,
        faults=Faults(),
        load=Load(traffic),
    )
    tasks = [asyncio.create_task(engine.watch.run()), asyncio.create_task(engine.load.run())]
    loop = asyncio.get_running_loop()
    metrics.event_loop_tasks.set_function(lambda: len(asyncio.all_tasks(loop)))
    defences = metrics.Defences(engine.gate, engine.limiter, engine.watch)
    with metrics.shown(engine.traffic, defences, System()):
        try:
            yield engine
        finally:
            for task in tasks:
                task.cancel()
