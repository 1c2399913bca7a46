"""Settings of the service, and of its monitoring, backups and delivery."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, create_model, model_validator

from infra.settings.base import Count, Days, Percent, Seconds, Section
from infra.settings.roles import ROLES
from infra.settings.types import Algorithm, Digest, DnsLabel, Email, LogLevel

NO_IMAGE = f"sha256:{'0' * 64}"  # placeholder before the first release; no registry has it


class ImageSettings(Section):
    """The released image of the service."""

    repository: Annotated[
        str, Field(pattern=r"^[a-z0-9][a-z0-9._/:-]+$", description="image repository without tag")
    ]
    digest: Annotated[
        Digest | Literal["deployed"],
        Field(
            description="sha256:… of the image; `deployed` keeps the one that runs. The deployment workflow"
            " sets the digest for its own run, so a committed file has `deployed`"
        ),
    ]

    @property
    def registry(self) -> str:
        """Registry and repository path, without the name of the image."""
        return self.repository.rpartition("/")[0]

    @property
    def reference(self) -> str:
        """Reference of the image by digest, so that the tested image runs.

        If the deployed image is retained, this reference is used by new deployments only.
        """
        return f"{self.repository}@{NO_IMAGE if self.retains_deployed else self.digest}"

    @property
    def retains_deployed(self) -> bool:
        """Whether an update leaves the deployed image unchanged; the state is then the digest's source."""
        return self.digest == "deployed"


class ResourceSettings(Section):
    """Requests and limits of one pod."""

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


class Signal(Section):
    """A gauge of the service and its target value for the autoscaler."""

    gauge: Annotated[str, Field(pattern=r"^kingdom_[a-z0-9_]+$", description="name of the gauge in /metrics")]
    target_milli: Annotated[int, Field(ge=1, le=10_000_000, description="average over pods, in thousandths")]


class RoleSettings(Section):
    """Replicas and resources of one role."""

    min_replicas: Annotated[Count, Field(description="minimum replicas")]
    max_replicas: Annotated[Count, Field(description="replicas at most")]
    surge_percent: Annotated[Percent, Field(description="extra replicas while rolling out, percent")]
    cpu_percent: Annotated[Percent, Field(description="CPU target of the autoscaler, percent of the request")]
    memory_percent: Annotated[
        Percent, Field(description="memory target of the autoscaler, percent of the request")
    ]
    signals: Annotated[
        dict[DnsLabel, Signal],
        Field(min_length=1, description="gauges of the service as additional metrics of the autoscaler"),
    ]
    resources: ResourceSettings

    @model_validator(mode="after")
    def _replicas_are_ordered(self) -> Self:
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"maxReplicas {self.max_replicas} is below minReplicas {self.min_replicas}: raise it"
            )
        return self


# Required for each role of the table.
_SECTIONS: dict[str, Any] = dict.fromkeys(ROLES, (RoleSettings, ...))
_Roles: type[Section] = create_model("_Roles", __base__=Section, **_SECTIONS)


class WorkloadSettings(_Roles):
    """The service on the cluster."""

    namespace: Annotated[DnsLabel, Field(description="Kubernetes namespace")]
    image: ImageSettings
    log_level: Annotated[LogLevel, Field(description="log verbosity")]
    drain_seconds: Annotated[
        Seconds, Field(description="seconds for which a terminating replica continues to serve")
    ]
    request_seconds: Annotated[Seconds, Field(description="maximum seconds of a request")]
    affinity_seconds: Annotated[
        int,
        Field(
            ge=1800,
            le=86_400,
            description="lifetime of a sticky session; Cloudflare takes 30 minutes or more",
        ),
    ]
    limits_factor: Annotated[
        float, Field(gt=0, le=1000, description="factor of the service's own rate limits")
    ]
    algorithm: Annotated[Algorithm, Field(description="how requests spread over replicas")]

    @property
    def roles(self) -> dict[str, RoleSettings]:
        """The settings of every role, in the order of the table."""
        return {name: getattr(self, name) for name in ROLES}


class IdentitySettings(Section):
    """Generated secrets."""

    session_key_generation: Annotated[
        int,
        Field(
            ge=1,
            description="increase by one to sign sessions with the next key, which every pod already has",
        ),
    ]


class MailSettings(Section):
    """The mail server of the service."""

    server: Annotated[
        str,
        Field(
            pattern=r"^(smtps?://([^\s/@:]+@)?[a-z0-9.-]+(:[0-9]+)?)?$",
            description="smtps://user@host:465, or smtp://user@host:587 with STARTTLS, without a password;"
            " empty on one machine, where pods write mail to their log",
        ),
    ]
    sender: Annotated[Email, Field(description="address that mail is sent from")]
    confirm_addresses: Annotated[
        bool, Field(description="whether a sign-up needs the code that is mailed to its address")
    ]
    password_version: Annotated[
        int,
        Field(
            ge=0,
            description="version of the secret kingdom-smtp-password that pods mount; an operator adds"
            " versions; 0 for a server without a password",
        ),
    ]

    @property
    def port(self) -> int | None:
        """The port of the server, by default the one of its scheme; `None` without a server."""
        if not self.server:
            return None
        parts = urlsplit(self.server)
        return parts.port or (465 if parts.scheme == "smtps" else 587)


class Threshold(Section):
    """Warning and critical value of a signal."""

    warning: Annotated[float, Field(gt=0, description="value that opens a ticket")]
    critical: Annotated[float, Field(gt=0, description="value that pages the on-call engineer")]

    @model_validator(mode="after")
    def _critical_is_worse(self) -> Self:
        if self.critical <= self.warning:
            raise ValueError(f"critical {self.critical:g} must be above warning {self.warning:g}")
        return self


class ThresholdSettings(Section):
    """ALR1 to ALR5. The service's own monitor and the alert policies read the same numbers."""

    cpu_percent: Annotated[Threshold, Field(description="ALR1: CPU, percent of the limit")]
    memory_percent: Annotated[Threshold, Field(description="ALR2: memory, percent of the limit")]
    response_seconds: Annotated[Threshold, Field(description="ALR3: 95th percentile of response time")]
    error_percent: Annotated[Threshold, Field(description="ALR4: share of requests that fail")]
    database_connections_percent: Annotated[Threshold, Field(description="ALR5: connections, percent")]


class ObjectiveSettings(Section):
    """TGT1 and TGT3 as service level objectives over 30 days."""

    availability_percent: Annotated[
        float, Field(gt=90, lt=100, description="percent of requests that must not fail")
    ]
    fast_percent: Annotated[float, Field(gt=50, lt=100, description="percent of requests that must be fast")]
    fast_seconds: Annotated[
        float, Field(gt=0, le=10, description="maximum seconds of a fast request; a bucket of the histogram")
    ]


class MonitorSettings(Section):
    """The `monitor` role: a CronJob that writes reports and exports early warnings."""

    every_hours: Annotated[
        Literal[1, 2, 3, 4, 6],
        Field(description="hours between reports: 1, 2, 3, 4 or 6, which divide a day"),
    ]
    report_hours: Annotated[int, Field(ge=1, le=720, description="period of a report, in hours")]
    keep_days: Annotated[Days, Field(description="days a report is retained")]
    resources: ResourceSettings


class ObservabilitySettings(Section):
    """Notification channels, and the retention of logs and metrics."""

    page: Annotated[Email, Field(description="address for pages")]
    ticket: Annotated[Email, Field(description="address that opens a ticket")]
    info: Annotated[Email, Field(description="address for notices")]
    thresholds: ThresholdSettings
    objectives: ObjectiveSettings
    log_days: Annotated[Days, Field(description="days logs are retained")]
    monitor: Annotated[
        MonitorSettings | None,
        Field(description="reports and early warnings; null on one machine, whose dashboard has both"),
    ]


class BackupSettings(Section):
    """Backup for GKE."""

    cron: Annotated[str, Field(pattern=r"^\S+( \S+){4}$", description='cron schedule, such as "0 */6 * * *"')]
    keep_days: Annotated[Days, Field(description="days a backup is retained")]
    lock_days: Annotated[int, Field(ge=0, le=90, description="days in which a backup cannot be deleted")]

    @model_validator(mode="after")
    def _lock_ends_before_the_backup(self) -> Self:
        if self.lock_days > self.keep_days:
            raise ValueError(f"lockDays {self.lock_days} is more than keepDays {self.keep_days}: lower it")
        return self


class DeliverySettings(Section):
    """Source of releases, and number of releases to retain."""

    github: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$", description="GitHub repository, owner/name")]
    ref: Annotated[
        str, Field(pattern=r"^refs/(heads|tags)/", description="ref that may deploy: refs/heads/…")
    ]
    keep_images: Annotated[Count, Field(description="releases retained in the registry")]
