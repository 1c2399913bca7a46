"""Checks of ingresses and network policies (`pkg/apis/networking/validation`)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.kubernetes.pods.scheduling import selector_problems
from rehearsal.providers.kubernetes.values import (
    MAX_PORT,
    dns_label,
    dns_subdomain,
    integer,
    ip_address,
    items,
    known_text,
    mapping,
    missing,
    numbers,
    one_of,
    opened,
    port_name,
    port_number,
    value_at,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

Found = Iterator[Problem]

_HOST: Final = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
# `invalidPathSequences`
_NOT_IN_PATHS: Final = ("//", "/./", "/../", "%2f")
_SPEC: Final = ("spec",)


def network_range(value: Any, path: Path) -> Found:
    """A problem of a text that is not an address range."""
    if not isinstance(value, str) or value is UNKNOWN:
        return
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        yield problem(path, f'{value!r} is not an address range, such as "10.0.0.0/8"')


def network_policy_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a NetworkPolicy (`ValidateNetworkPolicySpec`)."""
    spec = mapping(inputs.get("spec"))
    yield from selector_problems(spec.get("podSelector"), ("spec", "podSelector"))
    if len(items(spec.get("policyTypes"))) > 2:
        yield problem(("spec", "policyTypes"), "has at most two items")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for number, rule in enumerate(items(spec.get(direction))):
            if not isinstance(rule, Mapping):
                continue
            at = ("spec", direction, number)
            for index, port in enumerate(items(rule.get("ports"))):
                if isinstance(port, Mapping):
                    yield from port_number(port.get("port"), (*at, "ports", index, "port"))
                    yield from _last_port(port, (*at, "ports", index, "endPort"))
            for index, peer in enumerate(items(rule.get(peers))):
                if isinstance(peer, Mapping):
                    yield from _peer(peer, (*at, peers, index))


def _last_port(port: Mapping[str, Any], path: Path) -> Found:
    """Check `endPort`, which requires a numeric `port` that it is not less than."""
    first, last = opened(port.get("port")), integer(port.get("endPort"))
    if last is None or first is UNKNOWN:
        return
    number = integer(first)
    if number is None:
        yield problem(path, "may be set only where port is a number")
    elif last < number or last > MAX_PORT:
        yield problem(path, f"{last} is out of range: {number} to {MAX_PORT}")


def _peer(peer: Mapping[str, Any], path: Path) -> Found:
    selectors = ("namespaceSelector", "podSelector")
    for name in selectors:
        yield from selector_problems(peer.get(name), (*path, name))
    block = opened(peer.get("ipBlock"))
    if all(peer.get(name) is None for name in ("ipBlock", *selectors)):
        yield problem(path, "one of ipBlock, namespaceSelector, podSelector must be set")
    if not isinstance(block, Mapping):
        return
    if peer.get("podSelector") is not None or peer.get("namespaceSelector") is not None:
        yield problem(path, "ipBlock must not be set beside a selector")
    cidr = opened(block.get("cidr"))
    yield from network_range(cidr, (*path, "ipBlock", "cidr"))
    for number, other in enumerate(items(block.get("except"))):
        at = (*path, "ipBlock", "except", number)
        found = list(network_range(other, at))
        yield from found
        if not found and UNKNOWN not in (cidr, other) and not _within(str(other), str(cidr)):
            yield problem(at, f"{other} is not within {cidr}")


def _within(inner: str, outer: str) -> bool:
    try:
        first, second = (
            ipaddress.ip_network(inner, strict=False),
            ipaddress.ip_network(outer, strict=False),
        )
    except ValueError:
        return True  # `network_range` reports the malformed one
    return first.version == second.version and first != second and first.subnet_of(second)  # type: ignore[arg-type]


def ingress_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of an Ingress (`ValidateIngressSpec`)."""
    spec = mapping(inputs.get("spec"))
    if missing(spec.get("rules")) and spec.get("defaultBackend") is None:
        yield problem(_SPEC, "rules or defaultBackend must be set")
    yield from dns_subdomain(spec.get("ingressClassName"), ("spec", "ingressClassName"))
    yield from _backend(opened(spec.get("defaultBackend")), ("spec", "defaultBackend"))
    for number, encrypted in enumerate(items(spec.get("tls"))):
        for index, host in enumerate(items(mapping(encrypted).get("hosts"))):
            yield from _host(host, ("spec", "tls", number, "hosts", index))
    for number, rule in enumerate(items(spec.get("rules"))):
        host, at = value_at(rule, "host"), ("spec", "rules", number)
        yield from _host(host, (*at, "host"))
        if not list(ip_address(host, at)) and known_text(host):
            yield problem((*at, "host"), f"{host!r} is an address; a host name is required")
        if value_at(rule, "http", "paths") == []:
            yield problem((*at, "http", "paths"), "at least one path is required")
        for index, entry in enumerate(items(value_at(rule, "http", "paths"))):
            if isinstance(entry, Mapping):
                yield from _ingress_path(entry, (*at, "http", "paths", index))


def _host(host: Any, path: Path) -> Found:
    text = known_text(host)
    if text and not _HOST.fullmatch(text):
        yield problem(path, f"{text!r} is not a host name: lower-case letters, digits, hyphens, dots")


def _backend(backend: Any, path: Path) -> Found:
    """Yield problems of a backend: one resource, or one port of a service (`validateIngressBackend`)."""
    if not isinstance(backend, Mapping):
        return
    resource, service = opened(backend.get("resource")), opened(backend.get("service"))
    if (resource is None) == (service is None):
        yield problem(path, "exactly one of resource, service must be set")
    if not isinstance(service, Mapping):
        return
    yield from dns_label(service.get("name"), (*path, "service", "name"))
    port, at = opened(service.get("port")), (*path, "service", "port")
    name, number = (opened(mapping(port).get(key)) for key in ("name", "number"))
    if UNKNOWN not in (port, name, number) and bool(name) == bool(number):
        yield problem(at, "exactly one of name, number must be set")
    yield from numbers(mapping(port), at, {"number": 1}, MAX_PORT)
    yield from port_name(mapping(port).get("name"), (*at, "name"))


def _ingress_path(entry: Mapping[str, Any], path: Path) -> Found:
    kinds = ("Exact", "ImplementationSpecific", "Prefix")
    yield from one_of(entry, path, "pathType", kinds)
    where = opened(entry.get("path"))
    absolute = opened(entry.get("pathType")) in ("Exact", "Prefix")
    if absolute and isinstance(where, str) and where is not UNKNOWN and not where.startswith("/"):
        yield problem((*path, "path"), f'{where!r} does not start with "/"')
    elif absolute and isinstance(where, str) and where is not UNKNOWN:
        for sequence in _NOT_IN_PATHS:
            if sequence in where.lower():
                yield problem((*path, "path"), f"{where!r} must not contain {sequence!r}")
        if where.endswith(("/.", "/..")):
            yield problem((*path, "path"), f"{where!r} must not end with a dot")
    yield from _backend(opened(entry.get("backend")), (*path, "backend"))
