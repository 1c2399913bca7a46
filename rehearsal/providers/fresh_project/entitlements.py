"""Values that the provider accepts and the API refuses or changes: names, plans, removed features."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from rehearsal.providers.constraints.reserved_names import reserved_names
from rehearsal.providers.fresh_project import cloudflare_plans
from rehearsal.providers.fresh_project.backups import BACKUP_SCHEDULE, COMPLIANCE_POLICY, policies_of
from rehearsal.providers.fresh_project.model import CreationPlan, FreshProject, Obstacle
from rehearsal.pulumi.properties import UNKNOWN
from rehearsal.pulumi.urn import name_of

_CLUSTER: Final = "gcp:container/cluster:Cluster"
_NODE_POOL: Final = "gcp:container/nodePool:NodePool"
# Properties that contain a version of GKE, by type; clusters first.
_VERSIONS: Final = {_CLUSTER: ("minMasterVersion", "nodeVersion"), _NODE_POOL: ("version",)}
_PATCH: Final = re.compile(r"\d+\.\d+\.\d+(-gke\.\d+)?")
_FLEET: Final = "gcp:gkehub/fleet:Fleet"
_NETWORK: Final = "gcp:compute/network:Network"
# First GKE versions with a feature or kind, from the release notes.
_FIRST_VERSIONS: Final = {"STRONG_COOKIE_AFFINITY": "1.36.3-gke.1767000", "AutoscalingMetric": "1.35.0-gke.0"}
_RECORDS: Final = ("cloudflare:index/dnsRecord:DnsRecord", "cloudflare:index/record:Record")
_TEXT_RECORDS: Final = ("SPF", "TXT")
_REMOVED_SCANS: Final = ("VULNERABILITY_BASIC", "VULNERABILITY_ENTERPRISE")


def names(project: FreshProject, plan: CreationPlan) -> Iterator[Obstacle]:
    """Yield names that are taken: by the network of a new project, or by an earlier deployment."""
    for urn, inputs in plan.of_type(_NETWORK):
        if inputs.get("name") in project.networks:
            yield Obstacle(
                urn, f"a network called {inputs['name']} exists in a new project", "Give it another name"
            )
    for type_, reserved in reserved_names().items():
        for urn, inputs in plan.of_type(type_):
            name = reserved.of(inputs)
            if name is not None and (type_, name) in project.taken:
                yield Obstacle(
                    urn,
                    f"the name {name} stays taken {reserved.duration} after the resource was deleted"
                    f" ({reserved.source})",
                    f"{reserved.restore[0].upper()}{reserved.restore[1:]}, or use a new project",
                )


def cluster(plan: CreationPlan) -> Iterator[Obstacle]:
    """Yield versions, scans and arguments of a cluster that GKE refuses."""
    yield from _exact_versions(plan)
    yield from _removed_scans(plan)
    for urn, inputs in plan.of_type(_CLUSTER):
        by_address = _at(inputs, "controlPlaneEndpointsConfig", "ipEndpointsConfig", "enabled")
        if by_address is False and inputs.get("masterAuthorizedNetworksConfig") is not None:
            yield Obstacle(
                urn,
                "authorized networks are never sent while the IP endpoints are disabled, so every update"
                " changes them again (terraform-google-kubernetes-engine#2460)",
                "Leave masterAuthorizedNetworksConfig out",
            )
        provisions = True in (inputs.get("enableAutopilot"), _at(inputs, "clusterAutoscaling", "enabled"))
        defaults = _at(inputs, "clusterAutoscaling", "autoProvisioningDefaults")
        for name, value in (
            ("nodePoolAutoConfig", inputs.get("nodePoolAutoConfig")),
            ("clusterAutoscaling.autoProvisioningDefaults", defaults),
        ):
            if value is not None and not provisions:
                yield Obstacle(
                    urn,
                    f"{name} covers auto-provisioned pools only, and auto-provisioning is disabled",
                    "Use nodePoolDefaults for pools that are declared or created by hand",
                )


def _removed_scans(plan: CreationPlan) -> Iterator[Obstacle]:
    """Yield clusters, and fleets with defaults for clusters, that have a scan which GKE no longer offers."""
    for urn, inputs in plan.of_type(_CLUSTER, _FLEET):
        found = inputs.get("defaultClusterConfig") if plan.resources[urn].type == _FLEET else inputs
        if _at(found, "securityPostureConfig", "vulnerabilityMode") in _REMOVED_SCANS:
            yield Obstacle(
                urn,
                "GKE no longer offers its vulnerability scan (removed on 2025-07-31)",
                "Leave vulnerabilityMode out, and scan images in Artifact Registry",
            )


def _exact_versions(plan: CreationPlan) -> Iterator[Obstacle]:
    """Yield versions that name a patch, of clusters with a release channel and of their node pools.

    An Autopilot cluster has always a channel.
    """
    followed = False
    for type_, names in _VERSIONS.items():
        for urn, inputs in plan.of_type(type_):
            channel = inputs.get("releaseChannel") if type_ == _CLUSTER else None
            follows = channel is not None and _at(channel, "channel") != "UNSPECIFIED"
            follows = follows or inputs.get("enableAutopilot") is True
            followed = followed or follows
            if not (follows or (type_ == _NODE_POOL and followed)):
                continue
            for name in names:
                version = inputs.get(name)
                if isinstance(version, str) and _PATCH.fullmatch(version):
                    yield Obstacle(
                        urn,
                        f"{name}: the version {version} leaves the release channel after some weeks, and then"
                        " it cannot be created any more (terraform-google-kubernetes-engine#2177)",
                        "Name a minor version, which GKE resolves to a patch of the channel",
                    )


def features(plan: CreationPlan) -> Iterator[Obstacle]:
    """Yield manifests that use a feature newer than the lowest version that `minMasterVersion` allows."""
    for urn, inputs in plan.of_type(_CLUSTER):
        version = inputs.get("minMasterVersion")
        if not isinstance(version, str) or not re.match(r"\d", version):
            continue  # "latest", or an unknown value
        for name, first in _FIRST_VERSIONS.items():
            used = next((one for one, below in plan.inputs.items() if _names(below, name)), None)
            if used is not None and _lowest(version) < _lowest(first):
                yield Obstacle(
                    urn,
                    f"{name_of(used)} uses {name}, which not every version from {version} on has",
                    f"Name a version of which every patch is {first} or later",
                )


def _names(value: Any, name: str) -> bool:
    """Whether a value equals `name` anywhere within the inputs of a Kubernetes object."""
    match value:
        case dict():
            return any(_names(item, name) for item in value.values())
        case list():
            return any(_names(item, name) for item in value)
        case _:
            return isinstance(value, str) and value == name


def _lowest(version: str) -> tuple[int, ...]:
    """Return the lowest version that matches `version`, as four numbers: "1.37" gives (1, 37, 0, 0)."""
    numbers = [int(one) for one in re.findall(r"\d+", version)]
    return tuple((*numbers, 0, 0, 0, 0)[:4])


def edge(project: FreshProject, plan: CreationPlan) -> Iterator[Obstacle]:
    """Yield settings that the Cloudflare plan does not include, and values that Cloudflare normalizes."""
    for urn, inputs in plan.of_type(*cloudflare_plans.entitlements()):
        for reason, remedy in cloudflare_plans.refused(project.plan, plan.resources[urn].type, inputs):
            yield Obstacle(urn, reason, remedy)
    for urn, inputs in plan.of_type(*_RECORDS):
        if inputs.get("proxied") is True and inputs.get("ttl") not in (1, None, UNKNOWN):
            yield Obstacle(
                urn,
                "Cloudflare sets the TTL of a proxied record to 1, so every update changes it again",
                "Set ttl to 1",
            )
        for key in ("name", "content", "data.target"):
            value = _at(inputs, *key.split("."))
            if key == "content" and inputs.get("type") in _TEXT_RECORDS:
                continue
            if isinstance(value, str) and value is not UNKNOWN and len(value) > 1 and value.endswith("."):
                yield Obstacle(
                    urn,
                    f"Cloudflare stores {key} without its trailing dot, so every update changes it again"
                    " (terraform-provider-cloudflare#7286)",
                    "Remove the dot",
                )
    for urn, inputs in plan.of_type("cloudflare:index/zoneDnssec:ZoneDnssec"):
        if inputs.get("status") == "active" and "status" not in plan.resources[urn].ignore_changes:
            yield Obstacle(
                urn,
                "DNSSEC is pending until the registrar has the DS record, so every update changes it again",
                "Ignore changes of status",
            )


def teardown(plan: CreationPlan) -> Iterator[Obstacle]:
    """Yield resources that a destroy cannot delete.

    Google releases the peering of managed services only some time after its last instance was deleted. Atlas
    deletes neither a compliance policy nor the backup schedules of its project.
    """
    for urn, inputs in plan.of_type("gcp:servicenetworking/connection:Connection"):
        if inputs.get("deletionPolicy") != "ABANDON":
            yield Obstacle(
                urn,
                "a destroy fails while Google still holds the peering (terraform-provider-google#16275)",
                'Set deletionPolicy to "ABANDON": the peering ends with the network',
            )

    for urn, _ in plan.of_type(COMPLIANCE_POLICY):
        if not plan.resources[urn].retain_on_delete:
            yield Obstacle(
                urn,
                "a destroy fails: only MongoDB's support can disable a backup compliance policy",
                "Set the option retain_on_delete",
            )
    for urn, inputs in plan.of_type(BACKUP_SCHEDULE):
        if policies_of(plan, inputs) and inputs.get("skipDestroy") is not True:
            yield Obstacle(
                urn,
                "a destroy fails: Atlas deletes no backup schedule of a project with a compliance policy"
                " (terraform-provider-mongodbatlas#3409)",
                "Set skipDestroy: the schedule ends with its cluster",
            )


def _at(inputs: Any, *path: str) -> Any:
    for part in path:
        if not isinstance(inputs, dict):
            return None
        inputs = inputs.get(part)
    return inputs
