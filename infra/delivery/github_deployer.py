"""Keyless identities of GitHub workflows: one branch of one repository for each environment."""

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

# The roles that an update of the platform needs, by service; neither owner nor editor.
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
    "roles/iam.workloadIdentityPoolViewer",  # read-only: drift checks read the pool too
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

# The roles of a plan and of the drift check: configuration of every service, no data.
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
    "roles/iam.securityReviewer",  # grants and roles are resources of the stack
    "roles/iam.workloadIdentityPoolViewer",
    "roles/logging.viewer",
    "roles/monitoring.viewer",
    "roles/pubsub.viewer",
    "roles/recaptchaenterprise.viewer",
    "roles/redis.viewer",
    "roles/secretmanager.viewer",  # metadata of secrets, not their values
    "roles/serviceusage.serviceUsageConsumer",
    "roles/storage.bucketViewer",
)


@dataclass(frozen=True, slots=True)
class DeployerArgs:
    """The environment, the repository and ref that may deploy to it, and the account of the nodes."""

    environment: Environment
    settings: DeliverySettings
    nodes_account: pulumi.Input[str]


class Deployer(Component):
    """Workload identity federation for GitHub, with two accounts that workflows impersonate.

    A job in the GitHub environment NAME impersonates the deployer, one in NAME-read the reader; neither can
    impersonate the other. `email`, `reader` and `provider` are for the workflows; `member` is the deployer in
    an IAM policy.
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
        self._grant(account, args)
        self.email = account.email
        self.member = account.member
        self.reader = self._reader(f"{name}-reader", args, pool).email
        self.provider = provider.name
        self.register_outputs({"email": self.email, "reader": self.reader})

    def _grant(self, account: serviceaccount.Account, args: DeployerArgs) -> None:
        """Grant the deployer the roles of an update, and the right to grant those of the program."""
        environment = args.environment
        for role in ROLES:
            projects.IAMMember(
                f"{self.name}-{role.removeprefix('roles/').replace('.', '-')}",
                project=environment.project,
                role=role,
                member=account.member,
                opts=self.child(),
            )
        # To create a node pool, the deployer must be able to act as the nodes' account, and as no other.
        serviceaccount.IAMMember(
            f"{self.name}-nodes",
            service_account_id=args.nodes_account,
            role="roles/iam.serviceAccountUser",
            member=account.member,
            opts=self.child(),
        )
        # The deployer may grant only the roles that the program grants to nodes and to the monitor, so a
        # compromised workflow cannot make itself owner.
        projects.IAMMember(
            f"{self.name}-grants",
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

    def _reader(
        self, name: str, args: DeployerArgs, pool: iam.WorkloadIdentityPool
    ) -> serviceaccount.Account:
        environment = args.environment
        account = serviceaccount.Account(
            name,
            account_id="kingdom-reader",
            display_name=f"Read-only: plans and drift of {environment.name} from {args.settings.github}",
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
        """Let jobs of one GitHub environment impersonate `account`.

        The provider has already rejected tokens of other repositories, refs and environments.
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
    """Return the condition for accepted tokens, since GitHub's issuer signs those of every repository.

    The GitHub environment is part of it, so that its reviewers must have approved; the one for reading has no
    reviewers. The subject contains repository and environment in GitHub's default format; it is the only
    claim that every token has.
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
    """Return the name of the GitHub environment whose jobs have read access only."""
    return f"{environment}-read"


def grantable(roles: Iterable[str]) -> str:
    """Return the condition of a grant that limits it to changing members of these roles.

    https://cloud.google.com/iam/docs/setting-limits-on-granting-roles
    """
    listed = ", ".join(f"'{role}'" for role in sorted(roles))
    return f"api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([{listed}])"
