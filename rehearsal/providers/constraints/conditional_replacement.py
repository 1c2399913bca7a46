"""Attributes for which only some changes replace the resource, as the provider's plan code decides.

Read in terraform-provider-google-beta and terraform-provider-mongodbatlas, August 2026: `ForceNewIf`,
`ForceNewIfChange` and `ResourceDiff.ForceNew` in the `CustomizeDiff` of each resource.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from rehearsal.providers.constraints import bigquery_schema
from rehearsal.pulumi.properties import UNKNOWN, Path, unwrap

# (before, after, new inputs) -> whether the change replaces the resource; an absent value is None.
Condition = Callable[[Any, Any, Mapping[str, Any]], bool]
_ATTACHMENT: Final = "/serviceAttachments/"
_SQL: Final = "gcp:sql/databaseInstance:DatabaseInstance"
_TABLE: Final = "gcp:bigquery/table:Table"
_REDIS_VERSION: Final = re.compile(r"REDIS_(\d+)_(\d+)")


def replaces_on_condition(token: str, path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether the provider's plan code requires a new resource for the change at `path`.

    As in the provider, a change from or to an unknown value does not.
    """
    for attribute, condition in _CONDITIONS.get(token, ()):
        names = tuple(step for step in path if isinstance(step, str))
        shared = min(len(names), len(attribute))
        if names[:shared] != attribute[:shared]:
            continue
        before, after = _at(unwrap(dict(old)), attribute), _at(unwrap(dict(new)), attribute)
        if UNKNOWN not in (before, after) and condition(before, after, new):
            return True
    return False


def _shrinks_without_growth(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """`diskSizeCutomizeDiff`, for an instance without automatic storage increase."""
    return _smaller(before, after, inputs) and _at(inputs, ("settings", "diskAutoresize")) is False


def is_same_value(token: str, path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether the provider treats the two values at `path` as equal (`DiffSuppressFunc`)."""
    if token == _SQL and path == ("settings", "diskSize"):
        # With automatic storage increase a disk may be larger than declared (`diskSizeCutomizeDiff`).
        before, after = (_at(unwrap(dict(one)), ("settings", "diskSize")) for one in (old, new))
        grows = _at(unwrap(dict(new)), ("settings", "diskAutoresize"))
        return _smaller(before, after, new) and grows not in (False, UNKNOWN)
    if token != _TABLE or path != ("schema",):
        return False
    before, after = _at(unwrap(dict(old)), ("schema",)), _at(unwrap(dict(new)), ("schema",))
    if after is None:
        return True  # a computed attribute keeps its value when it is no longer declared
    return UNKNOWN not in (before, after) and bigquery_schema.is_equal(
        bigquery_schema.parsed(before), bigquery_schema.parsed(after)
    )


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if isinstance(value, Mapping):
            value = value.get(step)
        else:
            return value if value is UNKNOWN else None
    return value


def _smaller(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether a size decreases (`IsDiskShrinkage`, `isInstanceShrinkage`)."""
    return isinstance(before, (int, float)) and isinstance(after, (int, float)) and after < before


def _narrower(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether a range does not cover the former one (`IsShrinkageIpCidr`)."""
    try:
        first, last = (ipaddress.ip_network(value, strict=False) for value in (before, after))
    except (ValueError, TypeError):
        return False
    return first.version != last.version or not (
        int(last.network_address) <= int(first.network_address)
        and int(first.broadcast_address) <= int(last.broadcast_address)
    )


def _disabled(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether true is changed or removed (`isBeenEnabled`, `isPolicyLocked`, `autoUpgradeEnabled…`)."""
    return before is True and after is not True


def _switched_off(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether true becomes false; an undeclared attribute retains its value (`isBeenEnabled`)."""
    return before is True and after is False


def _other_primary(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether the primary changes, except in a switchover to a replica (`isSwitchoverFromOldPrimarySide`)."""
    return after is not None and before != after and not (before is None and _is_replica(inputs))


def _is_replica(inputs: Mapping[str, Any]) -> bool:
    return inputs.get("instanceType") == "READ_REPLICA_INSTANCE"


def _removed(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether a value is removed (`privateNetworkCustomizeDiff`, `ForceNewResourcePolicies…`)."""
    return bool(before) and not after


def _older_redis(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether a version decreases; REDIS_6_X is not compared (`isRedisVersionDecreasing`)."""
    versions = [_REDIS_VERSION.search(str(value)) for value in (before, after)]
    if versions[0] is None or versions[1] is None:
        return False
    first, last = ((int(one[1]), int(one[2])) for one in versions if one is not None)
    return last < first


def _other_attachment(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether `target` becomes another service attachment (`forwardingRuleCustomizeDiff`)."""
    return before != after and _ATTACHMENT in str(before) and _ATTACHMENT in str(after)


def _managed_internally(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether `allow_global_access` of an internal managed rule changes (`forwardingRuleCustomizeDiff`)."""
    return bool(before) != bool(after) and inputs.get("loadBalancingScheme") == "INTERNAL_MANAGED"


def _item_removed(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether an item is removed from a list (`containerClusterEnableK8sBetaApisCustomizeDiff`)."""
    return isinstance(before, list) and isinstance(after, list) and any(item not in after for item in before)


def _changed_on_autopilot(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether a value of an Autopilot cluster changes (`containerClusterAutopilotCustomizeDiff`)."""
    return before != after and inputs.get("enableAutopilot") is True


def _other_columns(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether a changed schema needs a new table (`resourceBigQueryTableSchemaCustomizeDiff`)."""
    external = inputs.get("externalDataConfiguration") is not None
    old, new = bigquery_schema.parsed(before), bigquery_schema.parsed(after)
    return bool(after) and old != new and not bigquery_schema.is_changeable(old, new, external=external)


def _other_address(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether an address changes without its network (`forceNewIfNetworkIPNotUpdatable`)."""
    if not isinstance(before, list) or not isinstance(after, list) or len(before) != len(after):
        return False
    for old, new in zip(before, after, strict=True):
        if not isinstance(old, Mapping) or not isinstance(new, Mapping):
            continue
        first, last = old.get("networkIp"), new.get("networkIp")
        moved = any(_name(old.get(name)) != _name(new.get(name)) for name in _NETWORK_NAMES)
        if UNKNOWN not in (first, last) and first and last and first != last and not moved:
            return True
    return False


def _name(link: Any) -> Any:
    return link.rsplit("/", 1)[-1] if isinstance(link, str) and link is not UNKNOWN else link


def _leaves_dedicated(before: Any, after: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether the provider of a dedicated cluster changes (`resourceClusterCustomizeDiff`)."""
    return before != after and before != "TENANT"


_NETWORK_NAMES: Final = ("network", "subnetwork", "subnetworkProject")
_CONDITIONS: Final[Mapping[str, tuple[tuple[tuple[str, ...], Condition], ...]]] = {
    _TABLE: ((("schema",), _other_columns),),
    "gcp:compute/disk:Disk": ((("size",), _smaller),),
    "gcp:compute/regionDisk:RegionDisk": ((("size",), _smaller),),
    "gcp:compute/instance:Instance": ((("networkInterfaces",), _other_address),),
    "mongodbatlas:index/cluster:Cluster": ((("providerName",), _leaves_dedicated),),
    "gcp:compute/forwardingRule:ForwardingRule": (
        (("target",), _other_attachment),
        (("allowGlobalAccess",), _managed_internally),
    ),
    "gcp:compute/instanceGroupManager:InstanceGroupManager": (
        (("resourcePolicies", "workloadPolicy"), _removed),
    ),
    "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager": (
        (("resourcePolicies", "workloadPolicy"), _removed),
    ),
    "gcp:compute/subnetwork:Subnetwork": ((("ipCidrRange",), _narrower),),
    "gcp:container/cluster:Cluster": (
        (("enableL4IlbSubsetting",), _switched_off),
        (("enableFqdnNetworkPolicy",), _disabled),
        (("enableK8sBetaApis", "enabledApis"), _item_removed),
        (("dnsConfig", "additiveVpcScopeDnsDomain"), _changed_on_autopilot),
    ),
    "gcp:redis/instance:Instance": ((("redisVersion",), _older_redis),),
    _SQL: (
        (("settings", "diskSize"), _shrinks_without_growth),
        (("settings", "ipConfiguration", "privateNetwork"), _removed),
        (("settings", "autoUpgradeEnabled"), _disabled),
        (("masterInstanceName",), _other_primary),
    ),
    "gcp:storage/bucket:Bucket": ((("retentionPolicy", "isLocked"), _disabled),),
    "gcp:vpcaccess/connector:Connector": (
        (("minInstances",), _smaller),
        (("maxInstances",), _smaller),
    ),
}
