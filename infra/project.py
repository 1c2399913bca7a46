"""What everything in the project stands on: the APIs it uses, and a record of who read and changed what."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import projects

from infra.component import Component, Environment

APIS = (
    "artifactregistry",
    "binaryauthorization",
    "certificatemanager",
    "cloudkms",
    "cloudresourcemanager",
    "compute",
    "container",
    "containerfilesystem",  # image streaming
    "containerscanning",
    "containersecurity",
    "dns",
    "firebase",
    "firebaseappcheck",
    "firebaserules",
    "firebasestorage",
    "gkebackup",
    "iam",
    "iamcredentials",
    "logging",
    "monitoring",
    "playintegrity",
    "pubsub",
    "recaptchaenterprise",
    "redis",
    "secretmanager",
    "servicenetworking",
    "storage",
    "sts",
)


@dataclass(frozen=True, slots=True)
class FoundationArgs:
    """The environment."""

    environment: Environment


class Foundation(Component):
    """APIs switched on, Google's own accounts switched off, and data access audited.

    The first deployment needs them before Pulumi runs (the runbook switches them on by hand); declared here,
    they stay on.
    """

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:project:Foundation", name, opts)
        project = args.environment.project
        services = [
            projects.Service(
                f"{name}-{api}",
                project=project,
                service=f"{api}.googleapis.com",
                disable_on_destroy=False,  # switching an API off deletes what it made
                opts=self.child(),
            )
            for api in APIS
        ]
        # Google makes an account with the editor's role for every project. Nothing of ours runs as it, and
        # whoever may use accounts of the project could become it. Some APIs make theirs when switched on.
        projects.DefaultServiceAccounts(
            name,
            project=project,
            action="DISABLE",
            restore_policy="REVERT_AND_IGNORE_FAILURE",
            opts=self.child(depends_on=services),
        )
        projects.IAMAuditConfig(
            f"{name}-audit",
            project=project,
            service="allServices",
            # Without data access logs nobody can tell afterwards which secret or object was read.
            audit_log_configs=[{"log_type": kind} for kind in ("ADMIN_READ", "DATA_READ", "DATA_WRITE")],
            opts=self.child(),
        )
        self.register_outputs({})
