"""Services that requests and jobs use, created once per process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from app.accounts.guard import SignInGuard
from app.accounts.mail import Mailer, open_mailer
from app.accounts.passwords import Passwords
from app.accounts.recovery import Recovery
from app.accounts.refresh_sessions import RefreshSessions
from app.accounts.registration import Registration
from app.accounts.revocations import Revocations
from app.accounts.service import Accounts, account_results
from app.analytics.active_accounts import ActiveAccounts
from app.analytics.ingestion import Ingestion
from app.analytics.summaries import Summaries
from app.auth.tokens import Tokens
from app.cache import Cache
from app.connections import REDIS_ERRORS, Database, open_redis
from app.content.feed import Feed
from app.content.generation import ContentGeneration
from app.content.generator import Generator, GrammarGenerator
from app.content.openai import open_openai
from app.content.progress import Progress
from app.content.service import Contents, content_cache
from app.database.client import open_database
from app.database.monitor import PoolMetrics
from app.lifecycle import Dependency, Lifecycle
from app.media.decoder import Decoder
from app.media.deletion import ObjectDeletions
from app.media.delivery import MediaDelivery
from app.media.service import MediaLibrary
from app.media.signed_urls import SignedUrls
from app.media.variant_jobs import VariantJobs
from app.media.visibility import Visibility
from app.middleware.response_cache import CachedResponse, response_cache
from app.orders.service import Orders
from app.protection import Protection, open_protection
from app.queue import Queue
from app.resilience import Breaker
from app.resilience.breaker import BreakerConfig
from app.settings import ProcessRole, RedisUse, Settings
from app.storage import Bucket, open_bucket
from app.telemetry import metrics
from app.telemetry.load_report import CpuUsage
from app.telemetry.threshold_monitor import Measures, ThresholdMonitor, memory_percent

_VISIBILITY_SECONDS: Final = 20.0
_FLUSH_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Services:
    """The services of a process, and the connections they use."""

    role: ProcessRole
    settings: Settings
    protection: Protection
    lifecycle: Lifecycle
    redis: Redis
    queue_redis: Redis
    database: Database
    bucket: Bucket
    queue: Queue
    tokens: Tokens
    revocations: Revocations
    accounts: Accounts
    recovery: Recovery
    registration: Registration
    mailer: Mailer
    contents: Contents
    generation: ContentGeneration
    feed: Feed
    progress: Progress
    media: MediaLibrary
    variant_jobs: VariantJobs
    delivery: MediaDelivery
    deletions: ObjectDeletions
    orders: Orders
    active_accounts: ActiveAccounts
    ingestion: Ingestion
    summaries: Summaries
    responses: Cache[CachedResponse]
    caches: tuple[Cache[Any], ...]

    async def prepare(self) -> None:
        """Create the indexes. Raises PyMongo's errors if MongoDB is unavailable."""
        await self.accounts.prepare()
        await self.recovery.prepare()
        await self.registration.prepare()
        await self.contents.prepare()
        await self.feed.prepare()
        await self.media.prepare()
        await self.deletions.prepare()
        await self.orders.prepare()
        await self.ingestion.prepare()


@dataclass(frozen=True)
class _Connections:
    """The connections of a process; ``redis_of`` has the client of each use of Redis."""

    redis: Redis
    redis_of: Mapping[RedisUse, Redis]
    protection: Protection
    pools: PoolMetrics
    database: Database
    bucket: Bucket


@asynccontextmanager
async def open_services(
    role: ProcessRole, settings: Settings, lifecycle: Lifecycle
) -> AsyncIterator[Services]:
    """Open connections and create the services. No dependency is called, so an outage does not fail this."""
    async with AsyncExitStack() as stack:
        connections = await stack.enter_async_context(_open_connections(role, settings))
        lifecycle.watch(_dependencies(role, settings, connections), timeout=settings.dependency_seconds)
        mailer = open_mailer(settings.mail, settings.public_url)
        stack.push_async_callback(mailer.close)
        generator = await stack.enter_async_context(_open_generator(settings))
        passwords = Passwords()
        stack.callback(passwords.close)
        services = _create(role, settings, lifecycle, connections, passwords, mailer, generator)
        await stack.enter_async_context(_background_loops(services, connections.pools))
        yield services


@asynccontextmanager
async def _open_connections(role: ProcessRole, settings: Settings) -> AsyncIterator[_Connections]:
    pools = PoolMetrics(settings.mongodb.pool)
    async with (
        open_redis(settings.redis) as redis,
        _open_separate_redis(settings, redis) as redis_of,
        open_protection(settings.protection, redis_of[RedisUse.LIMITS]) as protection,
        open_database(settings.mongodb, redis, pools, app_name=f"kingdom-{role}") as database,
        open_bucket(settings.storage) as bucket,
    ):
        yield _Connections(redis, redis_of, protection, pools, database, bucket)


def _dependencies(role: ProcessRole, settings: Settings, connections: _Connections) -> dict[str, Dependency]:
    """Return the dependencies whose state the readiness probe reports, by name."""
    # All api pods share these dependencies: if readiness required one, its outage would take every pod out of
    # service at once, and with them the cached reads. Workers receive no traffic; their readiness stops a
    # rollout.
    worker = role is ProcessRole.WORKER
    return {
        "mongodb": Dependency(lambda: connections.database.command("ping"), required=worker),
        "redis": Dependency(connections.redis.ping, required=worker),
        # Without the Redis of the rate limits, each pod limits by itself, so no role requires it.
        **{
            f"{use}-redis": Dependency(
                connections.redis_of[use].ping, required=worker and use is RedisUse.QUEUE
            )
            for use in settings.separate_redis
        },
        "storage": Dependency(connections.bucket.check, required=False),
    }


def _create(
    role: ProcessRole,
    settings: Settings,
    lifecycle: Lifecycle,
    connections: _Connections,
    passwords: Passwords,
    mailer: Mailer,
    generator: Generator,
) -> Services:
    redis, database, bucket = connections.redis, connections.database, connections.bucket
    queue_redis, protection = connections.redis_of[RedisUse.QUEUE], connections.protection
    # Visibility timeout: jobs of a crashed worker are redelivered within the target of 30 s.
    queue = Queue(queue_redis, visibility=_VISIBILITY_SECONDS)
    tokens, signed_urls = Tokens(settings.session_keys), SignedUrls(settings.session_keys)
    progress, revocations = Progress(queue_redis), Revocations(redis)
    cache, responses, results = content_cache(redis), response_cache(redis), account_results(redis)
    visibility, deletions = Visibility(database, redis), ObjectDeletions(database, bucket)
    contents = Contents(database, cache, queue, bucket, redis, visibility, deletions)
    media = MediaLibrary(database, bucket, queue, signed_urls, visibility, deletions)
    orders, active_accounts = Orders(database, redis, results), ActiveAccounts(redis)
    summaries = Summaries(database, redis, active_accounts)
    refresh_sessions = RefreshSessions(database, revocations)
    guard = SignInGuard(protection.limiter, protection.policies)
    accounts = Accounts(database, passwords, tokens, refresh_sessions, results, guard)
    queries = (results, contents.results, orders.results, summaries.results)
    url, confirms = settings.public_url, settings.confirms_addresses
    return Services(
        role=role,
        settings=settings,
        protection=protection,
        lifecycle=lifecycle,
        redis=redis,
        queue_redis=queue_redis,
        database=database,
        bucket=bucket,
        queue=queue,
        tokens=tokens,
        revocations=revocations,
        accounts=accounts,
        recovery=Recovery(database, accounts, tokens, refresh_sessions, guard, mailer, url),
        registration=Registration(
            database, accounts, passwords, tokens, guard, mailer, url, confirms=confirms
        ),
        mailer=mailer,
        contents=contents,
        generation=ContentGeneration(database, contents, cache, bucket, queue, generator, progress),
        feed=Feed(database, contents, cache, responses, signed_urls, visibility, progress),
        progress=progress,
        media=media,
        variant_jobs=VariantJobs(database, media, bucket, queue, Decoder()),
        delivery=MediaDelivery(bucket, signed_urls, visibility),
        deletions=deletions,
        orders=orders,
        active_accounts=active_accounts,
        ingestion=Ingestion(database, active_accounts),
        summaries=summaries,
        responses=responses,
        caches=(cache, responses, visibility.cache, *(each.cache for each in queries)),
    )


@asynccontextmanager
async def _background_loops(services: Services, pools: PoolMetrics) -> AsyncIterator[None]:
    """Run the loops of the services in tasks. At the end, flush the caches and cancel the tasks."""
    caches, settings, lifecycle = services.caches, services.settings, services.lifecycle
    metrics.observe_caches(*caches)
    for each in caches:
        each.probe_with(lambda: services.database.command("ping"))
    with contextlib.ExitStack() as stack:
        loops = [
            *(each.run() for each in caches),
            services.revocations.run(),
            services.progress.run(),
            services.active_accounts.run(),
            lifecycle.monitor(),
            _close_when_draining(lifecycle, services.progress),
        ]
        tasks = [asyncio.create_task(loop) for loop in loops]
        if settings.protection.thresholds is not None:
            measures = _measures(services.protection, pools)
            threshold_monitor = ThresholdMonitor(settings.protection.thresholds, measures)
            tasks.append(asyncio.create_task(threshold_monitor.run()))
            stack.enter_context(metrics.registered(threshold_monitor))
        try:
            yield
        finally:
            with contextlib.suppress(*REDIS_ERRORS):
                async with asyncio.timeout(_FLUSH_SECONDS):
                    await asyncio.gather(*(each.flush() for each in caches))
            for task in tasks:
                task.cancel()
            # Awaited while the connections are open: tasks write to Redis when they are cancelled.
            await asyncio.gather(*tasks, return_exceptions=True)


def _measures(protection: Protection, pools: PoolMetrics) -> Measures:
    """Return the functions that read the values of the threshold monitor."""
    return {
        "cpu": CpuUsage(),
        "memory": memory_percent,
        "response_time": lambda: protection.http_metrics.quantile(0.95),
        "error_rate": lambda: 100 * protection.http_metrics.errors(),
        "database_connections": lambda: pools.used,
    }


@asynccontextmanager
async def _open_separate_redis(settings: Settings, shared: Redis) -> AsyncIterator[Mapping[RedisUse, Redis]]:
    """Open the servers that have a single use; yield the client of each use."""
    async with AsyncExitStack() as stack:
        separate = {
            use: await stack.enter_async_context(open_redis(each))
            for use, each in settings.separate_redis.items()
        }
        yield {use: separate.get(use, shared) for use in RedisUse}


@asynccontextmanager
async def _open_generator(settings: Settings) -> AsyncIterator[Generator]:
    if settings.generator is None:
        yield GrammarGenerator()
        return
    # Generating a text takes seconds, so a call counts as slow only if it nearly exceeds its deadline.
    slow = settings.generator.seconds * 0.9
    # open_max is below the default, so that waiting jobs start within 30 s of a recovery.
    # The first hung calls occupy the slots of a worker, so a few failures must open it.
    config = BreakerConfig(window=20, minimum=4, slow_seconds=slow, open_max=10.0, probes=2)
    async with open_openai(settings.generator, Breaker("generator", config)) as generator:
        yield generator


async def _close_when_draining(lifecycle: Lifecycle, progress: Progress) -> None:
    await lifecycle.draining.wait()
    progress.close()
