"""The settings of a pod, parsed once at startup into types.

Settings are read from the environment and from one folder of mounted secrets. Invalid settings prevent the
start; :func:`load` reports all problems at once, each with the value found and the values allowed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from app.lifecycle import CHECK_TIMEOUT_SECONDS
from app.monitoring.signals import Signals, SignalsError, decode
from app.settings.environment import Environment, Network, is_loopback
from app.telemetry import thresholds

GOOGLE_STORAGE: Final = "https://storage.googleapis.com"
LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
# The output size of HMAC-SHA256: shorter keys are weaker, longer ones not stronger.
_MIN_KEY_BYTES: Final = 32
_REPORTED: Final = ("requests", "replicas", "max-replicas")  # signals that every report includes


class ProcessRole(StrEnum):
    """The role of a process; all roles use the same image."""

    API = "api"
    WORKER = "worker"
    MONITOR = "monitor"


class LogLevel(StrEnum):
    """The minimum severity of log lines."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class MongoAuth(StrEnum):
    """Use of the client certificate: to authenticate as the database user, or in the TLS handshake only."""

    X509 = "x509"
    CERTIFICATE = "certificate"


class PrometheusAuth(StrEnum):
    """Authentication to the Prometheus HTTP API: none, or an access token of the pod's workload identity."""

    NONE = "none"
    GOOGLE = "google"


class Advisor(StrEnum):
    """Mode of the index advisor: off, recommend changes, or apply them (within limits)."""

    OFF = "off"
    ADVISE = "advise"
    APPLY = "apply"


@dataclass(frozen=True)
class RedisSettings:
    """Connection to Redis. ``ca`` is set if and only if the URL is ``rediss``. ``pool``: max. connections."""

    url: str
    password: str | None
    ca: Path | None
    pool: int = 32


class RedisUse(StrEnum):
    """A use of Redis that can have a server of its own; Redis executes all commands on one core."""

    LIMITS = "limits"
    QUEUE = "queue"


_SEPARATE_REDIS: Final = {
    RedisUse.LIMITS: "KINGDOM_LIMITS_REDIS_URL",
    RedisUse.QUEUE: "KINGDOM_QUEUE_REDIS_URL",
}


@dataclass(frozen=True)
class MongoSettings:
    """Connection to MongoDB. ``certificate`` (certificate and key in one PEM file) is set if and only if TLS
    is enabled. ``pool``: maximum connections per member; ``slow``: threshold of the slow-query log in
    seconds; ``advisor``: mode of the index advisor in workers."""

    url: str
    database: str
    auth: MongoAuth
    certificate: Path | None
    pool: int = 64
    slow: float = 0.1
    advisor: Advisor = Advisor.ADVISE


@dataclass(frozen=True)
class StorageSettings:
    """The bucket for media. ``anonymous`` if the endpoint is not Google's, but an emulator."""

    bucket: str
    endpoint: str

    @property
    def anonymous(self) -> bool:
        return self.endpoint != GOOGLE_STORAGE


@dataclass(frozen=True)
class GeneratorSettings:
    """An OpenAI-compatible text generator: base URL, model, timeout per text in seconds, and API key."""

    url: str
    model: str
    seconds: float
    key: str | None


@dataclass(frozen=True)
class MailSettings:
    """The mail server: ``smtps://user@host:465``, or ``smtp://`` with STARTTLS; its password; the sender."""

    url: str
    sender: str
    password: str | None


@dataclass(frozen=True)
class ProtectionSettings:
    """Overload protection: networks of trusted proxies, a factor for all rate limits (above 1 for load tests,
    whose requests come from one address), and the file with the thresholds of the threshold monitor."""

    trusted_proxies: tuple[Network, ...] = LOOPBACK
    limits_factor: float = 1.0
    thresholds: Path | None = None


@dataclass(frozen=True)
class Settings:
    """All settings of a pod. ``session_keys``: the first signs, all verify, so that keys can be rotated.
    ``dependency_seconds``: timeout of a background check of a dependency; shorter than the probe's timeout.
    ``separate_redis``: the servers of uses that do not share ``redis``.
    """

    environment: str
    public_url: str
    host: str
    port: int
    pod: str
    log_level: LogLevel
    drain_seconds: float
    dependency_seconds: float
    redis: RedisSettings
    mongodb: MongoSettings
    storage: StorageSettings
    session_keys: tuple[bytes, ...]
    generator: GeneratorSettings | None = None
    mail: MailSettings | None = None
    confirms_addresses: bool = False
    separate_redis: Mapping[RedisUse, RedisSettings] = field(default_factory=dict)
    cors_origins: frozenset[str] = frozenset()
    protection: ProtectionSettings = field(default_factory=ProtectionSettings)

    def redis_of(self, use: RedisUse) -> RedisSettings:
        """Return the server of a use: its own, or the shared one."""
        return self.separate_redis.get(use, self.redis)


@dataclass(frozen=True)
class MonitorSettings:
    """All settings of the `monitor` role.

    ``prometheus_url`` is the URL of the Prometheus API without ``/api/v1``; ``reports`` is the bucket of
    reports. In seconds: ``period`` of a report, ``deadline`` of the run, and ``scrape``, for which the
    metrics stay available after the report.
    """

    environment: str
    host: str
    port: int
    pod: str
    log_level: LogLevel
    prometheus_url: str
    prometheus_auth: PrometheusAuth
    signals: Signals
    reports: StorageSettings
    period: float
    deadline: float
    scrape: float


def load_monitor(environ: Mapping[str, str]) -> MonitorSettings:
    """Parse ``environ`` for the `monitor` role. Raises `SettingsError` with all problems."""
    source = Environment(environ)
    settings = MonitorSettings(
        environment=source.text("KINGDOM_ENVIRONMENT"),
        host=environ.get("HOST", "0.0.0.0"),  # noqa: S104 (a pod listens on its own address)
        port=source.integer("PORT", 8080, minimum=1, maximum=65535),
        pod=environ.get("POD_NAME", "local"),
        log_level=source.choice("KINGDOM_LOG_LEVEL", LogLevel, LogLevel.INFO),
        prometheus_url=source.url("KINGDOM_PROMETHEUS_URL", secure="https", plain="http").rstrip("/"),
        prometheus_auth=source.choice("KINGDOM_PROMETHEUS_AUTH", PrometheusAuth, PrometheusAuth.NONE),
        signals=_signals(source),
        reports=StorageSettings(
            bucket=source.text("KINGDOM_REPORT_BUCKET"),
            endpoint=source.url("KINGDOM_STORAGE_ENDPOINT", secure="https", plain="http").rstrip("/"),
        ),
        period=source.number("KINGDOM_REPORT_SECONDS", 86_400.0, minimum=3600, maximum=30 * 86_400),
        deadline=source.number("KINGDOM_MONITOR_DEADLINE_SECONDS", 600.0, minimum=1, maximum=3600),
        scrape=source.number("KINGDOM_MONITOR_SCRAPE_SECONDS", 90.0, minimum=0, maximum=600),
    )
    if settings.scrape >= settings.deadline:
        source.problem(
            f"KINGDOM_MONITOR_SCRAPE_SECONDS is {settings.scrape:g}; it must be less than"
            f" KINGDOM_MONITOR_DEADLINE_SECONDS, which is {settings.deadline:g}"
        )
    source.finish()
    return settings


def load(environ: Mapping[str, str]) -> Settings:
    """Parse ``environ`` and the secrets folder it names. Raises `SettingsError` with all problems."""
    source = Environment(environ)
    secrets = source.folder("KINGDOM_SECRETS_DIR")
    # Each subscription to other pods occupies one connection, and so does a worker's blocking read of jobs.
    pool = source.integer("KINGDOM_REDIS_POOL", 32, minimum=8, maximum=10_000)
    settings = Settings(
        environment=source.text("KINGDOM_ENVIRONMENT"),
        public_url=source.url("KINGDOM_PUBLIC_URL", secure="https", plain="http").rstrip("/"),
        host=environ.get("HOST", "0.0.0.0"),  # noqa: S104 (a pod listens on its own address)
        port=source.integer("PORT", 8080, minimum=1, maximum=65535),
        pod=environ.get("POD_NAME", "local"),
        log_level=source.choice("KINGDOM_LOG_LEVEL", LogLevel, LogLevel.INFO),
        drain_seconds=source.number("KINGDOM_DRAIN_SECONDS", 10.0, minimum=0, maximum=600),
        dependency_seconds=source.number(
            "KINGDOM_DEPENDENCY_SECONDS", CHECK_TIMEOUT_SECONDS, minimum=0.05, maximum=10
        ),
        redis=_redis(source, secrets, "KINGDOM_REDIS_URL", pool),
        separate_redis={
            use: _redis(source, secrets, variable, pool, f"{use}-")
            for use, variable in _SEPARATE_REDIS.items()
            if variable in environ
        },
        mongodb=_mongodb(source, secrets),
        storage=StorageSettings(
            bucket=source.text("KINGDOM_STORAGE_BUCKET"),
            endpoint=source.url("KINGDOM_STORAGE_ENDPOINT", secure="https", plain="http").rstrip("/"),
        ),
        session_keys=_session_keys(source, secrets),
        generator=_generator(source, secrets, environ),
        mail=_mail(source, secrets, environ),
        confirms_addresses=_confirms_addresses(source, environ),
        cors_origins=source.origins("KINGDOM_CORS_ORIGINS"),
        protection=ProtectionSettings(
            trusted_proxies=source.networks("KINGDOM_TRUSTED_PROXIES", LOOPBACK),
            limits_factor=source.number("KINGDOM_LIMITS_FACTOR", 1.0, minimum=0.01, maximum=1e6),
            thresholds=_thresholds(source),
        ),
    )
    source.finish()
    return settings


def _redis(source: Environment, secrets: Path, variable: str, pool: int, prefix: str = "") -> RedisSettings:
    """Return the connection to the server whose URL is in a variable.

    The files of its secrets have the prefix.
    """
    url = source.url(variable, secure="rediss", plain="redis")
    if not url.startswith("rediss:"):
        optional = secrets / f"{prefix}redis-auth"
        password = optional.read_text().strip() if optional.is_file() else None
        return RedisSettings(url, password, None, pool)
    password = source.secret(secrets, f"{prefix}redis-auth")
    return RedisSettings(url, password, source.file(secrets, f"{prefix}redis-ca.pem"), pool)


def _mongodb(source: Environment, secrets: Path) -> MongoSettings:
    name = "KINGDOM_MONGODB_URL"
    url = source.text(name)
    parts = urlsplit(url)
    encrypted = parts.scheme == "mongodb+srv"
    if url and parts.scheme not in {"mongodb", "mongodb+srv"}:
        source.problem(f"{name} is not a mongodb:// or mongodb+srv:// URL")
    elif url and not encrypted:
        query = parse_qs(parts.query)
        encrypted = "true" in query.get("tls", []) + query.get("ssl", [])
        if not encrypted and not is_loopback(parts.netloc):
            source.problem(f"{name} has no TLS; add tls=true (only loopback addresses may omit it)")
    return MongoSettings(
        url=url,
        database=source.text("KINGDOM_MONGODB_DATABASE"),
        auth=source.choice("KINGDOM_MONGODB_AUTH", MongoAuth, MongoAuth.X509),
        certificate=source.file(secrets, "mongodb-client.pem") if encrypted else None,
        pool=source.integer("KINGDOM_MONGODB_POOL", 64, minimum=1, maximum=10_000),
        slow=source.number("KINGDOM_SLOW_QUERY_SECONDS", 0.1, minimum=0.001, maximum=60),
        advisor=source.choice("KINGDOM_INDEX_ADVISOR", Advisor, Advisor.ADVISE),
    )


def _generator(source: Environment, secrets: Path, environ: Mapping[str, str]) -> GeneratorSettings | None:
    """Return the settings of the text generator; ``None`` without a URL, which selects the embedded one."""
    seconds = source.number("KINGDOM_GENERATOR_SECONDS", 60.0, minimum=1, maximum=600)
    if not environ.get("KINGDOM_GENERATOR_URL"):
        return None
    key = secrets / "generator-key"
    return GeneratorSettings(
        url=source.url("KINGDOM_GENERATOR_URL", secure="https", plain="http").rstrip("/") + "/",
        model=source.text("KINGDOM_GENERATOR_MODEL"),
        seconds=seconds,
        key=source.secret(secrets, "generator-key") if key.exists() else None,
    )


def _mail(source: Environment, secrets: Path, environ: Mapping[str, str]) -> MailSettings | None:
    """Return the settings of the mail server; ``None`` without a URL: messages are then stored in memory."""
    if not environ.get("KINGDOM_SMTP_URL"):
        return None
    password = secrets / "smtp-password"
    return MailSettings(
        url=source.url("KINGDOM_SMTP_URL", secure="smtps", plain="smtp"),
        sender=source.text("KINGDOM_MAIL_SENDER"),
        password=source.secret(secrets, "smtp-password") if password.exists() else None,
    )


def _confirms_addresses(source: Environment, environ: Mapping[str, str]) -> bool:
    """Return whether a sign-up requires a code sent by mail; by default, if a mail server is configured."""
    has_mail = bool(environ.get("KINGDOM_SMTP_URL"))
    confirms = source.flag("KINGDOM_CONFIRM_ADDRESSES", has_mail)
    # In a local environment the outbox of the pod replaces the mail server.
    local = is_loopback(urlsplit(environ.get("KINGDOM_PUBLIC_URL", "")).netloc)
    if confirms and not has_mail and not local:
        source.problem(
            "KINGDOM_CONFIRM_ADDRESSES is true without a mail server; set KINGDOM_SMTP_URL, or false"
        )
    return confirms


def _thresholds(source: Environment) -> Path | None:
    path = source.optional_file("KINGDOM_THRESHOLDS_FILE")
    if path is not None and path.is_file():
        try:
            thresholds.read(path)
        except thresholds.ThresholdsError as error:
            source.problem(f"KINGDOM_THRESHOLDS_FILE: {error}")
    return path


def _signals(source: Environment) -> Signals:
    """Return the signals of the mounted file; none if the file is invalid, which is recorded as a problem."""
    name = "KINGDOM_SIGNALS_FILE"
    value = source.text(name)
    if value:
        try:
            found = decode(Path(value).read_bytes())
        except (OSError, SignalsError) as error:
            source.problem(f"{name} is {value!r}: {error}")
        else:
            missing = [signal for signal in _REPORTED if signal not in found.signals]
            if missing:
                source.problem(f"{name} is {value!r}, which lacks the signals {', '.join(missing)}")
            return found
    return Signals({}, {}, {}, {})


def _session_keys(source: Environment, secrets: Path) -> tuple[bytes, ...]:
    keys: list[bytes] = []
    for number, line in enumerate(source.secret(secrets, "session-key").split(), start=1):
        try:
            key = base64.b64decode(line, validate=True)
        except binascii.Error:
            source.problem(f"{secrets / 'session-key'}, line {number}: not base64")
            continue
        if len(key) < _MIN_KEY_BYTES:
            source.problem(
                f"{secrets / 'session-key'}, line {number}: {len(key)} bytes; at least {_MIN_KEY_BYTES} "
                "random bytes are required"
            )
        keys.append(key)
    return tuple(keys)
