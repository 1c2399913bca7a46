"""Network: nodes and control plane are private, and nothing is open to everyone by mistake."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from pulumi_policy import Severity

from policies.model.property_tree import Finding, Node, all_known
from policies.model.stack import Object, Resource, Stack, objects_of
from policies.pack.rule import ADVISORY, Settings, rule, stack_rule

_TAGS: Final = ("SOC2:CC6.6", "SEC1")
_WIDEST: Final = 7  # a shorter prefix is no range that anybody owns: two halves are everyone, too


def is_everyone(node: Node) -> bool:
    """Whether a range is known and means every address, or so large a part that it might as well."""
    text = node.text().strip()
    if "/" not in text:
        return text in ("0.0.0.0", "::", "*")  # noqa: S104 (compared with, not bound to)
    try:
        return ipaddress.ip_network(text, strict=False).prefixlen <= _WIDEST
    except ValueError:
        return False


@rule(
    "private-nodes",
    "No node can be reached from the internet: nodes have no public addresses.",
    types=r"gcp:container/(cluster:Cluster|nodePool:NodePool)",
    steps="Set enablePrivateNodes to true in privateClusterConfig (cluster) and networkConfig (pool).",
    severity=Severity.CRITICAL,
    tags=("CIS-GKE:6.6.5", *_TAGS),
)
def private_nodes(resource: Resource, _: Settings) -> Iterator[Finding]:
    if resource.type.endswith(":NodePool"):
        flag = resource.node.at("networkConfig", "enablePrivateNodes")
        if flag.unlike(None, True):
            yield flag.finding("must be true")
        return
    flag = resource.node.at("privateClusterConfig", "enablePrivateNodes")
    default = resource.node.at("networkConfig", "defaultEnablePrivateNodes")
    if flag.unlike(True) and not default.like(True):
        yield flag.finding("must be true")


@rule(
    "private-control-plane",
    "The cluster's API has no address on the internet that anyone may knock at.",
    types=r"gcp:container/cluster:Cluster",
    steps="Use the DNS endpoint and switch the IP endpoints off, or set enablePrivateEndpoint to true.",
    severity=Severity.CRITICAL,
    tags=("CIS-GKE:6.6.4", *_TAGS),
)
def private_control_plane(resource: Resource, _: Settings) -> Iterator[Finding]:
    private = resource.node.at("privateClusterConfig", "enablePrivateEndpoint")
    by_ip = resource.node.at("controlPlaneEndpointsConfig", "ipEndpointsConfig", "enabled")
    if private.unlike(True) and by_ip.unlike(False):
        yield private.finding("must be true, or the IP endpoints off")
    google = resource.node.at("masterAuthorizedNetworksConfig", "gcpPublicCidrsAccessEnabled")
    if google.like(True):
        yield google.finding("lets every customer of Google Cloud reach the control plane")
    for block in resource.node.at("masterAuthorizedNetworksConfig", "cidrBlocks").items():
        if is_everyone(block["cidrBlock"]):
            yield block["cidrBlock"].finding("lets everyone reach the control plane")


@stack_rule(
    "private-nodes-have-nat",
    "Private nodes can pull images and reach the database: a Cloud NAT leads out.",
    steps="Declare a RouterNat for the nodes' subnetwork.",
    severity=Severity.HIGH,
    tags=("SOC2:A1.1",),
)
def private_nodes_have_nat(stack: Stack, _: Settings) -> Iterator[Finding]:
    if stack.of_type("gcp:compute/routerNat:RouterNat"):
        return
    for cluster in stack.of_type("gcp:container/cluster:Cluster"):
        flag = cluster.node.at("privateClusterConfig", "enablePrivateNodes")
        if flag.like(True):
            yield flag.finding("nodes are private and no RouterNat leads out")


@rule(
    "network-policy-enforced",
    "Network policies are more than text: the cluster's data plane enforces them.",
    types=r"gcp:container/cluster:Cluster",
    steps="Set datapathProvider to ADVANCED_DATAPATH (Dataplane V2).",
    severity=Severity.HIGH,
    tags=("CIS-GKE:6.6.7", *_TAGS),
)
def network_policy_enforced(resource: Resource, _: Settings) -> Iterator[Finding]:
    path = resource.node["datapathProvider"]
    autopilot = resource.node["enableAutopilot"].like(True)
    older = resource.node.at("networkPolicy", "enabled").like(True)
    if path.unlike("ADVANCED_DATAPATH") and not older and not autopilot:
        yield path.finding("must be ADVANCED_DATAPATH")


@rule(
    "firewall-open",
    "No firewall rule lets the whole internet in.",
    types=r"gcp:compute/(firewall:Firewall|\w*[fF]irewallPolicyRule:\w*FirewallPolicyRule)",
    steps="Name the source ranges that are needed, such as those of Google's load balancers.",
    severity=Severity.CRITICAL,
    tags=("CIS-GKE:6.6.9", *_TAGS),
)
def firewall_open(resource: Resource, _: Settings) -> Iterator[Finding]:
    if resource.node["direction"].like("EGRESS") or resource.node["disabled"].like(True):
        return
    if resource.type.endswith("Rule"):
        if resource.node["action"].like("allow"):
            for source in resource.node.at("match", "srcIpRanges").items():
                if is_everyone(source):
                    yield source.finding("lets everyone in")
        return
    if resource.node["allows"].like(None, []):
        return
    named = ("sourceRanges", "sourceTags", "sourceServiceAccounts")
    if all(resource.node[key].like(None, []) for key in named):
        yield resource.node["sourceRanges"].finding("lets everyone in: it names no source")
    for source in resource.node["sourceRanges"].items():
        if is_everyone(source):
            yield source.finding("lets everyone in")


@rule(
    "atlas-access",
    "The database answers only to our own addresses.",
    types=r"mongodbatlas:index/projectIpAccessList:ProjectIpAccessList",
    steps="Allow single NAT addresses, or a range no wider than the configured prefix.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
    settings={
        "prefix": {
            "type": "integer",
            "default": 24,
            "minimum": 1,
            "maximum": 32,
            "description": "Shortest prefix (widest range) of IPv4 allowed.",
        }
    },
)
def atlas_access(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if is_everyone(resource.node["ipAddress"]):
        yield resource.node["ipAddress"].finding("lets everyone in")
    block = resource.node["cidrBlock"]
    if block.present and block.known():
        length = str(block.raw).rpartition("/")[2]
        if length.isdecimal() and int(length) < settings["prefix"]:
            yield block.finding(f"{block.raw} is wider than /{int(settings['prefix'])}")


@stack_rule(
    "default-deny",
    "A pod that was broken into reaches nothing: each namespace denies traffic that no policy allows.",
    steps="Declare a NetworkPolicy with an empty podSelector, both policyTypes and no rules.",
    severity=Severity.HIGH,
    tags=("CIS-GKE:5.3.2", *_TAGS, "KUB4"),
    house=True,
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
    """The directions that a policy closes for all pods of its namespace; both where that is not known."""
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
    "No network policy opens pods to every address, or lets them out to every address on every port.",
    types=r"kubernetes:networking\.k8s\.io/\w+:NetworkPolicy(List)?",
    steps="Name ranges and ports; take private ranges out of 0.0.0.0/0 with except.",
    severity=Severity.HIGH,
    tags=(*_TAGS, "KUB4"),
)
def network_policy_open(resource: Resource, _: Settings) -> Iterator[Finding]:
    for item in objects_of(resource):
        spec = item.node["spec"]
        for entry in spec["ingress"].items():
            if not entry["from"].present or (entry["from"].known() and entry["from"].raw == []):
                yield entry.finding("lets everyone in: it names no source")
            for source in entry["from"].items():
                if is_everyone(source.at("ipBlock", "cidr")):
                    yield source.at("ipBlock", "cidr").finding("lets everyone in")
        for entry in spec["egress"].items():
            ports = list(entry["ports"].items())
            if not entry["ports"].known():
                continue
            if not entry["to"].present and not ports:
                yield entry.finding("lets pods out to everywhere: it names neither target nor port")
            for target in entry["to"].items():
                block = target["ipBlock"]
                if is_everyone(block["cidr"]) and not (ports and block["except"].present):
                    yield block["cidr"].finding(
                        "lets pods out to everywhere: name ports, and ranges in except"
                    )


@rule(
    "service-exposed",
    "The gateway and the edge are the only way in: no Service opens a public address of its own.",
    types=r"kubernetes:core/v1:(Service|ServiceList)",
    steps="Use a ClusterIP behind the gateway, an internal load balancer, or loadBalancerSourceRanges.",
    severity=Severity.HIGH,
    level=ADVISORY,
    tags=(*_TAGS, "KUB3"),
)
def service_exposed(resource: Resource, _: Settings) -> Iterator[Finding]:
    for item in objects_of(resource):
        kind = item.node.at("spec", "type")
        annotations = item.node.at("metadata", "annotations")
        internal = annotations["networking.gke.io/load-balancer-type"].like("Internal")
        ranges = item.node.at("spec", "loadBalancerSourceRanges")
        open_to_all = any(is_everyone(source) for source in ranges.items())
        if kind.like("NodePort"):
            yield kind.finding("opens a port on every node")
        if kind.like("LoadBalancer") and not internal and (not ranges.present or open_to_all):
            yield kind.finding("opens a public address that goes round the edge")


@rule(
    "origin-hidden",
    "The origin's address stays unknown: web records go through the edge, its limits and its firewall.",
    types=r"cloudflare:index/dnsRecord:DnsRecord",
    steps="Set proxied to true, or name the record in the policy's configuration.",
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
    web = resource.node["type"].like("A", "AAAA") and resource.node["name"].text() not in settings["direct"]
    if web and resource.node["proxied"].unlike(True):
        yield resource.node["proxied"].finding("must be true: the record tells the origin's address")
