"""The image registry, and the GitHub identities that may deploy."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import artifactregistry

from infra.component import Component, Environment
from infra.delivery.github_deployer import Deployer, DeployerArgs
from infra.kms import Keys, Use
from infra.node_pools import NodeIdentity
from infra.settings.service import DeliverySettings, ImageSettings

UNKEPT_DAYS = 30  # days after which an image beyond the retained releases is deleted


@dataclass(frozen=True, slots=True)
class DeliveryArgs:
    """The environment, the keys, the node identity, the location of images, and the settings."""

    environment: Environment
    keys: Keys
    nodes: NodeIdentity
    image: ImageSettings
    settings: DeliverySettings


class Delivery(Component):
    """Registry and deployer. `ready` precedes pods; `deployer`, `reader` and `provider` are for workflows."""

    def __init__(self, name: str, args: DeliveryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:delivery:Delivery", name, opts)
        environment, settings = args.environment, args.settings
        repository = artifactregistry.Repository(
            name,
            repository_id=args.image.registry.rpartition("/")[2],
            location=environment.region,
            format="DOCKER",
            mode="STANDARD_REPOSITORY",
            description="Images of the service",
            kms_key_name=args.keys.ids[Use.IMAGES],
            docker_config={"immutable_tags": True},  # a tested tag cannot be moved to another image
            # Images are scanned for vulnerabilities when they are pushed, and again as new ones are
            # published.
            vulnerability_scanning_config={"enablement_config": "INHERITED"},
            # Old images with known vulnerabilities are deleted and cannot be started again.
            cleanup_policy_dry_run=False,
            # A keep policy takes precedence over a delete policy.
            cleanup_policies=[
                {
                    "id": "keep-releases",
                    "action": "KEEP",
                    "most_recent_versions": {"keep_count": settings.keep_images},
                },
                {
                    "id": "delete-others",
                    "action": "DELETE",
                    "condition": {"tag_state": "ANY", "older_than": f"{UNKEPT_DAYS * 86_400}s"},
                },
            ],
            labels=environment.label("delivery"),
            opts=self.child(protect=environment.protect, depends_on=args.keys.ready[Use.IMAGES]),
        )
        deployer = Deployer(
            f"{name}-deployer", DeployerArgs(environment, settings, args.nodes.account), self.child()
        )
        # Granted on this repository only.
        artifactregistry.RepositoryIamMember(
            f"{name}-push",
            location=repository.location,
            repository=repository.name,
            role="roles/artifactregistry.writer",
            member=deployer.member,
            opts=self.child(),
        )
        # Nodes pull released images from this repository only.
        self.ready: list[pulumi.Resource] = [
            artifactregistry.RepositoryIamMember(
                f"{name}-pull",
                location=repository.location,
                repository=repository.name,
                role="roles/artifactregistry.reader",
                member=args.nodes.member,
                opts=self.child(),
            )
        ]
        self.deployer = deployer.email
        self.reader = deployer.reader
        self.provider = deployer.provider
        self.register_outputs({"repository": repository.name})
