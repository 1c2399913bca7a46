"""Rules of the Compute Engine API over several properties.

https://cloud.google.com/compute/docs/reference/rest/v1
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rehearsal.providers.constraints.api.base import Check, Found, given, items, missing, text
from rehearsal.pulumi.properties import UNKNOWN

_DISK_SOURCES: Final = (
    "image", "snapshot", "sourceDisk", "sourceInstantSnapshot", "sourceStorageObject",
)  # fmt: skip
_IMAGE_SOURCES: Final = ("rawDisk", "sourceDisk", "sourceImage", "sourceSnapshot")
_RATES: Final = ("maxRate", "maxRatePerEndpoint", "maxRatePerInstance")
_CERTIFICATES: Final = ("certificateManagerCertificates", "certificateMap", "sslCertificates")
_NETWORKS: Final = ("network", "networkAttachment", "subnetwork")


def ports_of_check(inputs: Mapping[str, Any], kind: str) -> Found:
    """Check port and port name of a health check against its `portSpecification` (`validatePortSpec`)."""
    check = inputs.get(kind)
    if not isinstance(check, Mapping):
        return
    spec, port, name = check.get("portSpecification"), check.get("port"), check.get("portName")
    if spec in ("USE_NAMED_PORT", "USE_SERVING_PORT") and given(port):
        yield (kind, "port"), f"must not be set where portSpecification is {spec}"
    if spec == "USE_NAMED_PORT" and missing(name):
        yield (kind, "portName"), "required where portSpecification is USE_NAMED_PORT"
    if spec == "USE_SERVING_PORT" and given(name):
        yield (kind, "portName"), "must not be set where portSpecification is USE_SERVING_PORT"


def _scheduling(inputs: Mapping[str, Any]) -> Found:
    """https://cloud.google.com/compute/docs/instances/create-use-spot."""
    scheduling = inputs.get("scheduling")
    if isinstance(scheduling, Mapping):
        spot = scheduling.get("provisioningModel") == "SPOT"
        if spot and scheduling.get("preemptible") in (None, False):
            yield ("scheduling", "preemptible"), "must be true where provisioningModel is SPOT"
        if scheduling.get("preemptible") is True:
            if scheduling.get("automaticRestart", True) is True:
                yield ("scheduling", "automaticRestart"), "must be false where preemptible is true"
            if scheduling.get("onHostMaintenance") == "MIGRATE":
                yield ("scheduling", "onHostMaintenance"), "must be TERMINATE where preemptible is true"


def _interfaces(inputs: Mapping[str, Any]) -> Found:
    for position, interface in items(inputs.get("networkInterfaces")):
        if all(missing(interface.get(name)) for name in _NETWORKS):
            yield ("networkInterfaces", position, "network"), f"one of {', '.join(_NETWORKS)} must be set"


def _disk(inputs: Mapping[str, Any]) -> Found:
    sources = [name for name in _DISK_SOURCES if given(inputs.get(name))]
    if len(sources) > 1:
        for name in sources:
            yield (name,), f"a disk has one source; {', '.join(sources)} are set"


def _group_manager(inputs: Mapping[str, Any]) -> Found:
    """https://cloud.google.com/compute/docs/instance-groups/rolling-out-updates-to-managed-instance-groups."""
    policy = inputs.get("updatePolicy")
    if isinstance(policy, Mapping):
        amounts = [policy.get(name) for name in ("maxSurgeFixed", "maxUnavailableFixed")]
        percents = [policy.get(name) for name in ("maxSurgePercent", "maxUnavailablePercent")]
        if amounts == [0, 0] and percents == [None, None]:
            yield ("updatePolicy", "maxSurgeFixed"), "and maxUnavailableFixed must not both be 0"
    versions = inputs.get("versions")
    if isinstance(versions, list) and UNKNOWN not in versions:
        rest = [version for _, version in items(versions) if version.get("targetSize") is None]
        if versions and len(rest) != 1:
            reason = f"{len(rest)} versions have no targetSize; one has none and takes the other instances"
            yield ("versions",), reason


def _route(inputs: Mapping[str, Any]) -> Found:
    tags, range_ = inputs.get("tags"), text(inputs.get("destRange"))
    if range_ is not None and "/" not in range_:
        yield ("destRange",), f"{range_!r} is not an address range, such as 10.0.0.0/20"
    if isinstance(tags, list) and given(inputs.get("nextHopPeering")):
        yield ("tags",), "must not be set for a route of a peering"


def _backends(inputs: Mapping[str, Any]) -> Found:
    for position, backend in items(inputs.get("backends")):
        if backend.get("balancingMode") == "RATE" and all(missing(backend.get(name)) for name in _RATES):
            path = ("backends", position, "maxRate")
            yield path, f"one of {', '.join(_RATES)} must be set where balancingMode is RATE"


def _url_map(inputs: Mapping[str, Any]) -> Found:
    matchers = inputs.get("pathMatchers")
    if matchers is UNKNOWN or (isinstance(matchers, list) and UNKNOWN in matchers):
        return
    names = {matcher.get("name") for _, matcher in items(matchers)}
    for position, rule in items(inputs.get("hostRules")):
        name = text(rule.get("pathMatcher"))
        if name is not None and name not in names and UNKNOWN not in names:
            yield ("hostRules", position, "pathMatcher"), f"{name!r} is not the name of a path matcher"


def _image(inputs: Mapping[str, Any]) -> Found:
    sources = [name for name in _IMAGE_SOURCES if inputs.get(name) is not None]
    if len(sources) > 1:
        for name in sources:
            yield (name,), f"an image has one source; {', '.join(sources)} are set"
    elif not sources:
        yield ("sourceDisk",), f"one of {', '.join(_IMAGE_SOURCES)} must be set"


def _https_proxy(inputs: Mapping[str, Any]) -> Found:
    if all(missing(inputs.get(name)) for name in _CERTIFICATES):
        yield ("sslCertificates",), f"one of {', '.join(_CERTIFICATES)} must be set"


def _forwarding_rule(inputs: Mapping[str, Any]) -> Found:
    kinds = [name for name in ("allPorts", "portRange", "ports") if given(inputs.get(name))]
    if len(kinds) > 1:
        yield (kinds[-1],), f"conflicts with {kinds[0]}: set only one of them"
    if given(inputs.get("target")) and given(inputs.get("backendService")):
        yield ("backendService",), "conflicts with target: set only one of them"


def _address(inputs: Mapping[str, Any]) -> Found:
    external = inputs.get("addressType", "EXTERNAL") == "EXTERNAL"
    # An external IPv6 address is one of a subnetwork.
    if external and given(inputs.get("subnetwork")) and inputs.get("ipVersion") not in ("IPV6", UNKNOWN):
        yield ("subnetwork",), "may be set only where addressType is INTERNAL"


def _peering(inputs: Mapping[str, Any]) -> Found:
    own, peer = text(inputs.get("network")), text(inputs.get("peerNetwork"))
    if own is not None and own == peer:
        yield ("peerNetwork",), "is the network itself"


_INSTANCE: Final[tuple[Check, ...]] = (_scheduling, _interfaces)
CHECKS: Final[Mapping[str, tuple[Check, ...]]] = {
    "gcp:compute/address:Address": (_address,),
    "gcp:compute/backendService:BackendService": (_backends,),
    "gcp:compute/disk:Disk": (_disk,),
    "gcp:compute/forwardingRule:ForwardingRule": (_forwarding_rule,),
    "gcp:compute/image:Image": (_image,),
    "gcp:compute/instance:Instance": _INSTANCE,
    "gcp:compute/instanceGroupManager:InstanceGroupManager": (_group_manager,),
    "gcp:compute/instanceTemplate:InstanceTemplate": _INSTANCE,
    "gcp:compute/networkPeering:NetworkPeering": (_peering,),
    "gcp:compute/regionDisk:RegionDisk": (_disk,),
    "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager": (_group_manager,),
    "gcp:compute/regionInstanceTemplate:RegionInstanceTemplate": _INSTANCE,
    "gcp:compute/regionUrlMap:RegionUrlMap": (_url_map,),
    "gcp:compute/route:Route": (_route,),
    "gcp:compute/targetHttpsProxy:TargetHttpsProxy": (_https_proxy,),
    "gcp:compute/uRLMap:URLMap": (_url_map,),
}
