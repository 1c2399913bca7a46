"""Everything a request or a job may use, put together once per process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from app import metrics
from app.accounts.families import Families
from app.accounts.revocations import Revocations
from app.accounts.service import Accounts
from app.cache import Cache
from app.connections import Database, open_mongodb, open_redis
from app.content.service import Contents, Kept, content_cache
from app.lifecycle import Dependency, Lifecycle
from app.passwords import Passwords
from app.queue import Queue
from app.sessions import Tokens
from app.settings import Role, Settings
from app.storage import Bucket, open_bucket


@dataclass(frozen=True)
class Services:
    """The parts of a pod, connected."""

    role: Role
    settings: Settings
    lifecycle: Lifecycle
    redis: Redis
    database: Database
    bucket: Bucket
    queue: Queue
    tokens: Tokens
    revocations: Revocations
    accounts: Accounts
    contents: Contents
    caches: tuple[Cache[Kept | None], ...]

    async def prepare(self) -> None:
        """First contact: indexes are made; raises what the driver raises when MongoDB is not there."""
        await self.accounts.prepare()
        await self.contents.prepare()


@asynccontextmanager
async def open_services(role: Role, settings: Settings, lifecycle: Lifecycle) -> AsyncIterator[Services]:
    """Open everything; nothing is asked of a dependency yet, so this does not fail when one is gone."""
    passwords = Passwords()
    tokens = Tokens(settings.session_keys)
    async with (
        open_redis(settings.redis) as redis,
        open_mongodb(settings.mongodb, app_name=f"kingdom-{role}") as database,
        open_bucket(settings.storage) as bucket,
    ):
        queue = Queue(redis)
        cache = content_cache(redis)
        revocations = Revocations(redis)
        # An api pod answers from MongoDB alone when it must; a worker without the queue has nothing to do.
        lifecycle.watch(
            {
                "mongodb": Dependency(lambda: database.command("ping"), required=True),
                "redis": Dependency(redis.ping, required=role is Role.WORKER),
                "storage": Dependency(bucket.check, required=False),
            }
        )
        background = [asyncio.create_task(cache.run()), asyncio.create_task(revocations.run())]
        metrics.observe_caches(cache)
        try:
            yield Services(
                role=role,
                settings=settings,
                lifecycle=lifecycle,
                redis=redis,
                database=database,
                bucket=bucket,
                queue=queue,
                tokens=tokens,
                revocations=revocations,
                accounts=Accounts(database, passwords, tokens, Families(database, revocations)),
                contents=Contents(database, cache, queue, bucket),
                caches=(cache,),
            )
        finally:
            for task in background:
                task.cancel()
            passwords.close()
