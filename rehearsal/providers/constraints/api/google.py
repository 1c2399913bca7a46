"""Rules of Google's APIs over several properties."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final

from rehearsal.providers.constraints.api import compute, managed_services
from rehearsal.providers.constraints.api.base import (
    Check,
    Found,
    at,
    given,
    items,
    missing,
    number,
    one_of,
    text,
    texts,
)
from rehearsal.providers.constraints.api.regions import references_elsewhere, region_of
from rehearsal.pulumi.properties import UNKNOWN

_ROLES: Final = ("roles/", "projects/", "organizations/")
# https://cloud.google.com/iam/docs/principal-identifiers; the kind is case-sensitive.
_PRINCIPAL: Final = re.compile(
    r"(deleted:)?(user|serviceAccount|group|domain|principal|principalHierarchy|principalSet|projectOwner"
    r"|projectEditor|projectViewer|iap|subject|workforcePool):.+"
)
# Members without an identifier; the last three are of datasets of BigQuery.
_PRINCIPALS: Final = frozenset(
    {"allUsers", "allAuthenticatedUsers", "projectOwners", "projectReaders", "projectWriters"}
)
_WITH_PORTS: Final = frozenset({"tcp", "udp", "sctp", "6", "17", "132"})
_READ_REPLICAS_MIN_GB: Final = 5
# Record types whose data ends with a host name, which needs a trailing dot.
_NAME_RECORDS: Final = frozenset({"CNAME", "MX", "NS", "PTR", "SRV"})
_MAX_PORT: Final = 65_535
_ALL_TRAFFIC: Final = 100  # percent
# Uptime checkers by region; a region that is not listed has one. A check needs at least three
# (https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.uptimeCheckConfigs, `selectedRegions`).
_UPTIME_LOCATIONS: Final[Mapping[str, frozenset[str]]] = {
    "USA": frozenset({"USA_IOWA", "USA_OREGON", "USA_VIRGINIA"})
}
_MIN_UPTIME_LOCATIONS: Final = 3
# Patterns of the algorithms that a key of each purpose may have.
_ALGORITHMS: Final[Mapping[str, str]] = {
    "ASYMMETRIC_DECRYPT": "^RSA_DECRYPT_",
    "ASYMMETRIC_SIGN": "SIGN_|^PQ_SIGN",
    "ENCRYPT_DECRYPT": "SYMMETRIC_ENCRYPTION$",
    "MAC": "^HMAC_",
    "RAW_ENCRYPT_DECRYPT": "^AES_",
}
# Properties that name the grantee in an entry of a dataset's access list; an entry has exactly one.
_GRANTEES: Final = (
    "dataset", "domain", "groupByEmail", "iamMember", "routine", "specialGroup", "userByEmail", "view",
)  # fmt: skip


def checks_of(token: str) -> tuple[Check, ...]:
    """Return the checks of a type."""
    grants = (_role, _principals) if token.lower().endswith(("iammember", "iambinding")) else ()
    own = (*_CHECKS.get(token, ()), *compute.CHECKS.get(token, ()), *managed_services.CHECKS.get(token, ()))
    return (_zones, references_elsewhere, *grants, *own)


def _zones(inputs: Mapping[str, Any]) -> Found:
    """Check that zones are in the declared region. Both may be names or links, which end with the name."""
    region = region_of(inputs)
    if region is None:
        return
    for name in ("zone", "locationId", "alternativeLocationId"):
        value = text(inputs.get(name))
        if value is not None and _outside(value, region):
            yield (name,), f"the zone {value} is not in the region {region}"
    for name in ("nodeLocations", "replicaZones", "distributionPolicyZones"):
        for position, value in texts(inputs.get(name)):
            if _outside(value, region):
                yield (name, position), f"the zone {value} is not in the region {region}"


def _outside(zone: str, region: str) -> bool:
    name = zone.rsplit("/", 1)[-1]
    return name.count("-") == 2 and not name.startswith(f"{region}-")


def _role(inputs: Mapping[str, Any]) -> Found:
    """https://cloud.google.com/iam/docs/roles-overview."""
    role = text(inputs.get("role"))
    if role is not None and not role.startswith(_ROLES):
        yield ("role",), f'{role!r} is not the name of a role, such as "roles/viewer"'


def _principals(inputs: Mapping[str, Any]) -> Found:
    """Check the kinds of a grant's members."""
    members = [(("member",), text(inputs.get("member")))]
    members += [(("members", position), value) for position, value in texts(inputs.get("members"))]  # type: ignore[misc]
    for path, value in members:
        if value is not None and value not in _PRINCIPALS and _PRINCIPAL.fullmatch(value) is None:
            yield path, f'{value!r} is not a member with its kind, such as "group:ops@example.com"'


def _health_check(inputs: Mapping[str, Any]) -> Found:
    interval, timeout = inputs.get("checkIntervalSec", 5), inputs.get("timeoutSec", 5)
    if isinstance(interval, int) and isinstance(timeout, int) and timeout > interval:
        yield ("timeoutSec",), f"{timeout} is longer than checkIntervalSec ({interval})"
    for kind, value in inputs.items():
        if not kind.endswith("HealthCheck") or not isinstance(value, Mapping):
            continue
        if kind != "httpHealthCheck":  # that one is validated by the provider
            yield from compute.ports_of_check(inputs, kind)
        port = number(value.get("port"))
        if port is not None and not 1 <= port <= _MAX_PORT:
            yield (kind, "port"), f"{port:g} is not a port: 1 to {_MAX_PORT}"
        path = text(value.get("requestPath"))
        if path is not None and not path.startswith("/"):
            yield (kind, "requestPath"), f"{path!r} does not start with a slash"


def _firewall(inputs: Mapping[str, Any]) -> Found:
    if inputs.get("direction") == "EGRESS":
        for name in ("sourceTags", "sourceServiceAccounts"):
            if given(inputs.get(name)):
                yield (name,), "must not be set for a rule of egress"
    for kind in ("allows", "denies"):
        for position, rule in items(inputs.get(kind)):
            protocol, ports = text(rule.get("protocol")), rule.get("ports")
            if given(ports) and protocol is not None and protocol.lower() not in _WITH_PORTS:
                yield (kind, position, "ports"), f"must not be set for the protocol {protocol}"
            for index, value in texts(ports):
                first, _, last = value.partition("-")
                bounds = [int(one) for one in (first, last or first) if one.isdecimal()]
                if len(bounds) == 2 and not 0 <= bounds[0] <= bounds[1] <= _MAX_PORT:
                    reason = f"{value!r} is not a range of ports to {_MAX_PORT}"
                    yield (kind, position, "ports", index), reason


def _global_address(inputs: Mapping[str, Any]) -> Found:
    if text(inputs.get("purpose")) and inputs.get("addressType", "EXTERNAL") == "EXTERNAL":
        yield ("purpose",), "may be set only where addressType is INTERNAL"


def _security_policy(inputs: Mapping[str, Any]) -> Found:
    for position, rule in items(inputs.get("rules")):
        action = text(rule.get("action"))
        if action in ("throttle", "rate_based_ban") and rule.get("rateLimitOptions") is None:
            yield ("rules", position, "rateLimitOptions"), f"required where action is {action}"
        if action == "redirect" and rule.get("redirectOptions") is None:
            yield ("rules", position, "redirectOptions"), "required where action is redirect"
        if at(rule, "match", "config") is not None and at(rule, "match", "versionedExpr") is None:
            yield ("rules", position, "match", "versionedExpr"), "required where config is set"


def _subnetwork(inputs: Mapping[str, Any]) -> Found:
    yield from _range(inputs.get("ipCidrRange"), "ipCidrRange")
    for position, secondary in items(inputs.get("secondaryIpRanges")):
        yield from _range(secondary.get("ipCidrRange"), "secondaryIpRanges", position, "ipCidrRange")


def _range(value: Any, *path: str | int) -> Found:
    """Check a subnet's IPv4 range: no host bits, and a prefix from /4 to /29."""
    if (known := text(value)) is None:
        return
    try:
        network = ipaddress.ip_network(known, strict=False)
    except ValueError:
        return  # the provider refuses it
    if str(network) != known and network.version == 4:
        yield path, f"{known!r} has host bits set; the range is {network}"
    elif network.version == 4 and not 4 <= network.prefixlen <= 29:
        yield path, f"{known!r} is not a range from /4 to /29"


def _cluster(inputs: Mapping[str, Any]) -> Found:
    empty = missing(inputs.get("initialNodeCount")) and missing(inputs.get("nodePools"))
    if empty and inputs.get("enableAutopilot") in (None, False):
        yield ("initialNodeCount",), "must be at least 1 where neither nodePools nor enableAutopilot is set"
    key = at(inputs, "databaseEncryption", "keyName")
    if at(inputs, "databaseEncryption", "state") == "ENCRYPTED" and missing(key):
        yield ("databaseEncryption", "keyName"), "required where state is ENCRYPTED"
    if (
        inputs.get("datapathProvider") == "ADVANCED_DATAPATH"
        and at(inputs, "networkPolicy", "enabled") is True
    ):
        yield ("networkPolicy", "enabled"), "must not be true with ADVANCED_DATAPATH, which enforces policies"


def _node_pool(inputs: Mapping[str, Any]) -> Found:
    if given(inputs.get("name")) and given(inputs.get("namePrefix")):
        yield ("namePrefix",), "conflicts with name: set only one of them"
    if at(inputs, "nodeConfig", "spot") is True and at(inputs, "nodeConfig", "preemptible") is True:
        yield ("nodeConfig", "preemptible"), "conflicts with spot: set only one of them"
    upgrade = inputs.get("upgradeSettings")
    if isinstance(upgrade, Mapping) and upgrade.get("strategy", "SURGE") == "SURGE":
        amounts = [number(upgrade.get(name)) for name in ("maxSurge", "maxUnavailable")]
        if amounts == [0, 0]:
            yield ("upgradeSettings", "maxSurge"), "and maxUnavailable must not both be 0"
    scaling = inputs.get("autoscaling")
    if not isinstance(scaling, Mapping):
        return
    zonal = [name for name in ("minNodeCount", "maxNodeCount") if given(scaling.get(name))]
    total = [name for name in ("totalMinNodeCount", "totalMaxNodeCount") if given(scaling.get(name))]
    if zonal and total:
        yield ("autoscaling", total[0]), f"conflicts with {zonal[0]}: limits are per zone or in total"


def _secret(inputs: Mapping[str, Any]) -> Found:
    rotation = inputs.get("rotation")
    if (
        isinstance(rotation, Mapping)
        and given(rotation.get("rotationPeriod"))
        and missing(rotation.get("nextRotationTime"))
    ):
        yield ("rotation", "nextRotationTime"), "required where rotationPeriod is set"
    elif rotation is not None and missing(inputs.get("topics")):
        yield ("rotation",), "requires topics, to which the rotations are published"
    if given(inputs.get("ttl")) and given(inputs.get("expireTime")):
        yield ("ttl",), "conflicts with expireTime: set only one of them"


def _crypto_key(inputs: Mapping[str, Any]) -> Found:
    """https://cloud.google.com/kms/docs/algorithms."""
    purpose = text(inputs.get("purpose"))
    algorithm = at(inputs, "versionTemplate", "algorithm")
    pattern = _ALGORITHMS.get(purpose or ("ENCRYPT_DECRYPT" if "purpose" not in inputs else ""))
    if pattern is not None and algorithm is not UNKNOWN:
        path = ("versionTemplate", "algorithm")
        if algorithm is None and purpose not in (None, "ENCRYPT_DECRYPT"):
            yield path, f"required for the purpose {purpose}"
        elif isinstance(algorithm, str) and not re.search(pattern, algorithm):
            yield path, f"{algorithm} is not an algorithm for the purpose {purpose or 'ENCRYPT_DECRYPT'}"
    if given(inputs.get("rotationPeriod")) and purpose not in (None, "ENCRYPT_DECRYPT"):
        yield ("rotationPeriod",), f"must not be set for the purpose {purpose}: only symmetric keys rotate"


def _redis(inputs: Mapping[str, Any]) -> Found:
    if inputs.get("readReplicasMode") != "READ_REPLICAS_ENABLED":
        return
    if inputs.get("tier", "BASIC") == "BASIC":
        yield ("readReplicasMode",), "may be enabled only where tier is STANDARD_HA"
    memory = number(inputs.get("memorySizeGb"))
    if memory is not None and memory < _READ_REPLICAS_MIN_GB:
        yield ("memorySizeGb",), f"must be at least {_READ_REPLICAS_MIN_GB} with read replicas"


def _record_set(inputs: Mapping[str, Any]) -> Found:
    kind = text(inputs.get("type"))
    for position, value in texts(inputs.get("rrdatas")):
        if kind in _NAME_RECORDS and not value.endswith("."):
            yield ("rrdatas", position), f"{value!r} is not a full name with a dot at its end"
        elif kind in ("A", "AAAA") and not _is_address(value, 4 if kind == "A" else 6):
            yield ("rrdatas", position), f"{value!r} is not an address for a record of type {kind}"


def _is_address(value: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(value).version == version
    except ValueError:
        return False


def _alert_policy(inputs: Mapping[str, Any]) -> Found:
    for position, condition in items(inputs.get("conditions")):
        kinds = [name for name in condition if name.startswith("condition") and condition[name] is not None]
        if len(kinds) != 1:
            reason = f"needs one kind of condition; {', '.join(kinds) or 'none'} is set"
            yield ("conditions", position), reason
        for kind in ("conditionThreshold", "conditionAbsent"):
            duration = text(at(condition, kind, "duration"))
            seconds = number(duration.removesuffix("s")) if duration else None
            if seconds is not None and seconds % 60:
                yield ("conditions", position, kind, "duration"), f"{duration!r} is not a number of minutes"


def _uptime_regions(inputs: Mapping[str, Any]) -> Found:
    selected = inputs.get("selectedRegions")
    if not isinstance(selected, list) or not selected or UNKNOWN in selected:
        return
    regions = [name for _, name in texts(selected)]
    locations = {location for name in regions for location in _UPTIME_LOCATIONS.get(name, frozenset({name}))}
    if len(locations) < _MIN_UPTIME_LOCATIONS:
        reason = f"contain {len(locations)} locations; at least {_MIN_UPTIME_LOCATIONS} are needed"
        yield ("selectedRegions",), reason


def _router_nat(inputs: Mapping[str, Any]) -> Found:
    """https://cloud.google.com/nat/docs/ports-and-addresses."""
    if given(inputs.get("natIps")) and inputs.get("natIpAllocateOption") == "AUTO_ONLY":
        yield ("natIps",), "must not be set where natIpAllocateOption is AUTO_ONLY"
    if inputs.get("enableDynamicPortAllocation") is not True:
        return
    if inputs.get("enableEndpointIndependentMapping") is True:
        yield ("enableEndpointIndependentMapping",), "must not be true with enableDynamicPortAllocation"
    for name in ("minPortsPerVm", "maxPortsPerVm"):
        ports = number(inputs.get(name))
        if ports and int(ports) & (int(ports) - 1):
            yield (name,), f"{ports:g} is not a power of two, as enableDynamicPortAllocation requires"


def _repository(inputs: Mapping[str, Any]) -> Found:
    for mode, name in (
        ("REMOTE_REPOSITORY", "remoteRepositoryConfig"),
        ("VIRTUAL_REPOSITORY", "virtualRepositoryConfig"),
    ):
        if inputs.get("mode") == mode and inputs.get(name) is None:
            yield (name,), f"required where mode is {mode}"


def _backup_plan(inputs: Mapping[str, Any]) -> Found:
    policy = inputs.get("retentionPolicy")
    locked, retained = (number(at(policy, name)) for name in ("backupDeleteLockDays", "backupRetainDays"))
    if locked is not None and retained and locked > retained:
        path = ("retentionPolicy", "backupDeleteLockDays")
        yield path, f"{locked:g} is longer than backupRetainDays ({retained:g})"


def _managed_certificate(inputs: Mapping[str, Any]) -> Found:
    for position, name in texts(at(inputs, "managed", "domains")):
        if "*" in name:
            reason = f"{name!r} is a wildcard, which only Certificate Manager has"
            yield ("managed", "domains", position), reason


def _admission(inputs: Mapping[str, Any]) -> Found:
    """https://cloud.google.com/binary-authorization/docs/reference/rest/v1/Policy#AdmissionRule."""
    rules = [(("defaultAdmissionRule",), inputs.get("defaultAdmissionRule"))]
    rules += [
        (("clusterAdmissionRules", position), rule)  # type: ignore[misc]
        for position, rule in items(inputs.get("clusterAdmissionRules"))
    ]
    for path, rule in rules:
        attested = at(rule, "evaluationMode") == "REQUIRE_ATTESTATION"
        if attested and missing(at(rule, "requireAttestationsBies")):
            yield (*path, "requireAttestationsBies"), "required where evaluationMode is REQUIRE_ATTESTATION"


def _dataset(inputs: Mapping[str, Any]) -> Found:
    for position, entry in items(inputs.get("accesses")):
        grantees = [name for name in _GRANTEES if given(entry.get(name))]
        if len(grantees) > 1:
            path = ("accesses", position, grantees[1])
            yield path, f"conflicts with {grantees[0]}: an entry has one grantee"


def _table(inputs: Mapping[str, Any]) -> Found:
    if given(inputs.get("timePartitioning")) and given(inputs.get("rangePartitioning")):
        yield ("rangePartitioning",), "conflicts with timePartitioning: set only one of them"


def _database_instance(inputs: Mapping[str, Any]) -> Found:
    """https://cloud.google.com/sql/docs/sqlserver/create-instance."""
    access = at(inputs, "settings", "ipConfiguration")
    private = isinstance(access, Mapping) and access.get("ipv4Enabled") is False
    if private and all(missing(access.get(name)) for name in ("privateNetwork", "pscConfigs")):
        path = ("settings", "ipConfiguration", "ipv4Enabled")
        yield path, "must not be false without privateNetwork or pscConfigs: it would have no address"
    version = text(inputs.get("databaseVersion"))
    copied = ("clone", "masterInstanceName", "restoreBackupContext", "backupdrBackup")
    passwords = ("rootPassword", "rootPasswordWo")
    alone = all(missing(inputs.get(name)) for name in (*passwords, *copied))
    if version is not None and version.startswith("SQLSERVER") and alone:
        yield ("rootPassword",), "required for SQL Server"


def _bucket(inputs: Mapping[str, Any]) -> Found:
    for position, rule in items(inputs.get("lifecycleRules")):
        action = rule.get("action")
        if at(action, "type") == "SetStorageClass" and missing(at(action, "storageClass")):
            path = ("lifecycleRules", position, "action", "storageClass")
            yield path, "required where type is SetStorageClass"


def _connector(inputs: Mapping[str, Any]) -> Found:
    low, high = number(inputs.get("minInstances")), number(inputs.get("maxInstances"))
    if low is not None and high is not None and low >= high:
        yield ("minInstances",), f"{low:g} is not less than maxInstances ({high:g})"


def _run_service(inputs: Mapping[str, Any]) -> Found:
    shares = [number(item.get("percent")) for _, item in items(inputs.get("traffics"))]
    if shares and None not in shares and sum(filter(None, shares)) != _ALL_TRAFFIC:
        yield ("traffics",), f"have {sum(filter(None, shares)):g} percent together, not {_ALL_TRAFFIC}"


_CHECKS: Final[Mapping[str, tuple[Check, ...]]] = {
    "gcp:artifactregistry/repository:Repository": (_repository,),
    "gcp:bigquery/dataset:Dataset": (_dataset,),
    "gcp:bigquery/table:Table": (_table,),
    "gcp:binaryauthorization/policy:Policy": (_admission,),
    "gcp:cloudrunv2/service:Service": (_run_service,),
    "gcp:compute/firewall:Firewall": (_firewall,),
    "gcp:compute/globalAddress:GlobalAddress": (_global_address,),
    "gcp:compute/healthCheck:HealthCheck": (_health_check,),
    "gcp:compute/managedSslCertificate:ManagedSslCertificate": (_managed_certificate,),
    "gcp:compute/regionHealthCheck:RegionHealthCheck": (_health_check,),
    "gcp:compute/routerNat:RouterNat": (_router_nat,),
    "gcp:compute/securityPolicy:SecurityPolicy": (_security_policy,),
    "gcp:compute/subnetwork:Subnetwork": (_subnetwork,),
    "gcp:container/cluster:Cluster": (_cluster,),
    "gcp:container/nodePool:NodePool": (_node_pool,),
    "gcp:dns/recordSet:RecordSet": (_record_set,),
    "gcp:gkebackup/backupPlan:BackupPlan": (_backup_plan,),
    "gcp:kms/cryptoKey:CryptoKey": (_crypto_key,),
    "gcp:monitoring/alertPolicy:AlertPolicy": (_alert_policy,),
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": (
        one_of("httpCheck", "tcpCheck", "syntheticMonitor"),
        _uptime_regions,
    ),
    "gcp:recaptcha/enterpriseKey:EnterpriseKey": (
        one_of("androidSettings", "expressSettings", "iosSettings", "webSettings"),
    ),
    "gcp:redis/instance:Instance": (_redis,),
    "gcp:secretmanager/secret:Secret": (_secret,),
    "gcp:sql/databaseInstance:DatabaseInstance": (_database_instance,),
    "gcp:storage/bucket:Bucket": (_bucket,),
    "gcp:vpcaccess/connector:Connector": (_connector,),
}
