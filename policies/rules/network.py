"""Network: nodes and the control plane are private, and nothing is public by mistake."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator
from typing import Final

from pulumi_policy import Severity

from policies.model.property_tree import Finding, Node, all_known
from policies.model.stack import Object, Resource, Stack, objects_of
from policies.pack.rule import ADVISORY, Settings, rule

CONCERN: Final = "network"
_TAGS: Final = ("SOC2:CC6.6", "SEC1")
_MIN_PREFIX: Final = 7  # no organization owns a range with a shorter prefix; two halves cover every address


def is_everyone(node: Node) -> bool:
    """Whether a range is known and contains every address, or a similarly large part."""
    text = node.text().strip()
    if "/" not in text:
        return text in ("0.0.0.0", "::", "*")  # noqa: S104 (compared with, not bound to)
    try:
        return ipaddress.ip_network(text, strict=False).prefixlen <= _MIN_PREFIX
    except ValueError:
        return False


@rule(
    "private-nodes",
    "Nodes must not have public addresses. They are reachable from the internet otherwise.",
    concern=CONCERN,
    types=r"gcp:container/(cluster:Cluster|nodePool:NodePool)",
    remediation=(
        "Set enablePrivateNodes to true in privateClusterConfig (cluster) and networkConfig (pool)."
    ),
    severity=Severity.CRITICAL,
    tags=("CIS-GKE:6.6.5", *_TAGS),
)
def private_nodes(resource: Resource, _: Settings) -> Iterator[Finding]:
    if resource.type.endswith(":NodePool"):
        flag = resource.node.at("networkConfig", "enablePrivateNodes")
        if flag.is_not_one_of(None, True):
            yield flag.finding("must be true")
        return
    flag = resource.node.at("privateClusterConfig", "enablePrivateNodes")
    default = resource.node.at("networkConfig", "defaultEnablePrivateNodes")
    if flag.is_not_one_of(True) and not default.is_one_of(True):
        yield flag.finding("must be true")


@rule(
    "private-control-plane",
    "The control plane must not have a public endpoint. "
    "Anyone can send requests to the cluster's API otherwise.",
    concern=CONCERN,
    types=r"gcp:container/cluster:Cluster",
    remediation=(
        "Use the DNS endpoint and switch the IP endpoints off, or set enablePrivateEndpoint to true."
    ),
    severity=Severity.CRITICAL,
    tags=("CIS-GKE:6.6.4", *_TAGS),
)
def private_control_plane(resource: Resource, _: Settings) -> Iterator[Finding]:
    private = resource.node.at("privateClusterConfig", "enablePrivateEndpoint")
    by_ip = resource.node.at("controlPlaneEndpointsConfig", "ipEndpointsConfig", "enabled")
    if private.is_not_one_of(True) and by_ip.is_not_one_of(False):
        yield private.finding("must be true, or the IP endpoints off")
    google = resource.node.at("masterAuthorizedNetworksConfig", "gcpPublicCidrsAccessEnabled")
    if google.is_one_of(True):
        yield google.finding("allows every Google Cloud address to reach the control plane")
    for block in resource.node.at("masterAuthorizedNetworksConfig", "cidrBlocks").items():
        if is_everyone(block["cidrBlock"]):
            yield block["cidrBlock"].finding("allows every address to reach the control plane")


@rule(
    "private-nodes-have-nat",
    "Private nodes must have a Cloud NAT. They cannot pull images or reach the database otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation="Declare a RouterNat for the nodes' subnetwork.",
    severity=Severity.HIGH,
    tags=("SOC2:A1.1",),
)
def private_nodes_have_nat(stack: Stack, _: Settings) -> Iterator[Finding]:
    if stack.of_type("gcp:compute/routerNat:RouterNat"):
        return
    for cluster in stack.of_type("gcp:container/cluster:Cluster"):
        flag = cluster.node.at("privateClusterConfig", "enablePrivateNodes")
        if flag.is_one_of(True):
            yield flag.finding("nodes are private and no RouterNat gives them egress")


@rule(
    "network-policy-enforced",
    "The cluster must enforce NetworkPolicies (Dataplane V2). They have no effect otherwise.",
    concern=CONCERN,
    types=r"gcp:container/cluster:Cluster",
    remediation="Set datapathProvider to ADVANCED_DATAPATH (Dataplane V2).",
    severity=Severity.HIGH,
    tags=("CIS-GKE:6.6.7", *_TAGS),
)
def network_policy_enforced(resource: Resource, _: Settings) -> Iterator[Finding]:
    path = resource.node["datapathProvider"]
    autopilot = resource.node["enableAutopilot"].is_one_of(True)
    older = resource.node.at("networkPolicy", "enabled").is_one_of(True)
    if path.is_not_one_of("ADVANCED_DATAPATH") and not older and not autopilot:
        yield path.finding("must be ADVANCED_DATAPATH")


@rule(
    "firewall-open",
    "Firewall rules must not allow the whole internet. Every address can reach the instances otherwise.",
    concern=CONCERN,
    types=r"gcp:compute/(firewall:Firewall|\w*[fF]irewallPolicyRule:\w*FirewallPolicyRule)",
    remediation="Name the source ranges that are needed, such as those of Google's load balancers.",
    severity=Severity.CRITICAL,
    tags=("CIS-GKE:6.6.9", *_TAGS),
)
def firewall_open(resource: Resource, _: Settings) -> Iterator[Finding]:
    if resource.node["direction"].is_one_of("EGRESS") or resource.node["disabled"].is_one_of(True):
        return
    if resource.type.endswith("Rule"):
        if resource.node["action"].is_one_of("allow"):
            for source in resource.node.at("match", "srcIpRanges").items():
                if is_everyone(source):
                    yield source.finding("allows every address")
        return
    if resource.node["allows"].is_one_of(None, []):
        return
    named = ("sourceRanges", "sourceTags", "sourceServiceAccounts")
    if all(resource.node[key].is_one_of(None, []) for key in named):
        yield resource.node["sourceRanges"].finding("allows every address: it names no source")
    for source in resource.node["sourceRanges"].items():
        if is_everyone(source):
            yield source.finding("allows every address")


@rule(
    "atlas-access",
    "The database must accept connections only from known addresses. Anyone can try to sign in otherwise.",
    concern=CONCERN,
    types=r"mongodbatlas:index/projectIpAccessList:ProjectIpAccessList",
    remediation="Allow single NAT addresses, or a range no wider than the configured prefix.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
    settings={
        "prefix": {
            "type": "integer",
            "default": 24,
            "minimum": 1,
            "maximum": 32,
            "description": "Minimum prefix length of an IPv4 range.",
        }
    },
)
def atlas_access(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if is_everyone(resource.node["ipAddress"]):
        yield resource.node["ipAddress"].finding("allows every address")
    block = resource.node["cidrBlock"]
    if block.present and block.known():
        length = str(block.raw).rpartition("/")[2]
        if length.isdecimal() and int(length) < settings["prefix"]:
            yield block.finding(f"{block.raw} is wider than /{int(settings['prefix'])}")


@rule(
    "default-deny",
    "Every namespace must have a default-deny NetworkPolicy. "
    "A compromised pod can reach every other pod otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation="Declare a NetworkPolicy with an empty podSelector, both policyTypes and no rules.",
    severity=Severity.HIGH,
    tags=("CIS-GKE:5.3.2", *_TAGS, "KUB4"),
    platform_specific=True,
)
def default_deny(stack: Stack, _: Settings) -> Iterator[Finding]:
    denied: dict[str, set[str]] = {}
    for item in stack.of_kind("NetworkPolicy"):
        denied.setdefault(item.namespace, set()).update(_denies(item))
    for namespace in stack.of_kind("Namespace"):
        if not namespace.identified:
            continue
        missing = {"Ingress", "Egress"} - denied.get(namespace.name, set())
        if missing and not denied.get("?"):
            yield namespace.node.finding(
                f"{namespace.label} does not deny {' and '.join(sorted(missing))} by default"
            )
        elif missing:
            for item in stack.of_kind("NetworkPolicy"):
                item.node.at("metadata", "namespace").known()


def _denies(item: Object) -> set[str]:
    """Return the directions that a policy denies for all pods of its namespace; both if that is unknown."""
    spec = item.node["spec"]
    if not (spec.known() and spec["podSelector"].known() and spec["policyTypes"].known()):
        return {"Ingress", "Egress"}
    selector = spec["podSelector"]
    if not all_known(part for _, part in selector.entries()):
        return {"Ingress", "Egress"}
    if not isinstance(selector.raw, dict) or any(selector.raw.values()):
        return set()
    if not all_known(spec["policyTypes"].items()):
        return {"Ingress", "Egress"}
    types = {str(kind.raw) for kind in spec["policyTypes"].items()} or {"Ingress"}
    return {kind for kind in types if not list(spec[kind.lower()].items())}


@rule(
    "network-policy-open",
    "NetworkPolicies must not allow every source, or every destination on every port. "
    "They restrict nothing otherwise.",
    concern=CONCERN,
    types=r"kubernetes:(networking\.k8s\.io|extensions)/\w+:NetworkPolicy(List)?",
    remediation="Name ranges and ports; take private ranges out of 0.0.0.0/0 with except.",
    severity=Severity.HIGH,
    tags=(*_TAGS, "KUB4"),
)
def network_policy_open(resource: Resource, _: Settings) -> Iterator[Finding]:
    for item in objects_of(resource):
        spec = item.node["spec"]
        if _applies(spec, "Ingress"):
            for entry in spec["ingress"].items():
                yield from _open_ingress(entry)
        if _applies(spec, "Egress"):
            for entry in spec["egress"].items():
                yield from _open_egress(entry)


def _open_ingress(entry: Node) -> Iterator[Finding]:
    """An ingress rule from every source: without a peer, or from a range without exceptions that matter."""
    ports = entry["ports"]
    if entry.known() and _empty(entry["from"]):
        yield entry.finding("allows every source: it has no from")
    for source in entry["from"].items():
        block = source["ipBlock"]
        if not is_everyone(block["cidr"]) or not all_known([block["except"], *block["except"].items()]):
            continue
        private = _private_ranges(block)
        if private == _ALL:
            yield block["cidr"].finding("allows every source")
        elif private == _SOME and ports.known() and (not list(ports.items()) or every_port(ports)):
            yield block["cidr"].finding(
                "allows most sources on every port: list the ports, or every private range in except"
            )


def _open_egress(entry: Node) -> Iterator[Finding]:
    """Yield egress rules to every destination: no peer on every port, or a range without exceptions."""
    ports = entry["ports"]
    if not (entry.known() and ports.known() and entry["to"].known()):
        return
    unlimited = every_port(ports)
    if _empty(entry["to"]):
        if not list(ports.items()):
            yield entry.finding("allows every destination on every port: it has neither to nor ports")
        for port in unlimited:
            protocol = port["protocol"].text() or "TCP"
            yield port.finding(f"allows every destination on every {protocol} port")
    for target in entry["to"].items():
        block = target["ipBlock"]
        if not is_everyone(block["cidr"]):
            continue
        if not all_known([block["except"], *block["except"].items()]):
            continue
        private = _private_ranges(block)
        if private == _ALL and (not list(ports.items()) or unlimited):
            yield block["cidr"].finding("allows every destination on every port: list the ports")
        elif private == _SOME and (not list(ports.items()) or unlimited):
            yield block["cidr"].finding(
                "allows most destinations on every port: list the ports, or every private range in except"
            )
        elif private == _ALL:
            yield block["cidr"].finding("also allows every private range: list those ranges in except")


# The private ranges by version of IP.
_PRIVATE: Final = {4: ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"), 6: ("fc00::/7",)}
_NONE, _SOME, _ALL = "none", "some", "all"


def _private_ranges(block: Node) -> str:
    """Return how many of the private ranges a block of every address allows: `_NONE`, `_SOME` or `_ALL`.

    An exception within such a range, such as that of a cluster's own network, excludes some.
    """
    version = 6 if ":" in block["cidr"].text() else 4
    whole: tuple[int, int] | None = None
    with contextlib.suppress(ValueError):
        whole = _bounds(ipaddress.ip_network(block["cidr"].text().strip(), strict=False))
    excluded: list[tuple[int, int]] = []
    for item in block["except"].items():
        with contextlib.suppress(ValueError):
            network = ipaddress.ip_network(item.text().strip(), strict=False)
            if network.version == version:
                excluded.append(_bounds(network))
    private = [_bounds(ipaddress.ip_network(text)) for text in _PRIVATE[version]]
    if whole is not None and _covered(*whole, excluded):
        return _NONE
    # A block of half of all addresses contains only some of the private ranges.
    inside = [item for item in private if whole is None or whole[0] <= item[0] <= item[1] <= whole[1]]
    private = inside or private
    if all(_covered(first, last, excluded) for first, last in private):
        return _NONE
    overlaps = any(low <= last and first <= high for first, last in private for low, high in excluded)
    return _SOME if overlaps else _ALL


def _bounds(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> tuple[int, int]:
    return int(network.network_address), int(network.broadcast_address)


def _covered(first: int, last: int, ranges: list[tuple[int, int]]) -> bool:
    """Whether the ranges together contain every address from `first` to `last`."""
    for low, high in sorted(ranges):
        if low <= first <= high:
            first = high + 1
    return first > last


def every_port(ports: Node) -> list[Node]:
    """Return the items of ``ports`` that together leave a protocol unrestricted, one for each protocol."""
    found: dict[str, Node] = {}
    ranges: dict[str, list[tuple[float, float, Node]]] = {}
    for port in ports.items():
        if not (port.known() and port["port"].known() and port["endPort"].known()):
            continue
        protocol = port["protocol"].text() or "TCP"
        number = port["port"]
        if not number.present:
            found.setdefault(protocol, port)
        elif isinstance(number.raw, (int, float)):  # a named port is one port, and has no range
            last = port["endPort"].number() if port["endPort"].present else number.number()
            ranges.setdefault(protocol, []).append((number.number(), last, port))
    for protocol, items in ranges.items():
        reached = 0.0
        for first, last, port in sorted(items, key=lambda item: item[:2]):
            if first > reached + 1:
                break
            reached = max(reached, last)
            if reached >= _LAST_PORT:
                found.setdefault(protocol, port)
    return list(found.values())


_LAST_PORT: Final = 65_535


def _empty(peers: Node) -> bool:
    """Whether a list of peers is known and absent or empty: both select every address."""
    return peers.known() and not peers.raw


def _applies(spec: Node, direction: str) -> bool:
    """Whether a policy restricts a direction: one it names; else Ingress, and Egress if it has rules."""
    types = spec["policyTypes"]
    if not types.known() or not types.raw:
        return True
    named = list(types.items())
    return any(not kind.known() or kind.raw == direction for kind in named)


# Annotations of internal load balancers with their values, of any value if empty
# (https://kubernetes.io/docs/concepts/services-networking/service/#internal-load-balancer).
_INTERNAL: Final[dict[str, tuple[str, ...]]] = {
    "networking.gke.io/load-balancer-type": ("Internal",),
    "cloud.google.com/load-balancer-type": ("Internal", "internal"),
    "service.beta.kubernetes.io/aws-load-balancer-scheme": ("internal",),
    "service.beta.kubernetes.io/aws-load-balancer-internal": ("true", "0.0.0.0/0"),
    "service.beta.kubernetes.io/azure-load-balancer-internal": ("true",),
    "service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type": ("private",),
    "service.beta.kubernetes.io/openstack-internal-load-balancer": ("true",),
    "service.beta.kubernetes.io/cce-load-balancer-internal-vpc": ("true",),
    "service.kubernetes.io/qcloud-loadbalancer-internal-subnetid": (),
    "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type": ("intranet",),
    "service.beta.kubernetes.io/oci-load-balancer-internal": ("true",),
}


@rule(
    "service-exposed",
    "Services must not be public. "
    "A NodePort, or a LoadBalancer that is neither internal nor limited by source ranges, bypasses "
    "the edge.",
    concern=CONCERN,
    types=r"kubernetes:core/v1:(Service|ServiceList)",
    remediation=(
        "Use a ClusterIP behind the gateway, an internal load balancer, or loadBalancerSourceRanges."
    ),
    severity=Severity.HIGH,
    level=ADVISORY,
    tags=(*_TAGS, "KUB3"),
)
def service_exposed(resource: Resource, _: Settings) -> Iterator[Finding]:
    for item in objects_of(resource):
        kind = item.node.at("spec", "type")
        annotations = item.node.at("metadata", "annotations")
        internal = any(
            annotations[key].present and (not values or annotations[key].is_one_of(*values))
            for key, values in _INTERNAL.items()
        )
        ranges = item.node.at("spec", "loadBalancerSourceRanges")
        open_to_all = any(is_everyone(source) for source in ranges.items())
        if kind.is_one_of("NodePort"):
            yield kind.finding("is reachable on a port of every node")
        if kind.is_one_of("LoadBalancer") and not internal and (not ranges.present or open_to_all):
            yield kind.finding("public LoadBalancer bypasses the edge")


@rule(
    "origin-hidden",
    "Web DNS records must be proxied. "
    "The origin's address is public otherwise, and requests bypass the edge.",
    concern=CONCERN,
    types=r"cloudflare:index/dnsRecord:DnsRecord",
    remediation="Set proxied to true, or name the record in the policy's configuration.",
    severity=Severity.HIGH,
    tags=_TAGS,
    settings={
        "direct": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Names of records that must not go through the edge.",
        }
    },
)
def origin_hidden(resource: Resource, settings: Settings) -> Iterator[Finding]:
    web = (
        resource.node["type"].is_one_of("A", "AAAA")
        and resource.node["name"].text() not in settings["direct"]
    )
    if web and resource.node["proxied"].is_not_one_of(True):
        yield resource.node["proxied"].finding("must be true: the record exposes the address of the origin")
