"""Checks of services: ports, addresses, and the distribution of traffic (`ValidateService`)."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.kubernetes.objects.networks import network_range
from rehearsal.providers.kubernetes.values import (
    MAX_PORT,
    integer,
    ip_address,
    items,
    known_text,
    mapping,
    missing,
    numbers,
    one_of,
    opened,
    port_number,
    qualified_name,
    scalar,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

Found = Iterator[Problem]
_SPEC: Final = ("spec",)
_FAMILIES: Final = ("IPv4", "IPv6")
_MAX_SESSION_SECONDS: Final = 86_400
_OF_LOAD_BALANCERS: Final = ("allocateLoadBalancerNodePorts", "loadBalancerClass")


def service_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a Service (`ValidateService`)."""
    spec = mapping(inputs.get("spec"))
    kind, ports = opened(spec.get("type", "ClusterIP")), opened(spec.get("ports"))
    address = opened(spec.get("clusterIP"))
    if kind == "ExternalName":
        if missing(spec.get("externalName")):
            yield problem(("spec", "externalName"), "required where type is ExternalName")
    elif missing(ports) and UNKNOWN not in (kind, address) and address != "None":
        yield problem(("spec", "ports"), "at least one port is required")
    yield from _port_numbers(items(ports), kind)
    if kind in ("LoadBalancer", "NodePort") and address == "None":
        yield problem(("spec", "clusterIP"), f"must not be None where type is {kind}")
    if isinstance(address, str) and address is not UNKNOWN and address not in ("", "None"):
        yield from _address(address, ("spec", "clusterIP"))
    if kind == "ClusterIP" and opened(spec.get("externalTrafficPolicy")) not in (None, UNKNOWN):
        yield problem(
            ("spec", "externalTrafficPolicy"), "may be set only where type is NodePort or LoadBalancer"
        )
    yield from traffic_problems(spec)
    for number, cidr in enumerate(items(spec.get("loadBalancerSourceRanges"))):
        yield from network_range(cidr, ("spec", "loadBalancerSourceRanges", number))


def _port_numbers(ports: list[Any], kind: Any) -> Found:
    """Yield problems of the names and numbers of ports; `kind` is the type of the service."""
    names: list[str] = []
    for number, port in enumerate(ports):
        at = ("spec", "ports", number)
        if not isinstance(port, Mapping):
            continue
        name = opened(port.get("name"))
        yield from _port_name(name, (*at, "name"))
        if name is None and len(ports) > 1:
            yield problem((*at, "name"), "required where a service has several ports")
        if isinstance(name, str) and name is not UNKNOWN:
            if name in names:
                yield problem((*at, "name"), f"{name!r} is the name of another port too")
            names.append(name)
        yield from numbers(port, at, {"port": 1}, MAX_PORT)
        if opened(port.get("targetPort")) != 0:  # 0: the same as port
            yield from port_number(port.get("targetPort"), (*at, "targetPort"))
        if opened(port.get("nodePort")) != 0:  # 0: the cluster chooses one
            yield from numbers(port, at, {"nodePort": 30_000}, 32_767)
            if kind in ("ClusterIP", "ExternalName") and integer(port.get("nodePort")):
                yield problem((*at, "nodePort"), f"must not be set where type is {kind}")


def _port_name(name: Any, path: Path) -> Found:
    """Check the name of a service port, which must be a DNS label."""
    known = isinstance(name, str) and name is not UNKNOWN
    if known and (len(name) > 63 or not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)):
        yield problem(path, f"{name!r} is not a DNS label: lower-case letters, digits, hyphens")


def _address(value: str, path: Path) -> Found:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        yield problem(path, f"{value!r} is not an IP address")


def traffic_problems(spec: Mapping[str, Any]) -> Found:
    """Yield problems of a service's `spec` beyond the names and numbers of its ports."""
    kind = opened(spec.get("type", "ClusterIP"))
    yield from one_of(spec, _SPEC, "ipFamilyPolicy", ("PreferDualStack", "RequireDualStack", "SingleStack"))
    distributions = ("PreferClose", "PreferSameNode", "PreferSameZone")
    yield from one_of(spec, _SPEC, "trafficDistribution", distributions)
    yield from _families(items(spec.get("ipFamilies")))
    yield from _addresses(spec)
    yield from _affinity(spec)
    if kind not in ("LoadBalancer", UNKNOWN):
        for name in _OF_LOAD_BALANCERS:
            if opened(spec.get(name)) not in (None, UNKNOWN):
                yield problem((*_SPEC, name), "may be set only where type is LoadBalancer")
    external = kind == "LoadBalancer" and opened(spec.get("externalTrafficPolicy")) in ("Local", UNKNOWN)
    if (
        kind is not UNKNOWN
        and not external
        and opened(spec.get("healthCheckNodePort")) not in (None, 0, UNKNOWN)
    ):
        reason = "may be set only where type is LoadBalancer and externalTrafficPolicy is Local"
        yield problem((*_SPEC, "healthCheckNodePort"), reason)
    yield from _ports(items(spec.get("ports")))


def _families(families: list[Any]) -> Found:
    for number, family in enumerate(families):
        at = (*_SPEC, "ipFamilies", number)
        if isinstance(family, str) and family is not UNKNOWN and family not in _FAMILIES:
            yield problem(at, f"{family!r} is not one of {', '.join(_FAMILIES)}")
        elif family is not UNKNOWN and family in families[:number]:
            yield problem(at, f"{family!r} is listed twice")


def _addresses(spec: Mapping[str, Any]) -> Found:
    for number, value in enumerate(items(spec.get("externalIPs"))):
        at = (*_SPEC, "externalIPs", number)
        found = list(ip_address(value, at))
        yield from found
        text = known_text(value)
        if text is not None and not found:
            parsed = ipaddress.ip_address(text)
            if parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified or parsed.is_multicast:
                yield problem(at, f"{text!r} is not the address of a host in a network")
    addresses = items(spec.get("clusterIPs"))
    first, single = (addresses or [None])[0], opened(spec.get("clusterIP"))
    if UNKNOWN not in (first, single) and single not in (None, "") and addresses and first != single:
        yield problem((*_SPEC, "clusterIPs", 0), f"{first!r} is not clusterIP ({single})")
    families: Counter[int] = Counter()
    for number, value in enumerate(addresses):
        found = list(ip_address(value, (*_SPEC, "clusterIPs", number))) if value not in ("None", "") else []
        yield from found
        text = known_text(value)
        if text not in (None, "None", "") and not found:
            families[ipaddress.ip_address(str(text)).version] += 1
    if max(families.values(), default=0) > 1:
        yield problem((*_SPEC, "clusterIPs"), "must not contain two addresses of one family")


def _affinity(spec: Mapping[str, Any]) -> Found:
    """The configuration of an affinity, which the server drops where there is none."""
    if opened(spec.get("sessionAffinity")) == "ClientIP":
        client, at = (
            mapping(mapping(spec.get("sessionAffinityConfig")).get("clientIP")),
            "sessionAffinityConfig",
        )
        yield from numbers(client, (*_SPEC, at, "clientIP"), {"timeoutSeconds": 1}, _MAX_SESSION_SECONDS)


def _ports(ports: list[Any]) -> Found:
    seen: set[tuple[Any, Any]] = set()
    for number, port in enumerate(ports):
        if not isinstance(port, Mapping):
            continue
        at = (*_SPEC, "ports", number)
        yield from qualified_name(port.get("appProtocol"), (*at, "appProtocol"))
        key = (scalar(port.get("protocol", "TCP")), scalar(port.get("port")))
        if UNKNOWN not in key and None not in key:
            if key in seen:
                yield problem(at, f"is the second port {key[1]} of {key[0]}")
            seen.add(key)
