"""Errors that a provider's code returns while it plans: rules over several attributes (`CustomizeDiff`).

Source: terraform-provider-google-beta, August 2026; each check names the function that it follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.constraints.api.base import given, missing
from rehearsal.providers.constraints.api.compute import ports_of_check
from rehearsal.providers.constraints.plans import atlas_plan_checks, cloudflare_plan_checks
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path, unwrap

Found = Iterator[tuple[Path, str]]
_SCRATCH_SIZES: Final = (375, 3000, 3500, 7000, 14000)  # GB
# `backendServiceOnlyManagedFieldNames`
_MANAGED_ONLY: Final = (
    "capacityScaler", "maxConnections", "maxConnectionsPerEndpoint", "maxConnectionsPerInstance", "maxRate",
    "maxRatePerEndpoint", "maxRatePerInstance", "maxUtilization",
)  # fmt: skip


def refused_plans(
    token: str, inputs: Mapping[str, Any], olds: Mapping[str, Any], provider: str
) -> Iterator[Problem]:
    """Yield the errors that the provider returns for a plan with `inputs`; unknown values are valid.

    `olds` are the former inputs; they are empty for a new resource.
    """
    new, old = unwrap(dict(inputs)), unwrap(dict(olds))
    for check in (
        *_CHECKS.get(token, ()),
        *atlas_plan_checks.CHECKS.get(token, ()),
        *cloudflare_plan_checks.CHECKS.get(token, ()),
        *(() if old else (*_CHECKS_OF_NEW.get(token, ()), *atlas_plan_checks.CHECKS_OF_NEW.get(token, ()))),
    ):
        for path, reason in check(new):
            yield problem(path, f"{reason} ({provider} refuses this plan)")
    for change_check in _CHECKS_OF_CHANGED.get(token, ()) if old else ():
        for path, reason in change_check(old, new):
            yield problem(path, f"{reason} ({provider} refuses this plan)")


def _ssl_policy(inputs: Mapping[str, Any]) -> Found:
    """Require features of a custom profile, and refuse them of others (`sslPolicyCustomizeDiff`)."""
    profile, features = inputs.get("profile", "COMPATIBLE"), inputs.get("customFeatures")
    if UNKNOWN in (profile, features):
        return
    if profile == "CUSTOM" and not features:
        yield ("customFeatures",), 'required where profile is "CUSTOM"'
    elif profile != "CUSTOM" and features:
        yield ("customFeatures",), f'may be set only where profile is "CUSTOM"; it is "{profile}"'


def _firewall(inputs: Mapping[str, Any]) -> Found:
    """Require a source of ingress, refuse unused logs (`…FirewallSourceFields…`, `…EnableLogging…`)."""
    names = ("sourceRanges", "sourceServiceAccounts", "sourceTags")
    if inputs.get("direction") not in ("EGRESS", UNKNOWN) and all(
        inputs.get(name) is None
        for name in names  # an empty list is a value
    ):
        yield ("sourceRanges",), f"one of {', '.join(names)} must be set for a rule of ingress"
    if inputs.get("enableLogging") is False and given(inputs.get("logConfig")):
        yield ("logConfig",), "must not be set where enableLogging is false"


def _security_policy(inputs: Mapping[str, Any]) -> Found:
    """Refuse rules with equal priorities (`rulesCustomizeDiff`)."""
    rules = inputs.get("rules")
    if not isinstance(rules, list):
        return
    priorities = [rule.get("priority") for rule in rules if isinstance(rule, Mapping)]
    for priority, number in Counter(map(str, priorities)).items():
        if number > 1 and priority not in ("None", str(UNKNOWN)):
            yield ("rules",), f"{number} rules have the priority {priority}; each needs its own"


def _health_check(inputs: Mapping[str, Any]) -> Found:
    """`healthCheckCustomizeDiff`, which validates `httpHealthCheck` only; the API validates the others."""
    yield from ports_of_check(inputs, "httpHealthCheck")


def _notification_channel(inputs: Mapping[str, Any]) -> Found:
    """Refuse a label that is set as a sensitive label too (`sensitiveLabelCustomizeDiff`)."""
    labels, secrets = inputs.get("labels"), inputs.get("sensitiveLabels")
    if isinstance(labels, Mapping) and isinstance(secrets, Mapping):
        for name, label in (
            ("authToken", "auth_token"),
            ("password", "password"),
            ("serviceKey", "service_key"),
        ):
            if given(labels.get(label)) and given(secrets.get(name)):
                yield ("sensitiveLabels", name), f'set as the label "{label}" too; set only one of them'


def _instance_template(inputs: Mapping[str, Any]) -> Found:
    """Check boot and scratch disks (`resourceComputeInstanceTemplateBootDisk…`, `…ScratchDisk…`)."""
    disks = inputs.get("disks")
    for number, disk in enumerate(disks if isinstance(disks, list) else ()):
        if not isinstance(disk, Mapping):
            continue
        if number and disk.get("boot") is True:
            yield ("disks", number, "boot"), "only the first disk can be the boot disk"
        kind, storage, size = disk.get("type"), disk.get("diskType"), disk.get("diskSizeGb")
        if UNKNOWN in (kind, storage, size, disk.get("interface")):
            continue
        if (kind == "SCRATCH") != (storage == "local-ssd"):
            yield ("disks", number, "diskType"), 'is "local-ssd" exactly where type is "SCRATCH"'
        elif kind == "SCRATCH" and size not in _SCRATCH_SIZES:
            yield ("disks", number, "diskSizeGb"), f"of a scratch disk is one of {_SCRATCH_SIZES}"
        elif kind == "SCRATCH" and size != _SCRATCH_SIZES[0] and disk.get("interface") != "NVME":
            yield ("disks", number, "interface"), f"is NVME for a scratch disk of {size} GB"


def _router(inputs: Mapping[str, Any]) -> Found:
    """Refuse advertised routes in the default mode (`resourceComputeRouterCustomDiff`)."""
    bgp = inputs.get("bgp")
    if isinstance(bgp, Mapping) and bgp.get("advertiseMode", "DEFAULT") == "DEFAULT":
        for name in ("advertisedGroups", "advertisedIpRanges"):
            if bgp.get(name) not in (None, UNKNOWN, []):
                yield ("bgp", name), "may be set only where advertiseMode is CUSTOM"


def _region_backend_service(inputs: Mapping[str, Any]) -> Found:
    """Check backends against the load-balancing scheme (`customDiffRegionBackendService`)."""
    scheme, backends = inputs.get("loadBalancingScheme", "INTERNAL"), inputs.get("backends")
    if not isinstance(backends, list) or scheme in (UNKNOWN, "INTERNAL_MANAGED") or UNKNOWN in backends:
        return
    scalers = [item.get("capacityScaler") for item in backends if isinstance(item, Mapping)]
    if scheme in ("INTERNAL", "EXTERNAL"):
        for number, item in enumerate(backends):
            for name in _MANAGED_ONLY:
                if isinstance(item, Mapping) and given(item.get(name)):
                    yield ("backends", number, name), f"must not be set where loadBalancingScheme is {scheme}"
    elif scalers and UNKNOWN not in scalers and not any(scalers):
        yield ("backends",), "one of them needs a capacityScaler above 0"


def _sink(inputs: Mapping[str, Any]) -> Found:
    """Require a unique writer for BigQuery (`resourceLoggingProjectSinkCustomizeDiff`)."""
    if given(inputs.get("bigqueryOptions")) and inputs.get("uniqueWriterIdentity") is False:
        yield ("uniqueWriterIdentity",), "must be true where bigqueryOptions is set"


def _database_instance(inputs: Mapping[str, Any]) -> Found:
    """Check recovery and Active Directory (`pitrSupportDbCustomizeDiff`, `activeDirectoryCustomizeDiff`)."""
    settings = inputs.get("settings")
    if not isinstance(settings, Mapping):
        return
    backup, version = settings.get("backupConfiguration"), inputs.get("databaseVersion")
    in_time = isinstance(backup, Mapping) and backup.get("pointInTimeRecoveryEnabled") is True
    if in_time and isinstance(version, str) and "MYSQL" in version:
        path = ("settings", "backupConfiguration", "pointInTimeRecoveryEnabled")
        yield path, "is for PostgreSQL and SQL Server; MySQL has binaryLogEnabled"
    directory = settings.get("activeDirectoryConfig")
    if isinstance(directory, Mapping) and directory.get("mode") == "CUSTOMER_MANAGED_ACTIVE_DIRECTORY":
        for name in ("dnsServers", "adminCredentialSecretName", "organizationalUnit"):
            if missing(directory.get(name)):
                yield ("settings", "activeDirectoryConfig", name), "required for this mode"


def _scheduler_job(inputs: Mapping[str, Any]) -> Found:
    """Refuse two kinds of tokens (`validateAuthHeaders`)."""
    target = inputs.get("httpTarget")
    if isinstance(target, Mapping) and all(given(target.get(name)) for name in ("oauthToken", "oidcToken")):
        yield ("httpTarget", "oauthToken"), "conflicts with oidcToken: set only one of them"


def _bucket_object(inputs: Mapping[str, Any]) -> Found:
    """Refuse a key that is listed twice (`validateContexts`)."""
    contexts = inputs.get("contexts")
    custom = contexts.get("customs") if isinstance(contexts, Mapping) else None
    keys = (
        [item.get("key") for item in custom if isinstance(item, Mapping)] if isinstance(custom, list) else []
    )
    if any(keys.count(key) > 1 for key in keys if key is not UNKNOWN):
        yield ("contexts", "customs"), "has a key more than once"


def _new_router_nat(inputs: Mapping[str, Any]) -> Found:
    """Refuse drained addresses of a new NAT (`resourceComputeRouterNatDrainNatIpsCustomDiff`)."""
    if inputs.get("drainNatIps") not in (None, UNKNOWN, []):
        yield ("drainNatIps",), "a new NAT has no addresses to drain; set it in a later update"


def _drained_addresses(old: Mapping[str, Any], new: Mapping[str, Any]) -> Found:
    """Check drained addresses by name against those before (`resourceComputeRouterNatDrainNatIps…`)."""
    before, after, drained_before = (
        _names(values) for values in (old.get("natIps"), new.get("natIps"), old.get("drainNatIps"))
    )
    drained = new.get("drainNatIps")
    for number, address in enumerate(drained if isinstance(drained, list) else ()):
        name = str(address).rsplit("/", 1)[-1]
        if address is UNKNOWN or name in drained_before:
            continue
        if name in after:
            yield ("drainNatIps", number), "is in natIps too; remove it there"
        elif UNKNOWN not in before and name not in before:
            yield ("drainNatIps", number), "was not one of natIps before"


def _names(links: Any) -> set[str]:
    return {str(link).rsplit("/", 1)[-1] for link in links} if isinstance(links, list) else set()


def _cluster(inputs: Mapping[str, Any]) -> Found:
    """Check surge settings and node pools (`containerClusterSurgeSettings…`, `…SkipNodePoolRefresh…`)."""
    if inputs.get("skipNodePoolRefresh") is True and inputs.get("nodePools") not in (None, UNKNOWN, []):
        yield ("skipNodePoolRefresh",), "must not be true where nodePools is set; use NodePool resources"
    at: Any = inputs
    path = ("clusterAutoscaling", "autoProvisioningDefaults", "upgradeSettings")
    for step in path:
        at = at.get(step) if isinstance(at, Mapping) else None
    if isinstance(at, Mapping) and at.get("strategy") not in (None, UNKNOWN, "SURGE"):
        for name in ("maxSurge", "maxUnavailable"):
            if given(at.get(name)):
                yield (*path, name), "may be set only where strategy is SURGE"


def _new_cluster(inputs: Mapping[str, Any]) -> Found:
    """Check the node version of a new cluster (`containerClusterNodeVersion…`, `…RemoveDefault…`)."""
    if inputs.get("removeDefaultNodePool") is True and inputs.get("nodeVersion") not in (None, UNKNOWN, ""):
        yield ("nodeVersion",), "must not be set where removeDefaultNodePool is true: it is of that pool"
    nodes, master = inputs.get("nodeVersion"), inputs.get("minMasterVersion")
    if (
        isinstance(nodes, str)
        and isinstance(master, str)
        and UNKNOWN not in (nodes, master)
        and nodes
        and master
        and nodes.split("-")[0] != master.split("-")[0]
    ):
        yield ("nodeVersion",), f"differs from minMasterVersion ({master}) in a new cluster; leave it out"


def _promoted(old: Mapping[str, Any], new: Mapping[str, Any]) -> Found:
    """Refuse the primary of a replica that becomes one (`checkPromoteConfigurationsAndUpdateDiff`)."""
    before = old.get("instanceType")
    was_replica = before == _REPLICA or (before is None and given(old.get("masterInstanceName")))
    if was_replica and new.get("instanceType") == "CLOUD_SQL_INSTANCE":
        for name in ("masterInstanceName", "replicaConfiguration"):
            if new.get(name) not in (None, UNKNOWN):
                yield (name,), "must be removed where a replica is promoted"


_REPLICA: Final = "READ_REPLICA_INSTANCE"
_ROUTER_NAT: Final = "gcp:compute/routerNat:RouterNat"
_ROUTER_NAT_ADDRESS: Final = "gcp:compute/routerNatAddress:RouterNatAddress"
_SQL: Final = "gcp:sql/databaseInstance:DatabaseInstance"
Checks = tuple[Callable[[Mapping[str, Any]], Found], ...]
_CHECKS: Final[Mapping[str, Checks]] = {
    "gcp:cloudscheduler/job:Job": (_scheduler_job,),
    "gcp:compute/firewall:Firewall": (_firewall,),
    "gcp:compute/healthCheck:HealthCheck": (_health_check,),
    "gcp:compute/instanceTemplate:InstanceTemplate": (_instance_template,),
    "gcp:compute/regionBackendService:RegionBackendService": (_region_backend_service,),
    "gcp:compute/regionHealthCheck:RegionHealthCheck": (_health_check,),
    "gcp:compute/regionInstanceTemplate:RegionInstanceTemplate": (_instance_template,),
    "gcp:compute/regionSslPolicy:RegionSslPolicy": (_ssl_policy,),
    "gcp:compute/router:Router": (_router,),
    "gcp:compute/sSLPolicy:SSLPolicy": (_ssl_policy,),
    "gcp:compute/securityPolicy:SecurityPolicy": (_security_policy,),
    "gcp:container/cluster:Cluster": (_cluster,),
    "gcp:logging/projectSink:ProjectSink": (_sink,),
    "gcp:monitoring/notificationChannel:NotificationChannel": (_notification_channel,),
    _SQL: (_database_instance,),
    "gcp:storage/bucketObject:BucketObject": (_bucket_object,),
}
_CHECKS_OF_NEW: Final[Mapping[str, Checks]] = {
    "gcp:container/cluster:Cluster": (_new_cluster,),
    _ROUTER_NAT: (_new_router_nat,),
    _ROUTER_NAT_ADDRESS: (_new_router_nat,),
}
_CHECKS_OF_CHANGED: Final[
    Mapping[str, tuple[Callable[[Mapping[str, Any], Mapping[str, Any]], Found], ...]]
] = {_ROUTER_NAT: (_drained_addresses,), _ROUTER_NAT_ADDRESS: (_drained_addresses,), _SQL: (_promoted,)}
