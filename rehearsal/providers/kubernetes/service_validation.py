"""Checks of how a service distributes traffic and of its addresses (`ValidateService`)."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.kubernetes.values import (
    ip_address,
    items,
    known_text,
    mapping,
    numbers,
    one_of,
    opened,
    qualified_name,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN

_SPEC: Final = ("spec",)
_FAMILIES: Final = ("IPv4", "IPv6")
_MAX_SESSION_SECONDS: Final = 86_400
_OF_LOAD_BALANCERS: Final = ("allocateLoadBalancerNodePorts", "loadBalancerClass")


def traffic_problems(spec: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of a service's `spec` beyond those of each port."""
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


def _families(families: list[Any]) -> Iterator[Problem]:
    for number, family in enumerate(families):
        at = (*_SPEC, "ipFamilies", number)
        if isinstance(family, str) and family is not UNKNOWN and family not in _FAMILIES:
            yield problem(at, f"{family!r} is not one of {', '.join(_FAMILIES)}")
        elif family is not UNKNOWN and family in families[:number]:
            yield problem(at, f"{family!r} is listed twice")


def _addresses(spec: Mapping[str, Any]) -> Iterator[Problem]:
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


def _affinity(spec: Mapping[str, Any]) -> Iterator[Problem]:
    """The configuration of an affinity, which the server drops where there is none."""
    if opened(spec.get("sessionAffinity")) == "ClientIP":
        client, at = (
            mapping(mapping(spec.get("sessionAffinityConfig")).get("clientIP")),
            "sessionAffinityConfig",
        )
        yield from numbers(client, (*_SPEC, at, "clientIP"), {"timeoutSeconds": 1}, _MAX_SESSION_SECONDS)


def _ports(ports: list[Any]) -> Iterator[Problem]:
    seen: set[tuple[Any, Any]] = set()
    for number, port in enumerate(ports):
        if not isinstance(port, Mapping):
            continue
        at = (*_SPEC, "ports", number)
        yield from qualified_name(port.get("appProtocol"), (*at, "appProtocol"))
        key = (opened(port.get("protocol", "TCP")), opened(port.get("port")))
        if UNKNOWN not in key and None not in key:
            if key in seen:
                yield problem(at, f"is the second port {key[1]} of {key[0]}")
            seen.add(key)
