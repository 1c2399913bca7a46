"""The connections of a pod to what it depends on, opened from settings, with verified TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.monitoring import CommandListener, ConnectionPoolListener
from redis import ConnectionError as ConnectionLostError
from redis import RedisError
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.settings import MongoAuth, MongoSettings, RedisSettings

# What a command raises when Redis is not to be had.
REDIS_GONE: Final = (RedisError, OSError)

Document = dict[str, Any]
Database = AsyncDatabase[Document]


class _Named(AbstractConnection):
    """Calls a lost connection one: redis-py (8.1) raises an ``AttributeError`` of its own when one that was
    just made is closed before its first command is written.
    """

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        try:
            await super().send_packed_command(command, check_health)
        except AttributeError as error:
            raise ConnectionLostError("the connection was closed before the command was written") from error


class _Plain(_Named, Connection):
    pass


class _Encrypted(_Named, SSLConnection):
    pass


@asynccontextmanager
async def open_redis(settings: RedisSettings) -> AsyncIterator[Redis]:
    """A client with a bounded pool. Nothing is sent before the first command.

    Commands fail fast and are not retried here: the callers know which of theirs may be repeated, and a
    retry below them would multiply with their own.
    """
    security: Mapping[str, Any] = {}
    if settings.ca is not None:
        security = {"ssl_ca_certs": str(settings.ca), "ssl_cert_reqs": "required"}
    pool = BlockingConnectionPool.from_url(
        settings.url,
        password=settings.password,
        max_connections=settings.pool,
        timeout=1.0,
        socket_connect_timeout=1.0,
        socket_timeout=2.0,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        decode_responses=False,
        **security,
    )
    encrypted = issubclass(pool.connection_class, SSLConnection)  # as the scheme of the address says
    pool.connection_class = _Encrypted if encrypted else _Plain
    client = Redis(connection_pool=pool)
    try:
        yield client
    finally:
        await client.aclose()
        await pool.aclose()


@asynccontextmanager
async def open_mongodb(
    settings: MongoSettings,
    *,
    app_name: str,
    listeners: Sequence[CommandListener | ConnectionPoolListener] = (),
) -> AsyncIterator[Database]:
    """A database whose writes are acknowledged by a majority, on disk, before they return."""
    security: dict[str, Any] = {}
    if settings.certificate is not None:
        security["tlsCertificateKeyFile"] = str(settings.certificate)
        if settings.auth is MongoAuth.X509:
            security["authMechanism"] = "MONGODB-X509"
            security["authSource"] = "$external"
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        settings.url,
        appname=app_name,
        tz_aware=True,
        w="majority",
        journal=True,
        wTimeoutMS=10_000,
        readConcernLevel="majority",
        maxPoolSize=settings.pool,
        minPoolSize=1,
        maxConnecting=4,
        waitQueueTimeoutMS=2_000,
        connectTimeoutMS=2_000,
        serverSelectionTimeoutMS=2_000,
        timeoutMS=5_000,  # half of what a request has: one that cannot be served is refused in time
        event_listeners=list(listeners),
        **security,
    )
    try:
        yield client[settings.database]
    finally:
        await client.close()
