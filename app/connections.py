"""Connections to Redis and MongoDB, opened from settings, with verified TLS."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import structlog
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import AutoReconnect
from pymongo.monitoring import CommandListener, ConnectionPoolListener
from redis import ConnectionError as ConnectionLostError
from redis import RedisError, ResponseError
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, MasterDownError, ReadOnlyError

from app.drivers import limit_handshakes, replace_wait_for
from app.settings import MongoAuth, MongoSettings, RedisSettings

log = structlog.get_logger()

# At import: every process of the service opens its connections through this module.
replace_wait_for()
limit_handshakes()

_DEMOTED: Final = ("READONLY", "LOADING", "MASTERDOWN")
_FAILOVER_SECONDS: Final = 1.0

# Timeout of an operation of MongoDB: half of a request's deadline, so that a 503 can still be sent.
OPERATION_SECONDS: Final = 5.0

# Errors that a command raises while Redis is unavailable.
REDIS_ERRORS: Final = (RedisError, OSError)

Document = dict[str, Any]
Database = AsyncDatabase[Document]


class _NormalizesErrors(AbstractConnection):
    """Raises ``redis.ConnectionError`` for a lost connection.

    redis-py (8.1) raises an ``AttributeError`` if a new connection is closed before its first command is
    written.
    """

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        try:
            await super().send_packed_command(command, check_health)
        except AttributeError as error:
            raise ConnectionLostError("the connection was closed before the command was written") from error


class _DropsDemoted(_NormalizesErrors):
    """Drops connections to a server that is no longer the primary.

    After a failover the old primary keeps its connections open and responds with READONLY, LOADING or
    MASTERDOWN; only a new connection reaches the new primary. Such a response raises
    ``redis.ConnectionError`` and calls ``on_demoted``, because all connections of the pool are affected.
    """

    def __init__(self, *, on_demoted: Callable[[], None], **options: Any) -> None:
        super().__init__(**options)
        self._on_demoted = on_demoted

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            response = await super().read_response(*arguments, **options)
        except ResponseError as error:
            await self._check(error)
            raise
        except BusyLoadingError as error:
            await self._check(error)
            raise
        if isinstance(response, list):  # the reply of a transaction: items may be errors
            for item in response:
                if isinstance(item, RedisError):
                    await self._check(item)
        return response

    async def _check(self, error: RedisError) -> None:
        # A script wraps the error: "Error running script …: -READONLY You can't write …".
        demoted = isinstance(error, ReadOnlyError | BusyLoadingError | MasterDownError)
        if demoted or any(f"-{code} " in str(error) for code in _DEMOTED):
            await self.disconnect(nowait=True)
            self._on_demoted()
            raise ConnectionLostError(f"the server is no longer the primary: {error}") from error


class _PlainConnection(_DropsDemoted, Connection):
    pass


class _TlsConnection(_DropsDemoted, SSLConnection):
    pass


class _PoolReset:
    """Closes all connections of a pool after a failover, at most once per :data:`_FAILOVER_SECONDS`."""

    def __init__(self) -> None:
        self.pool: BlockingConnectionPool | None = None
        self._task: asyncio.Task[None] | None = None
        self._next_at = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if self.pool is None or now < self._next_at:
            return
        self._next_at = now + _FAILOVER_SECONDS
        log.warning("Redis server is no longer the primary, reconnecting")
        # Including those in use: subscriptions and blocking reads would stay on the old primary otherwise.
        self._task = asyncio.create_task(self.pool.disconnect(inuse_connections=True))


@asynccontextmanager
async def open_redis(settings: RedisSettings) -> AsyncIterator[Redis]:
    """Open a Redis client with a bounded pool. It connects with the first command.

    Commands fail fast and are not retried here: only the callers know which commands are idempotent, and
    retries on two levels would multiply.
    """
    pool_reset = _PoolReset()
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
        on_demoted=pool_reset,
        **security,
    )
    pool_reset.pool = pool
    encrypted = issubclass(pool.connection_class, SSLConnection)  # set by the scheme of the URL
    pool.connection_class = _TlsConnection if encrypted else _PlainConnection
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
    """Open the database of the settings, with majority read and write concern and journaling.

    ``app_name`` identifies the process in MongoDB's logs.
    """
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
        timeoutMS=int(OPERATION_SECONDS * 1000),
        event_listeners=list(listeners),
        **security,
    )
    try:
        yield client[settings.database]
    finally:
        await client.close()


@asynccontextmanager
async def open_members(
    settings: MongoSettings, database: Database, *, app_name: str
) -> AsyncIterator[list[Database]]:
    """Open one direct connection to each member of the replica set of ``database``.

    For per-member data such as ``$indexStats``. Raises PyMongo's errors, ``AutoReconnect`` if a member is
    not connected.
    """
    client = database.client
    hello = await client.admin.command("hello")
    connected = client.nodes
    missing = len(hello.get("hosts", ())) + len(hello.get("passives", ())) - len(connected)
    if missing > 0:
        raise AutoReconnect(f"{missing} members of the replica set are not connected")
    encrypted = settings.url.startswith("mongodb+srv:") or "tls=true" in settings.url
    options = "directConnection=true" + ("&tls=true" if encrypted else "")
    async with AsyncExitStack() as stack:
        members: list[Database] = []
        for host, port in sorted((host, port or 27017) for host, port in connected):
            direct = replace(settings, url=f"mongodb://{host}:{port}/?{options}", pool=1)
            members.append(await stack.enter_async_context(open_mongodb(direct, app_name=app_name)))
        yield members
