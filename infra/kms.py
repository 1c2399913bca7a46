"""Customer-managed encryption keys, so that access to data can be revoked in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import pulumi
from pulumi_gcp import kms, projects, storage

from infra.component import Component, Environment
from infra.project import Project

ROTATION = f"{90 * 86_400}s"  # at most 90 days for each key version (CIS GCP 1.10)
# Delay of destruction, in which a key version that is still needed can be restored.
DESTRUCTION = f"{30 * 86_400}s"
# Cloud KMS has other names for the multi-regions of Cloud Storage.
MULTI_REGIONS = {"EU": "europe", "US": "us", "ASIA": "asia"}


class Use(StrEnum):
    """The use of a key. Every use has its own key, which limits the effect of a compromised key."""

    CLUSTER = "cluster"
    DISKS = "disks"
    MEDIA = "media"
    REPORTS = "reports"
    CACHE = "cache"
    SECRETS = "secrets"
    IMAGES = "images"
    BACKUPS = "backups"
    NOTICES = "notices"
    DATABASE = "database"


# The service agent that encrypts and decrypts for each use, and the API whose identity it is. The agent of
# Compute Engine exists once its API is enabled, the one of Cloud Storage once it has been read (see `_agent`;
# terraform-provider-google#9730). The database's agent belongs to Atlas; `Database` grants it access.
AGENTS: Mapping[Use, tuple[str, str | None]] = {
    Use.CLUSTER: ("container-engine-robot", "container"),
    Use.DISKS: ("compute-system", None),
    Use.MEDIA: ("gs-project-accounts", None),
    Use.REPORTS: ("gs-project-accounts", None),
    Use.CACHE: ("cloud-redis", "redis"),
    Use.SECRETS: ("gcp-sa-secretmanager", "secretmanager"),
    Use.IMAGES: ("gcp-sa-artifactregistry", "artifactregistry"),
    Use.BACKUPS: ("gcp-sa-gkebackup", "gkebackup"),
    Use.NOTICES: ("gcp-sa-pubsub", "pubsub"),
}


@dataclass(frozen=True, slots=True)
class KeysArgs:
    """The environment, the location of the media bucket and of its key, the enabled APIs, and whether reports
    need a key.
    """

    environment: Environment
    media_location: str
    foundation: Project
    reports: bool


class Keys(Component):
    """Key rings and keys.

    `ids` are the full names of the keys by use; `ready` are the resources that precede the use of a key.
    """

    def __init__(self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:kms:Keys", name, opts)
        environment = args.environment
        self._services = args.foundation.services
        media = MULTI_REGIONS.get(args.media_location, args.media_location.lower())
        # A key ring cannot be deleted and its name cannot be used again, so none is created unless it is
        # needed.
        rings = {
            location: kms.KeyRing(
                f"{name}-{location}",
                name="kingdom",
                location=location,
                opts=self.child(protect=environment.protect),
            )
            for location in dict.fromkeys((environment.region, media))
        }
        self.keys: dict[Use, kms.CryptoKey] = {}
        self.ready: dict[Use, list[pulumi.Resource]] = {}
        for use in [use for use in Use if args.reports or use is not Use.REPORTS]:
            key = kms.CryptoKey(
                f"{name}-{use}",
                name=use.value,
                key_ring=rings[media if use is Use.MEDIA else environment.region].id,
                purpose="ENCRYPT_DECRYPT",
                rotation_period=ROTATION,
                destroy_scheduled_duration=DESTRUCTION,
                # The key cannot leave the hardware security module.
                version_template={"algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "protection_level": "HSM"},
                labels=environment.label("keys"),
                # Data that is encrypted with a lost key is lost.
                opts=self.child(protect=environment.protect),
            )
            self.keys[use] = key
            self.ready[use] = self._grant(use, key, environment) if use in AGENTS else [key]
        self.ids = {use: key.id for use, key in self.keys.items()}
        self.register_outputs({})

    def _grant(self, use: Use, key: kms.CryptoKey, environment: Environment) -> list[pulumi.Resource]:
        member, created = self._agent(use, environment)
        grant = kms.CryptoKeyIAMMember(
            f"{self.name}-{use}",
            crypto_key_id=key.id,
            role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
            member=member,
            opts=self.child(depends_on=created),
        )
        return [grant]

    def _agent(self, use: Use, environment: Environment) -> tuple[pulumi.Input[str], list[pulumi.Resource]]:
        """Return the member name of the service agent for a use, and the resources that create the agent.

        In a preview, the result of a call that cannot be made has no dependencies, and the Pulumi CLI rejects
        an update with more dependencies than its plan; so the API is a dependency of its own.
        """
        agent, api = AGENTS[use]
        if use in (Use.MEDIA, Use.REPORTS):
            enabled = self._services["storage"]
            found = storage.get_project_service_account_output(
                project=environment.project,
                opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[enabled]),
            )
            known = pulumi.Output.all(found.member, enabled.id)
            return known.apply(lambda values: values[0]), []
        member = f"serviceAccount:service-{environment.project_number}@{agent}.iam.gserviceaccount.com"
        if api is None:
            return member, [self._services["compute"]]
        identity = projects.ServiceIdentity(
            f"{self.name}-{use}-agent",
            project=environment.project,
            service=f"{api}.googleapis.com",
            opts=self.child(),
        )
        return member, [identity]
