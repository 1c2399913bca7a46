"""The identities that GitHub workflows use: one branch of one repository for each environment, no key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pulumi
from pulumi_gcp import iam, projects, serviceaccount

from infra.component import Component, Environment
from infra.node_pools import NODE_ROLES
from infra.reports import VIEWER
from infra.settings.service import DeliverySettings

ISSUER = "https://token.actions.githubusercontent.com"

# The roles that an update of the platform needs, by service; no owner, no editor.
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

# The roles of a plan and of the drift check: they read the configuration of every service, not its data.
READER_ROLES = (
    "roles/artifactregistry.reader",
    "roles/binaryauthorization.policyViewer",
    "roles/certificatemanager.viewer",
    "roles/cloudkms.viewer",
    "roles/compute.viewer",
    "roles/container.viewer",  # Kubernetes objects, without Secrets
    "roles/dns.reader",
    "roles/firebase.viewer",
    "roles/gkebackup.viewer",
    "roles/iam.securityReviewer",  # grants and roles, which are resources here
    "roles/iam.workloadIdentityPoolViewer",
    "roles/logging.viewer",
    "roles/monitoring.viewer",
    "roles/pubsub.viewer",
    "roles/recaptchaenterprise.viewer",
    "roles/redis.viewer",
    "roles/secretmanager.viewer",  # that a secret exists, not its value
    "roles/serviceusage.serviceUsageConsumer",
    "roles/storage.bucketViewer",
)


@dataclass(frozen=True, slots=True)
class DeployerArgs:
    """The environment, which repository and ref may deploy to it, and the account that nodes run as."""

    environment: Environment
    settings: DeliverySettings
    nodes_account: pulumi.Input[str]


class Deployer(Component):
    """Workload identity federation for GitHub, and the two accounts that workflows become.

    A job in the GitHub environment NAME becomes the deployer, one in NAME-read the reader, neither the other.
    `email`, `reader` and `provider` are what the workflows name; `member` is the deployer in a policy.
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
        self._admit(f"{name}-github", account, pool, environment.name)
        for role in ROLES:
            projects.IAMMember(
                f"{name}-{role.removeprefix('roles/').replace('.', '-')}",
                project=environment.project,
                role=role,
                member=account.member,
                opts=self.child(),
            )
        # Creating a node pool requires the right to run nodes as their account, and as no other.
        serviceaccount.IAMMember(
            f"{name}-nodes",
            service_account_id=args.nodes_account,
            role="roles/iam.serviceAccountUser",
            member=account.member,
            opts=self.child(),
        )
        # It may grant what the program grants to nodes and to the monitor and nothing else. A workflow that
        # was taken over cannot make itself owner; a wider deployer is a human's decision.
        projects.IAMMember(
            f"{name}-grants",
            project=environment.project,
            role=GRANTS,
            member=account.member,
            condition={
                "title": "only-what-the-program-grants",
                "description": "Grants of the roles of nodes and of the monitor",
                "expression": grantable([*NODE_ROLES.values(), VIEWER]),
            },
            opts=self.child(),
        )
        self.email = account.email
        self.member = account.member
        self.reader = self._reader(f"{name}-reader", args, pool).email
        self.provider = provider.name
        self.register_outputs({"email": self.email, "reader": self.reader})

    def _reader(
        self, name: str, args: DeployerArgs, pool: iam.WorkloadIdentityPool
    ) -> serviceaccount.Account:
        environment = args.environment
        account = serviceaccount.Account(
            name,
            account_id="kingdom-reader",
            display_name=f"Plans {environment.name} and finds its drift from {args.settings.github}",
            opts=self.child(),
        )
        self._admit(f"{name}-github", account, pool, reading(environment.name))
        for role in READER_ROLES:
            projects.IAMMember(
                f"{name}-{role.removeprefix('roles/').replace('.', '-')}",
                project=environment.project,
                role=role,
                member=account.member,
                opts=self.child(),
            )
        return account

    def _admit(
        self, name: str, account: serviceaccount.Account, pool: iam.WorkloadIdentityPool, environment: str
    ) -> None:
        """Let jobs of one GitHub environment become `account`.

        The provider has already refused every other repository, ref and environment.
        """
        serviceaccount.IAMMember(
            name,
            service_account_id=account.name,
            role="roles/iam.workloadIdentityUser",
            member=pulumi.Output.format(
                "principalSet://iam.googleapis.com/{0}/attribute.environment/{1}", pool.name, environment
            ),
            opts=self.child(),
        )


def condition(environment: str, settings: DeliverySettings) -> str:
    """The condition for accepted tokens: GitHub's issuer signs those of every repository.

    The GitHub environment is part of it, so that its reviewers must have approved; the one for reading
    has none. The subject repeats repository and environment, in the form that GitHub gives it by default: the
    one claim that every token has.
    """
    environments = (environment, reading(environment))
    subjects = ", ".join(f"'repo:{settings.github}:environment:{name}'" for name in environments)
    names = ", ".join(f"'{name}'" for name in environments)
    return " && ".join(
        (
            f"assertion.sub in [{subjects}]",
            f"assertion.repository == '{settings.github}'",
            f"assertion.ref == '{settings.ref}'",
            f"assertion.environment in [{names}]",
        )
    )


def reading(environment: str) -> str:
    """The GitHub environment whose jobs only read."""
    return f"{environment}-read"


def grantable(roles: Iterable[str]) -> str:
    """Condition on a grant: it changes members of these roles only.

    https://cloud.google.com/iam/docs/setting-limits-on-granting-roles
    """
    listed = ", ".join(f"'{role}'" for role in sorted(roles))
    return f"api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([{listed}])"
