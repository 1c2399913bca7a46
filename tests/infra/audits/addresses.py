"""Resources that are reachable from the internet, and public addresses, must be listed here."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from infra.edge.address_ranges import CLOUDFLARE, LOAD_BALANCERS
from infra.network import GOOGLE_APIS
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.pulumi.properties import unwrap
from tests.infra.audits.finding import Finding, is_of_a_cloud, title
from tests.infra.audits.paths import ABSENT, leaves, values

# Intended public resources by logical name and type, with the reason.
DOORS: Final[Mapping[tuple[str, str], str]] = {
    ("network-nat-0", "gcp:compute/address:Address"): "what outsiders see of pods that call out",
    ("network-nat-1", "gcp:compute/address:Address"): "what outsiders see of pods that call out",
    ("origin", "gcp:compute/globalAddress:GlobalAddress"): "Cloudflare reaches the gateway here",
    ("gateway", "kubernetes:gateway.networking.k8s.io/v1:Gateway"): "the one way in, over TLS",
    ("edge", "cloudflare:index/dnsRecord:DnsRecord"): "the name, resolved to Cloudflare's addresses",
}
# Ranges that may appear anywhere: admitted clients, trusted proxies, private addresses of Google's APIs.
KNOWN: Final = tuple(ipaddress.ip_network(known) for known in (*CLOUDFLARE, *LOAD_BALANCERS, GOOGLE_APIS))
# Private ranges. The simulated providers assign public addresses from 198.18.0.0/15, which therefore counts
# as public here.
INSIDE: Final = tuple(
    ipaddress.ip_network(inside)
    for inside in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
    )
)
# GKE reports an address for a disabled endpoint too; `doors` checks that it is disabled.
SWITCHED_OFF: Final = {("gcp:container/cluster:Cluster", "privateClusterConfig.publicEndpoint")}
# Objects that allow egress to any public address, with the reason why a range is not possible.
OUTBOUND: Final[Mapping[tuple[str, str], str]] = {
    (
        "isolation-to-mail",
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
    ): "a mail server's addresses change",
}
ADDRESS: Final = re.compile(
    r"(?<![\w.])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,7})(?:/\d+)?"
)


def unmeant_addresses(resources: Sequence[ResourceState]) -> Iterator[Finding]:
    """Yield open resources and public addresses that are not listed."""
    meant = meant_addresses(resources)
    for resource in filter(is_of_a_cloud, resources):
        name = resource.urn.rpartition("::")[2]
        for what in doors(resource.type, unwrap(resource.inputs)):
            if (name, resource.type) not in DOORS:
                yield Finding("addresses", title(resource), what)
        for side, properties in (("inputs", resource.inputs), ("outputs", resource.outputs)):
            for path, value in leaves(unwrap(properties)):
                if (resource.type, path) in SWITCHED_OFF or not isinstance(value, str):
                    continue
                if (name, resource.type) in OUTBOUND and path.startswith("spec.egress[].to"):
                    continue
                for found in public(value):
                    allowed = found in meant or any(_within(found, known) for known in KNOWN)
                    if not allowed and not _refuses(resource, found):
                        yield Finding("addresses", title(resource), f"{side}.{path} has {found}")


def meant_addresses(resources: Sequence[ResourceState]) -> set[Any]:
    """Return the public addresses that the cloud assigned to the intended public resources."""
    return {
        found
        for resource in resources
        if (resource.urn.rpartition("::")[2], resource.type) in DOORS
        and resource.type.startswith("gcp:compute")
        for found in public(str(unwrap(resource.outputs).get("address", "")))
    }


def public(text: str) -> Iterator[Any]:
    """Yield the networks in a text that are not within a private range, as `ipaddress` networks."""
    for match in ADDRESS.finditer(text):
        try:
            network = ipaddress.ip_network(match[0], strict=False)
        except ValueError:
            continue  # not an address, such as a version or a time
        if not any(_within(network, inside) for inside in INSIDE):
            yield network


def doors(type_: str, inputs: dict[str, Any]) -> Iterator[str]:
    """Yield how a resource is open to the internet."""
    kind = type_.rpartition(":")[2]
    spec = inputs.get("spec", {})
    match kind:
        case "Address" | "GlobalAddress" if inputs.get("addressType", "EXTERNAL") == "EXTERNAL":
            yield "is an address on the internet"
        case "ForwardingRule" | "GlobalForwardingRule" if inputs.get(
            "loadBalancingScheme", "EXTERNAL"
        ) not in {
            "",
            "INTERNAL",
            "INTERNAL_MANAGED",
            "INTERNAL_SELF_MANAGED",
        }:
            yield "balances traffic from the internet"
        case "Gateway" if "-external-" in str(spec.get("gatewayClassName")):
            yield "is reachable from the internet"
        case "Ingress":
            yield "is reachable from the internet"
        case "Service" if type_.startswith("kubernetes:") and (
            spec.get("type", "ClusterIP") in {"LoadBalancer", "NodePort"} or spec.get("externalIPs")
        ):
            yield f"is a {spec.get('type')} service"
        case "Cluster" if type_.startswith("gcp:container"):
            yield from _open_cluster(inputs)
        case "NodePool" if values(inputs, "networkConfig.enablePrivateNodes") != [True]:
            yield "has nodes with public addresses"
        case "Instance" if (
            type_.startswith("gcp:redis") and inputs.get("connectMode") != "PRIVATE_SERVICE_ACCESS"
        ):
            yield "is reached over a peering of its own"
        case "ProjectIpAccessList":
            yield "lets an address in to the database"
        case "AdvancedCluster" if values(inputs, "replicationSpecs[].regionConfigs[].providerName") == [
            ABSENT
        ]:
            yield "has no load balancing scheme"
        case "Bucket" if inputs.get("publicAccessPrevention") != "enforced":
            yield "can be made public"
        case "Firewall" if inputs.get("direction", "INGRESS") == "INGRESS" and inputs.get("allows"):
            yield "lets traffic in"
        case "SecurityPolicy" if any(
            rule.get("action") == "allow" and "*" in values(rule, "match.config.srcIpRanges[]")
            for rule in inputs.get("rules", ())
        ):
            yield "admits all clients"
        case "DnsRecord" if inputs.get("type") in {"A", "AAAA"}:
            yield "is a name on the internet"
        case _ if "IAM" in kind.upper() and {inputs.get("member"), *inputs.get("members", ())} & {
            "allUsers",
            "allAuthenticatedUsers",
        }:
            yield "is granted to all users"
        case _:
            return


def _open_cluster(inputs: dict[str, Any]) -> Iterator[str]:
    if values(inputs, "privateClusterConfig.enablePrivateNodes") != [True]:
        yield "has nodes with public addresses"
    if values(inputs, "privateClusterConfig.enablePrivateEndpoint") != [True]:
        yield "has a control plane with a public address"
    if values(inputs, "controlPlaneEndpointsConfig.ipEndpointsConfig.enabled") != [False]:
        yield "has a control plane with an IP endpoint"
    if values(inputs, "masterAuthorizedNetworksConfig.cidrBlocks") not in ([[]], [ABSENT]):
        yield "lets addresses in to its control plane"


def _refuses(resource: ResourceState, found: Any) -> bool:
    """Return whether an address is `0.0.0.0/0` in a rule that denies."""
    inputs = unwrap(resource.inputs)
    return found.prefixlen == 0 and bool(inputs.get("denies")) and not inputs.get("allows")


def _within(network: Any, other: Any) -> bool:
    return network.version == other.version and network.subnet_of(other)
