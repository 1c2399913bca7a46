"""What a stack file says, as types.

`Settings.parse` turns the values of one `stacks/Pulumi.<env>.yaml` into one tree of frozen models, once,
at the edge of the program. It needs no running Pulumi. Whatever is wrong with a stack file is reported in
one `SettingsError`: the stack, each key, its value, and what would be right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from infra.complaints import SettingsError, complaints
from infra.vocabulary import (
    Algorithm,
    AtlasSize,
    Cidr,
    Digest,
    DnsLabel,
    Hostname,
    LabelValue,
    LogLevel,
    MongoAuth,
    MongoConnection,
    ObjectId,
    Path,
    ReleaseChannel,
    ZoneId,
)

Count = Annotated[int, Field(ge=1, le=1000)]
Percent = Annotated[int, Field(ge=1, le=100)]
Seconds = Annotated[int, Field(ge=0, le=86_400)]


class Section(BaseModel):
    """Base of every section: camelCase in the file, snake_case here, nothing unknown, nothing mutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=False)


class Google(Section):
    """`gcp:` keys, shared with the provider itself."""

    project: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$", description="Google Cloud project id")
    ]
    region: Annotated[
        str, Field(pattern=r"^[a-z]+-[a-z]+\d+$", description="Google Cloud region such as europe-west1")
    ]


class EnvironmentSettings(Section):
    """What is true of the whole environment."""

    protect: Annotated[bool, Field(description="refuse to delete or replace whatever holds data")]
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
        int, Field(ge=16, le=24, description="prefix length reserved for Google's managed services (Redis)")
    ]
    nat_addresses: Annotated[int, Field(ge=1, le=16, description="static addresses that egress leaves from")]


class PoolSettings(Section):
    """One node pool."""

    machine_type: Annotated[
        str, Field(pattern=r"^[a-z]\w*-[a-z]+-\d+$", description="machine type such as e2-standard-4")
    ]
    min_nodes: Annotated[int, Field(ge=0, le=1000, description="nodes kept in the whole region")]
    max_nodes: Annotated[Count, Field(description="nodes at most in the whole region")]
    disk_gb: Annotated[int, Field(ge=20, le=1000, description="boot disk in GB")]


class MaintenanceSettings(Section):
    """When Google may touch the control plane and the nodes."""

    start: Annotated[
        str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="first window's start, UTC")
    ]
    end: Annotated[
        str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="first window's end, UTC")
    ]
    recurrence: Annotated[
        str, Field(pattern=r"^FREQ=", description="RFC 5545 rule such as FREQ=WEEKLY;BYDAY=SA,SU")
    ]


class ClusterSettings(Section):
    """The GKE cluster and its two pools."""

    release_channel: Annotated[ReleaseChannel, Field(description="GKE release channel")]
    maintenance: MaintenanceSettings
    on_demand: Annotated[PoolSettings, Field(description="the pool that `api` runs on")]
    spot: Annotated[PoolSettings, Field(description="the pool that `worker` runs on")]


class DatabaseSettings(Section):
    """The Atlas project and cluster."""

    organization: Annotated[ObjectId, Field(description="Atlas organisation id, 24 hexadecimal digits")]
    region: Annotated[
        str,
        Field(pattern=r"^[A-Z_]+$", description="Atlas name of the Google region, such as WESTERN_EUROPE"),
    ]
    version: Annotated[str, Field(pattern=r"^\d+\.0$", description='MongoDB major version such as "8.0"')]
    min_size: Annotated[AtlasSize, Field(description="smallest tier autoscaling may choose")]
    max_size: Annotated[AtlasSize, Field(description="largest tier autoscaling may choose")]
    disk_gb: Annotated[int, Field(ge=10, le=4096, description="disk to start with; it only grows")]
    point_in_time_recovery: Annotated[bool, Field(description="continuous backup to restore to any second")]
    name: Annotated[DnsLabel, Field(description="database the service keeps its collections in")]
    connection: Annotated[MongoConnection, Field(description="which connection string the service gets")]
    auth: Annotated[MongoAuth, Field(description="how the service authenticates")]
    certificate_months: Annotated[int, Field(ge=1, le=24, description="life of the client certificate")]

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
    memory_gb: Annotated[int, Field(ge=1, le=300, description="memory in GB")]
    replicas: Annotated[int, Field(ge=1, le=5, description="read replicas; more than one needs 5 GB")]


class StorageSettings(Section):
    """The bucket for media."""

    bucket: Annotated[
        str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", description="globally unique bucket name")
    ]
    location: Annotated[
        str, Field(pattern=r"^[A-Z][A-Z0-9-]+$", description="bucket location such as EU or EUROPE-WEST1")
    ]
    noncurrent_days: Annotated[int, Field(ge=1, le=3650, description="days an overwritten object is kept")]
    soft_delete_days: Annotated[int, Field(ge=7, le=90, description="days a deleted object can be restored")]


class CacheRule(Section):
    """How long the edge and the browser keep answers below one path."""

    path: Annotated[Path, Field(description="path prefix such as /v1/media/")]
    edge_seconds: Annotated[Seconds, Field(description="time at the edge")]
    browser_seconds: Annotated[Seconds, Field(description="time in the browser")]


class RateRule(Section):
    """How many requests one address may send below one path."""

    path: Annotated[Path, Field(description="path prefix such as /v1/")]
    requests: Annotated[int, Field(ge=1, le=1_000_000, description="requests a period")]
    period_seconds: Annotated[
        int, Field(description="10, 60, 120, 300, 600 or 3600: what Cloudflare counts in")
    ]
    block_seconds: Annotated[Seconds, Field(description="how long the address is refused afterwards")]

    @model_validator(mode="after")
    def _period_is_offered(self) -> Self:
        if self.period_seconds not in {10, 60, 120, 300, 600, 3600}:
            raise ValueError(
                f"periodSeconds {self.period_seconds} is not offered: use 10, 60, 120, 300, 600 or 3600"
            )
        return self


class EdgeSettings(Section):
    """The Cloudflare zone in front."""

    zone: Annotated[ZoneId, Field(description="Cloudflare zone id, 32 hexadecimal digits")]
    hostname: Annotated[Hostname, Field(description="name clients use")]
    port: Annotated[int, Field(ge=1, le=65_535, description="port clients use; 443 on the internet")]
    hsts_seconds: Annotated[int, Field(ge=0, le=63_072_000, description="HSTS max-age")]
    cache: dict[DnsLabel, CacheRule]
    rates: dict[DnsLabel, RateRule]

    @property
    def url(self) -> str:
        """Public address of the platform, without a trailing slash."""
        return f"https://{self.hostname}" + ("" if self.port == 443 else f":{self.port}")


class ImageSettings(Section):
    """The released image of the service."""

    repository: Annotated[
        str, Field(pattern=r"^[a-z0-9][a-z0-9._/:-]+$", description="image repository without tag")
    ]
    digest: Annotated[
        Digest, Field(description="sha256:… of the released image; 64 zeros before the first release")
    ]

    @property
    def reference(self) -> str:
        """Image by digest, so that what was tested is what runs."""
        return f"{self.repository}@{self.digest}"


class ResourceSettings(Section):
    """What one pod asks for, and the most it gets."""

    cpu_milli: Annotated[int, Field(ge=10, le=64_000, description="CPU request in thousandths of a core")]
    cpu_limit_milli: Annotated[int, Field(ge=10, le=64_000, description="CPU limit in thousandths of a core")]
    memory_mi: Annotated[int, Field(ge=32, le=262_144, description="memory request and limit in MiB")]
    scratch_mi: Annotated[
        int, Field(ge=16, le=65_536, description="ephemeral storage request and limit in MiB")
    ]

    @model_validator(mode="after")
    def _limit_covers_request(self) -> Self:
        if self.cpu_limit_milli < self.cpu_milli:
            raise ValueError(
                f"cpuLimitMilli {self.cpu_limit_milli} is below cpuMilli {self.cpu_milli}: raise the limit"
            )
        return self


class RoleSettings(Section):
    """One role of the service: how many replicas of what size."""

    min_replicas: Annotated[Count, Field(description="replicas kept")]
    max_replicas: Annotated[Count, Field(description="replicas at most")]
    surge_percent: Annotated[Percent, Field(description="extra replicas while rolling out, percent")]
    cpu_percent: Annotated[
        Percent, Field(description="CPU use the autoscaler aims at, percent of the request")
    ]
    memory_percent: Annotated[
        Percent, Field(description="memory use the autoscaler aims at, percent of the request")
    ]
    resources: ResourceSettings

    @model_validator(mode="after")
    def _replicas_are_ordered(self) -> Self:
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"maxReplicas {self.max_replicas} is below minReplicas {self.min_replicas}: raise it"
            )
        return self


class WorkloadSettings(Section):
    """The service on the cluster."""

    namespace: Annotated[DnsLabel, Field(description="Kubernetes namespace")]
    image: ImageSettings
    log_level: Annotated[LogLevel, Field(description="log verbosity")]
    drain_seconds: Annotated[
        Seconds, Field(description="time the load balancer gets to notice an unready replica")
    ]
    request_seconds: Annotated[
        Seconds, Field(description="longest request, which a replica may still finish")
    ]
    affinity_seconds: Annotated[Seconds, Field(description="life of a sticky session")]
    algorithm: Annotated[Algorithm, Field(description="how requests spread over replicas")]
    api: RoleSettings
    worker: RoleSettings


class IdentitySettings(Section):
    """Generated secrets."""

    session_key_generation: Annotated[
        int, Field(ge=1, description="raise it to rotate the session signing key")
    ]


class Settings(Section):
    """One stack file."""

    google: Annotated[Google, Field(alias="gcp:")]
    environment: EnvironmentSettings
    network: NetworkSettings
    cluster: ClusterSettings
    database: DatabaseSettings
    cache: CacheSettings
    storage: StorageSettings
    edge: EdgeSettings
    workload: WorkloadSettings
    identity: IdentitySettings

    @classmethod
    def parse(cls, stack: str, values: Mapping[str, Any]) -> Settings:
        """Read the settings of `stack` from its configuration.

        `values` maps full keys (`kingdom:network`, `gcp:project`) to what the file has there: YAML values, or
        the JSON text Pulumi hands to a program. Raises `SettingsError` with every complaint.
        """
        try:
            return cls.model_validate_json(json.dumps(_tree(values)), strict=True)
        except ValidationError as error:
            found = sorted(complaints(error, cls), key=lambda complaint: complaint.key)
            raise SettingsError(stack, found) from None


def _tree(values: Mapping[str, Any]) -> dict[str, Any]:
    """One object from the flat keys; keys of other namespaces belong to others and are left out."""
    google: dict[str, Any] = {}
    tree: dict[str, Any] = {"gcp:": google}
    for key, value in values.items():
        namespace, _, name = key.partition(":")
        if namespace == "kingdom":
            tree[name] = _decoded(value)
        elif key in {"gcp:project", "gcp:region"}:
            google[name] = value
    return tree


def _decoded(value: Any) -> Any:
    """Pulumi hands objects to a program as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
