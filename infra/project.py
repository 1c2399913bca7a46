"""The Google project: enabled APIs, disabled default service accounts, and audit logs."""

from __future__ import annotations

from collections.abc import Mapping
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
# The API that creates resources of an SDK module, if it does not have the module's name.
_API_OF_MODULE = {
    "kms": "cloudkms",
    "organizations": "cloudresourcemanager",
    "projects": "cloudresourcemanager",
    "recaptcha": "recaptchaenterprise",
    "serviceaccount": "iam",
}
_API_OF_TYPE = {
    "gcp:firebase/storageBucket": "firebasestorage",
    "gcp:projects/defaultServiceAccounts": "iam",
}


@dataclass(frozen=True, slots=True)
class ProjectArgs:
    """The environment."""

    environment: Environment


class Project(Component):
    """Enable the project's APIs, disable Google's default service accounts, and audit data access.

    `services` maps the name of each API to the resource that enables it.
    """

    def __init__(self, name: str, args: ProjectArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:project:Foundation", name, opts)
        project = args.environment.project
        services = {
            api: projects.Service(
                f"{name}-{api}",
                project=project,
                service=f"{api}.googleapis.com",
                disable_on_destroy=False,  # disabling an API deletes its resources
                opts=self.child(),
            )
            for api in APIS
        }
        # Google creates a default account with the editor role in every project. No workload uses it, and a
        # user with the right to act as the project's accounts could use it. Some APIs create theirs when they
        # are enabled.
        projects.DefaultServiceAccounts(
            name,
            project=project,
            action="DISABLE",
            restore_policy="REVERT_AND_IGNORE_FAILURE",
            opts=self.child(depends_on=list(services.values())),
        )
        projects.IAMAuditConfig(
            f"{name}-audit",
            project=project,
            service="allServices",
            # Without data access logs, reads of secrets and objects are not recorded.
            audit_log_configs=[{"log_type": kind} for kind in ("ADMIN_READ", "DATA_READ", "DATA_WRITE")],
            opts=self.child(),
        )
        self.services = services
        self.register_outputs({})


def api_of(type_: str) -> str | None:
    """Return the name of the API that creates resources of a type token; None for other clouds' types.

    ``gcp:compute/network:Network`` gives ``compute``.
    """
    package, _, rest = type_.partition(":")
    if package != "gcp":
        return None
    if (api := _API_OF_TYPE.get(type_.rpartition(":")[0])) is not None:
        return api
    module, _, member = rest.partition("/")
    if module == "firebase" and member.startswith("appCheck"):
        return "firebaseappcheck"
    return _API_OF_MODULE.get(module, module)


def wait_for_apis(services: Mapping[str, pulumi.Resource]) -> None:
    """Make every Google resource that is declared after this call depend on the API that creates it.

    A new project has most APIs disabled, and Pulumi creates independent resources at the same time.
    """

    def depend(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        api = api_of(args.type_) or ""
        if args.type_ == "gcp:projects/serviceIdentity:ServiceIdentity":
            api = str(args.props["service"]).removesuffix(".googleapis.com")
        service = services.get(api)
        if service is None or args.type_ == "gcp:projects/service:Service":
            return None
        options = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(depends_on=[service]))
        return pulumi.ResourceTransformationResult(args.props, options)

    pulumi.runtime.register_stack_transformation(depend)
