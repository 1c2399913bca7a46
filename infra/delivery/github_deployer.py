"""Who deploys from GitHub: one branch of one repository, for one environment, and without a key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pulumi
from pulumi_gcp import iam, projects, serviceaccount

from infra.component import Component, Environment
from infra.node_pools import NODE_ROLES
from infra.settings.service import DeliverySettings

ISSUER = "https://token.actions.githubusercontent.com"

# What an update of the platform does, service by service; no owner, no editor.
ROLES = (
    "roles/artifactregistry.admin",
    "roles/binaryauthorization.policyEditor",
    "roles/certificatemanager.editor",
    "roles/cloudkms.admin",
    "roles/compute.loadBalancerAdmin",
    "roles/compute.networkAdmin",
    "roles/compute.securityAdmin",
    "roles/container.admin",
    "roles/dns.admin",
    "roles/firebase.admin",
    "roles/gkebackup.admin",
    "roles/iam.serviceAccountAdmin",
    "roles/iam.workloadIdentityPoolViewer",  # the nightly search for drift reads its own way in, no more
    "roles/logging.configWriter",
    "roles/monitoring.editor",
    "roles/pubsub.editor",
    "roles/recaptchaenterprise.admin",
    "roles/redis.admin",
    "roles/secretmanager.admin",
    "roles/serviceusage.serviceUsageAdmin",
    "roles/servicenetworking.networksAdmin",
    "roles/storage.admin",
)
GRANTS = "roles/resourcemanager.projectIamAdmin"


@dataclass(frozen=True, slots=True)
class DeployerArgs:
    """The environment, which repository and ref may deploy to it, and the account that nodes run as."""

    environment: Environment
    settings: DeliverySettings
    nodes_account: pulumi.Input[str]


class Deployer(Component):
    """Workload identity federation for GitHub, and the account that a workflow becomes.

    `email` and `provider` are what the workflow names, `member` is the account in a policy.
    """

    def __init__(self, name: str, args: DeployerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:delivery:Deployer", name, opts)
        environment, settings = args.environment, args.settings
        pool = iam.WorkloadIdentityPool(
            name,
            workload_identity_pool_id="github",
            display_name="GitHub",
            description=f"Workflows that deploy {environment.name}",
            opts=self.child(),
        )
        provider = iam.WorkloadIdentityPoolProvider(
            name,
            workload_identity_pool_id=pool.workload_identity_pool_id,
            workload_identity_pool_provider_id="github",
            display_name="GitHub Actions",
            attribute_mapping={
                "google.subject": "assertion.sub",
                "attribute.repository": "assertion.repository",
                "attribute.ref": "assertion.ref",
                "attribute.environment": "assertion.environment",
            },
            attribute_condition=condition(environment.name, settings),
            oidc={"issuer_uri": ISSUER},
            opts=self.child(),
        )
        account = serviceaccount.Account(
            name,
            account_id="kingdom-deployer",
            display_name=f"Deploys {environment.name} from {settings.github}",
            opts=self.child(),
        )
        # The provider has already refused every other ref and environment.
        serviceaccount.IAMMember(
            f"{name}-github",
            service_account_id=account.name,
            role="roles/iam.workloadIdentityUser",
            member=pulumi.Output.format(
                "principalSet://iam.googleapis.com/{0}/attribute.repository/{1}", pool.name, settings.github
            ),
            opts=self.child(),
        )
        for role in ROLES:
            projects.IAMMember(
                f"{name}-{role.removeprefix('roles/').replace('.', '-')}",
                project=environment.project,
                role=role,
                member=account.member,
                opts=self.child(),
            )
        # Whoever makes a node pool must be allowed to run nodes as their account, and as no other.
        serviceaccount.IAMMember(
            f"{name}-nodes",
            service_account_id=args.nodes_account,
            role="roles/iam.serviceAccountUser",
            member=account.member,
            opts=self.child(),
        )
        # It may grant what the program grants to nodes and nothing else: not to itself, not to others. A
        # workflow that was taken over cannot make itself owner; a wider deployer is a human's decision.
        projects.IAMMember(
            f"{name}-grants",
            project=environment.project,
            role=GRANTS,
            member=account.member,
            condition={
                "title": "only-what-nodes-need",
                "description": "Grants of the roles that nodes have",
                "expression": grantable(NODE_ROLES.values()),
            },
            opts=self.child(),
        )
        self.email = account.email
        self.member = account.member
        self.provider = provider.name
        self.register_outputs({"email": self.email})


def condition(environment: str, settings: DeliverySettings) -> str:
    """Whose tokens are taken: GitHub's issuer signs those of every repository in the world.

    The GitHub environment is part of it, so that its reviewers must have agreed. The subject says both once
    more, in the form that GitHub gives it where nobody has changed that: the one claim that is always there.
    """
    return " && ".join(
        (
            f"assertion.sub == 'repo:{settings.github}:environment:{environment}'",
            f"assertion.repository == '{settings.github}'",
            f"assertion.ref == '{settings.ref}'",
            f"assertion.environment == '{environment}'",
        )
    )


def grantable(roles: Iterable[str]) -> str:
    """Condition on a grant: it changes members of these roles only.

    https://cloud.google.com/iam/docs/setting-limits-on-granting-roles
    """
    listed = ", ".join(f"'{role}'" for role in sorted(roles))
    return f"api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([{listed}])"
