"""Allowed values and string formats of stack files."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints


class RedisUse(StrEnum):
    """A use of Redis that can have an instance of its own."""

    LIMITS = "limits"
    QUEUE = "queue"


class ReleaseChannel(StrEnum):
    """GKE release channels, fastest first."""

    RAPID = "RAPID"
    REGULAR = "REGULAR"
    STABLE = "STABLE"


class AtlasSize(StrEnum):
    """Dedicated Atlas tiers in order of size: autoscaling moves within this order."""

    M10 = "M10"
    M20 = "M20"
    M30 = "M30"
    M40 = "M40"
    M50 = "M50"
    M60 = "M60"
    M80 = "M80"
    M200 = "M200"

    @property
    def rank(self) -> int:
        """Position in the order of sizes."""
        return list(AtlasSize).index(self)


class MongoConnection(StrEnum):
    """The kind of the cluster's connection string that the service uses."""

    STANDARD = "standard"
    STANDARD_SRV = "standardSrv"
    PRIVATE = "private"


class MongoAuth(StrEnum):
    """Authentication of the service to MongoDB."""

    X509 = "x509"
    CERTIFICATE = "certificate"


class IndexAdvisor(StrEnum):
    """Index maintenance by workers (DBO3)."""

    OFF = "off"
    ADVISE = "advise"
    APPLY = "apply"


class LogLevel(StrEnum):
    """Verbosity of the service's log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Algorithm(StrEnum):
    """Load balancing algorithm over replicas (LBA1)."""

    ROUND_ROBIN = "round-robin"
    LEAST_REQUEST = "least-request"
    WEIGHTED = "weighted"


class CloudflarePlan(StrEnum):
    """Plans of a Cloudflare zone that have the managed firewall rules and image polishing used here."""

    PRO = "pro"
    BUSINESS = "business"
    ENTERPRISE = "enterprise"


class ImageFormat(StrEnum):
    """Image formats that clients may request, in order of preference."""

    AVIF = "avif"
    WEBP = "webp"


OCTET = r"(25[0-5]|2[0-4]\d|1?\d?\d)"

Cidr = Annotated[str, StringConstraints(pattern=rf"^({OCTET}\.){{3}}{OCTET}/([89]|[12]\d|3[0-2])$")]
Hostname = Annotated[
    str, StringConstraints(pattern=r"^(localhost|([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,})$")
]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$")]
ObjectId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{24}$")]
ZoneId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$")]
DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")]
Path = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9/_.-]*$")]
