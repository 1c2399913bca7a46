"""Settings of the platform below the service: network, cluster, data services, edge."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from infra.settings.base import Days, Seconds, Section
from infra.settings.types import (
    AtlasSize,
    Cidr,
    CloudflarePlan,
    DnsLabel,
    Email,
    Hostname,
    ImageFormat,
    IndexAdvisor,
    LabelValue,
    MongoAuth,
    MongoConnection,
    ObjectId,
    Path,
    RedisUse,
    ReleaseChannel,
    ZoneId,
)


class Google(Section):
    """`gcp:` keys, which the provider uses as well."""

    project: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$", description="Google Cloud project id")
    ]
    region: Annotated[
        str, Field(pattern=r"^[a-z]+-[a-z]+\d+$", description="Google Cloud region such as europe-west1")
    ]


class EnvironmentSettings(Section):
    """Settings of the whole environment."""

    project_number: Annotated[
        str,
        Field(pattern=r"^[1-9]\d{5,}$", description="number of the Google project, in quotes"),
    ]
    protect: Annotated[bool, Field(description="refuse to delete or replace resources that hold data")]
    labels: Annotated[
        dict[str, LabelValue],
        Field(description="labels every resource carries: lower-case letters, digits, - and _"),
    ]


class NetworkSettings(Section):
    """Address plan of the VPC."""

    nodes: Annotated[Cidr, Field(description="addresses of nodes, an IPv4 range such as 10.0.0.0/20")]
    pods: Annotated[Cidr, Field(description="addresses of pods, an IPv4 range such as 10.16.0.0/14")]
    services: Annotated[Cidr, Field(description="addresses of services, an IPv4 range such as 10.1.0.0/20")]
    private_services_prefix: Annotated[
        int, Field(ge=16, le=24, description="prefix length retained for Google's managed services (Redis)")
    ]
    nat_addresses: Annotated[int, Field(ge=1, le=16, description="static addresses that egress leaves from")]


class PoolSettings(Section):
    """One node pool."""

    machine_type: Annotated[
        str, Field(pattern=r"^[a-z]\w*-[a-z]+-\d+$", description="machine type such as e2-standard-4")
    ]
    disk_gb: Annotated[int, Field(ge=20, le=1000, description="boot disk in GB")]


class MaintenanceSettings(Section):
    """Maintenance window of the control plane and the nodes."""

    start: Annotated[
        str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="start of the first window, UTC")
    ]
    end: Annotated[
        str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="end of the first window, UTC")
    ]
    recurrence: Annotated[
        str, Field(pattern=r"^FREQ=", description="RFC 5545 rule such as FREQ=WEEKLY;BYDAY=SA,SU")
    ]


class ClusterSettings(Section):
    """The GKE cluster and its node pools."""

    release_channel: Annotated[ReleaseChannel, Field(description="GKE release channel")]
    zones: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+\d+-[a-z]$")], ...],
        Field(min_length=2, max_length=4, description="zones of the nodes, such as europe-west1-b"),
    ]
    security_group: Annotated[
        str,
        Field(
            pattern=r"^gke-security-groups@[a-z0-9.-]+$",
            description="Google group whose member groups get rights on the cluster: gke-security-groups@…",
        ),
    ]
    maintenance: MaintenanceSettings
    on_demand: Annotated[PoolSettings, Field(description="on-demand pool, which runs `api`")]
    spot: Annotated[PoolSettings, Field(description="Spot pool, which runs `worker`")]


class AtlasBackupSettings(Section):
    """Frequency and retention of Atlas snapshots."""

    hourly_every: Annotated[int, Field(description="hours between snapshots: 1, 2, 4, 6, 8 or 12")]
    hourly_days: Annotated[Days, Field(description="days an hourly snapshot is retained")]
    daily_days: Annotated[Days, Field(description="days a daily snapshot is retained")]
    weekly_weeks: Annotated[int, Field(ge=1, le=520, description="weeks a weekly snapshot is retained")]
    monthly_months: Annotated[int, Field(ge=1, le=120, description="months a monthly snapshot is retained")]
    restore_days: Annotated[int, Field(ge=1, le=30, description="days of continuous backup")]
    copy_region: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Z][A-Z0-9_]+$", description="Atlas name of a second region for copies; null: none"
        ),
    ]

    @model_validator(mode="after")
    def _interval_is_offered(self) -> Self:
        if self.hourly_every not in {1, 2, 4, 6, 8, 12}:
            raise ValueError(f"hourlyEvery {self.hourly_every} is not offered: use 1, 2, 4, 6, 8 or 12")
        return self


class CustodianSettings(Section):
    """The contact that may request the removal of the backup compliance policy from MongoDB's support."""

    email: Annotated[Email, Field(description="e-mail address that MongoDB's support verifies")]
    first_name: Annotated[str, Field(min_length=1, description="first name")]
    last_name: Annotated[str, Field(min_length=1, description="last name")]


class DatabaseSettings(Section):
    """The Atlas project and cluster."""

    organization: Annotated[ObjectId, Field(description="Atlas organization id, 24 hexadecimal digits")]
    region: Annotated[
        str,
        Field(pattern=r"^[A-Z_]+$", description="Atlas name of the Google region, such as WESTERN_EUROPE"),
    ]
    version: Annotated[str, Field(pattern=r"^\d+\.0$", description='MongoDB major version such as "8.0"')]
    min_size: Annotated[AtlasSize, Field(description="smallest tier autoscaling may choose")]
    max_size: Annotated[AtlasSize, Field(description="largest tier autoscaling may choose")]
    disk_gb: Annotated[
        int, Field(ge=10, le=4096, description="initial disk in GB; autoscaling only increases it")
    ]
    point_in_time_recovery: Annotated[bool, Field(description="continuous backup to restore to any second")]
    name: Annotated[DnsLabel, Field(description="name of the service's database")]
    connection: Annotated[MongoConnection, Field(description="connection string that the service uses")]
    auth: Annotated[MongoAuth, Field(description="how the service authenticates")]
    index_advisor: Annotated[
        IndexAdvisor,
        Field(description="index maintenance by workers: off, advice in the log, or applied"),
    ]
    customer_key: Annotated[bool, Field(description="encrypt with a customer-managed key in Cloud KMS")]
    backup: AtlasBackupSettings
    custodian: Annotated[
        CustodianSettings | None,
        Field(
            description="contact that MongoDB's support accepts for lifting the backup compliance policy; "
            "null: no such policy"
        ),
    ]
    certificate_months: Annotated[
        int, Field(ge=1, le=24, description="months until the client certificate expires")
    ]

    @model_validator(mode="after")
    def _sizes_are_ordered(self) -> Self:
        if self.max_size.rank < self.min_size.rank:
            raise ValueError(
                f"maxSize {self.max_size} is smaller than minSize {self.min_size}: give one at least as large"
            )
        return self


class CacheSettings(Section):
    """Memorystore for Redis."""

    version: Annotated[str, Field(pattern=r"^REDIS_\d_\d$", description="engine such as REDIS_7_2")]
    min_gb: Annotated[int, Field(ge=1, le=300, description="memory in GB, at least")]
    working_set_mi: Annotated[int, Field(ge=1, le=4096, description="MiB of cached data per api replica")]
    # 100,000 waiting jobs, the service's limit, take 131 MiB if each is of another account.
    queue_mi: Annotated[int, Field(ge=160, le=65_536, description="MiB that queues may grow to")]
    replicas: Annotated[int, Field(ge=1, le=5, description="read replicas; more than one needs 5 GB")]
    separate: Annotated[
        dict[RedisUse, Annotated[int, Field(ge=1, le=300)]],
        Field(
            default_factory=dict,
            description="uses with an instance of their own, each with its memory in GB, at least",
        ),
    ]


class AppSettings(Section):
    """Apps that may use the bucket through Firebase."""

    android: Annotated[str, Field(pattern=r"^[a-z]\w*(\.[a-z]\w*)+$", description="Android package name")]
    apple: Annotated[str, Field(pattern=r"^[A-Za-z][\w-]*(\.[\w-]+)+$", description="Apple bundle id")]
    web: Annotated[Hostname, Field(description="host the web app is served from")]
    android_certificates: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...],
        Field(min_length=1, description="SHA-256 of the certificates that the Android app is signed with"),
    ]
    apple_team: Annotated[
        str, Field(pattern=r"^[A-Z0-9]{10}$", description="Apple's id of the team that signs the app")
    ]


class StorageSettings(Section):
    """The bucket for media."""

    bucket: Annotated[
        str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", description="globally unique bucket name")
    ]
    location: Annotated[
        str, Field(pattern=r"^[A-Z][A-Z0-9-]+$", description="bucket location such as EU or EUROPE-WEST1")
    ]
    noncurrent_days: Annotated[
        int, Field(ge=1, le=3650, description="days that overwritten objects are retained")
    ]
    soft_delete_days: Annotated[int, Field(ge=7, le=90, description="days a deleted object can be restored")]
    apps: AppSettings
    app_check_seconds: Annotated[
        int, Field(ge=1800, le=604_800, description="lifetime of an App Check token, 30 minutes to 7 days")
    ]


class RateRule(Section):
    """Maximum number of requests of one address below one path."""

    path: Annotated[Path, Field(description="path prefix such as /v1/")]
    requests: Annotated[int, Field(ge=1, le=1_000_000, description="requests a period")]
    period_seconds: Annotated[
        int, Field(description="counting period in seconds: 10, 60, 120, 300, 600 or 3600")
    ]
    block_seconds: Annotated[
        Seconds, Field(description="seconds for which the address is blocked afterwards")
    ]

    @model_validator(mode="after")
    def _period_is_offered(self) -> Self:
        if self.period_seconds not in {10, 60, 120, 300, 600, 3600}:
            raise ValueError(
                f"periodSeconds {self.period_seconds} is not offered: use 10, 60, 120, 300, 600 or 3600"
            )
        return self


class StandbySettings(Section):
    """An origin in another region."""

    hostname: Annotated[Hostname, Field(description="name of its gateway, which Cloudflare does not proxy")]
    weight_percent: Annotated[
        int, Field(ge=0, le=90, description="percent of requests; 0: only while the main origin is unhealthy")
    ]


class EdgeSettings(Section):
    """The Cloudflare zone in front of the platform."""

    account: Annotated[ZoneId, Field(description="Cloudflare account id, 32 hexadecimal digits")]
    zone: Annotated[ZoneId, Field(description="Cloudflare zone id, 32 hexadecimal digits")]
    plan: Annotated[CloudflarePlan, Field(description="plan of the zone, which determines its features")]
    hostname: Annotated[Hostname, Field(description="host name that clients use")]
    port: Annotated[int, Field(ge=1, le=65_535, description="port clients use; 443 on the internet")]
    hsts_seconds: Annotated[int, Field(ge=0, le=63_072_000, description="HSTS max-age")]
    monitor_path: Annotated[Path, Field(description="routed path that returns 200 while the platform serves")]
    standby: Annotated[
        dict[DnsLabel, StandbySettings],
        Field(description="origins in other regions to fail over to, by name, in this order"),
    ]
    cache_reserve: Annotated[bool, Field(description="store cached responses in persistent storage, too")]
    cache: Annotated[
        dict[DnsLabel, Path],
        Field(description="path prefixes such as /v1/media/ whose responses may be cached, by name"),
    ]
    rates: dict[DnsLabel, RateRule]
    image_formats: Annotated[
        tuple[ImageFormat, ...], Field(description="formats that images are stored in besides their own")
    ]

    @model_validator(mode="after")
    def _main_origin_has_a_share(self) -> Self:
        given = sum(standby.weight_percent for standby in self.standby.values())
        if given > 90:
            raise ValueError(f"standby origins take {given} % together: leave the main one at least 10 %")
        return self

    @property
    def url(self) -> str:
        """Public address of the platform, without a trailing slash."""
        return f"https://{self.hostname}" + ("" if self.port == 443 else f":{self.port}")
