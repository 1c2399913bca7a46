"""Checks of gateways and HTTP routes by their published definitions (Gateway API 1.6, standard channel).

The definitions are in the cluster, where GKE installs them, and a preview has no cluster. Sources: the
schemas and the CEL rules in ``config/crd/standard`` of sigs.k8s.io/gateway-api.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.kubernetes.values import (
    MAX_PORT,
    items,
    known_text,
    mapping,
    numbers,
    one_of,
    opened,
    scalar,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

Found = Iterator[Problem]
GROUP: Final = "gateway.networking.k8s.io"

_HOST: Final = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DURATION: Final = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}")
_PART: Final = re.compile(r"([0-9]+)(ms|h|m|s)")
_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_MAX_WEIGHT: Final = 1_000_000
_MAX_LISTENERS: Final = 64
_METHODS: Final = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
_FILTERS: Final[Mapping[str, str]] = {
    "CORS": "cors",
    "ExtensionRef": "extensionRef",
    "RequestHeaderModifier": "requestHeaderModifier",
    "RequestMirror": "requestMirror",
    "RequestRedirect": "requestRedirect",
    "ResponseHeaderModifier": "responseHeaderModifier",
    "URLRewrite": "urlRewrite",
}


def gateway_api_problems(kind: str, inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a Gateway or an HTTPRoute; nothing for objects of other kinds."""
    spec = mapping(inputs.get("spec"))
    if kind == "Gateway":
        yield from _gateway(spec)
    elif kind == "HTTPRoute":
        yield from _route(spec)


def _gateway(spec: Mapping[str, Any]) -> Found:
    if opened(spec.get("gatewayClassName")) == "":
        yield problem(("spec", "gatewayClassName"), "must not be empty")
    listeners, path = opened(spec.get("listeners")), ("spec", "listeners")
    if isinstance(listeners, list) and not 1 <= len(listeners) <= _MAX_LISTENERS:
        yield problem(path, f"has {len(listeners)} items: 1 to {_MAX_LISTENERS} are allowed")
    names: list[Any] = []
    addresses: list[tuple[Any, ...]] = []
    for number, listener in enumerate(items(listeners)):
        if not isinstance(listener, Mapping):
            continue
        at = (*path, number)
        yield from _listener(listener, at)
        name = opened(listener.get("name"))
        if name is not UNKNOWN and name in names:
            yield problem((*at, "name"), f"{name!r} is the name of another listener too")
        names.append(name)
        address = tuple(opened(listener.get(one)) for one in ("port", "protocol", "hostname"))
        if UNKNOWN not in address and address in addresses:
            yield problem(at, "has the port, protocol and hostname of another listener")
        addresses.append(address)
    for number, item in enumerate(items(spec.get("addresses"))):
        yield from _address(mapping(item), ("spec", "addresses", number))


def _listener(listener: Mapping[str, Any], path: Path) -> Found:
    yield from numbers(listener, path, {"port": 1}, MAX_PORT)
    yield from _host(listener.get("hostname"), (*path, "hostname"))
    protocol, tls = opened(listener.get("protocol")), opened(listener.get("tls"))
    if protocol in ("HTTP", "TCP", "UDP") and tls not in (None, UNKNOWN):
        yield problem((*path, "tls"), f"must not be set for the protocol {protocol}")
    if protocol in ("TCP", "UDP") and opened(listener.get("hostname")) not in (None, "", UNKNOWN):
        yield problem((*path, "hostname"), f"must not be set for the protocol {protocol}")
    held, at = mapping(tls), (*path, "tls")
    yield from one_of(held, at, "mode", ("Passthrough", "Terminate"))
    mode = opened(held.get("mode", "Terminate"))
    if protocol == "HTTPS" and mode == "Passthrough":
        yield problem((*at, "mode"), "must be Terminate for the protocol HTTPS")
    certificates, options = opened(held.get("certificateRefs")), opened(held.get("options"))
    if held and mode == "Terminate" and not (UNKNOWN in (certificates, options) or certificates or options):
        yield problem((*at, "certificateRefs"), "must be set where mode is Terminate, unless options are")
    namespaces = mapping(mapping(listener.get("allowedRoutes")).get("namespaces"))
    below = (*path, "allowedRoutes", "namespaces")
    yield from one_of(namespaces, below, "from", ("All", "None", "Same", "Selector"))


def _address(address: Mapping[str, Any], path: Path) -> Found:
    value = known_text(address.get("value"))
    if value is not None and opened(address.get("type", "IPAddress")) == "IPAddress":
        try:
            ipaddress.ip_address(value)
        except ValueError:
            yield problem((*path, "value"), f"{value!r} is not an IP address")


def _host(value: Any, path: Path) -> Found:
    host = known_text(value)
    if host and (len(host) > 253 or not _HOST.fullmatch(host)):
        yield problem(path, f"{host!r} is not a host name in lower case, with an optional `*.` before it")


def _route(spec: Mapping[str, Any]) -> Found:
    for number, host in enumerate(items(spec.get("hostnames"))):
        yield from _host(host, ("spec", "hostnames", number))
    for number, rule in enumerate(items(spec.get("rules"))):
        if isinstance(rule, Mapping):
            yield from _rule(rule, ("spec", "rules", number))


def _rule(rule: Mapping[str, Any], path: Path) -> Found:
    for number, match in enumerate(items(rule.get("matches"))):
        yield from _match(mapping(match), (*path, "matches", number))
    filters = items(rule.get("filters"))
    for number, item in enumerate(filters):
        yield from _filter(mapping(item), (*path, "filters", number))
    kinds = [scalar(mapping(item).get("type")) for item in filters]
    if "RequestRedirect" in kinds and items(rule.get("backendRefs")):
        yield problem((*path, "backendRefs"), "must not be set beside a filter RequestRedirect")
    if {"RequestRedirect", "URLRewrite"} <= {*kinds} - {UNKNOWN}:
        yield problem((*path, "filters"), "must not contain both RequestRedirect and URLRewrite")
    for number, backend in enumerate(items(rule.get("backendRefs"))):
        if not isinstance(backend, Mapping):
            continue
        at = (*path, "backendRefs", number)
        yield from numbers(backend, at, {"weight": 0}, _MAX_WEIGHT)
        yield from numbers(backend, at, {"port": 1}, MAX_PORT)
        service = (opened(backend.get("group", "")), opened(backend.get("kind", "Service")))
        if service == ("", "Service") and opened(backend.get("port")) is None:
            yield problem((*at, "port"), "required for a reference to a Service")
    yield from _timeouts(mapping(rule.get("timeouts")), (*path, "timeouts"))


def _match(match: Mapping[str, Any], path: Path) -> Found:
    yield from one_of(match, path, "method", _METHODS)
    held, at = mapping(match.get("path")), (*path, "path")
    yield from one_of(held, at, "type", ("Exact", "PathPrefix", "RegularExpression"))
    value = known_text(held.get("value"))
    plain = opened(held.get("type", "PathPrefix")) in ("Exact", "PathPrefix")
    if plain and value is not None and not value.startswith("/"):
        yield problem((*at, "value"), f"{value!r} does not start with a slash")
    for name in ("headers", "queryParams"):
        for number, item in enumerate(items(match.get(name))):
            yield from one_of(mapping(item), (*path, name, number), "type", ("Exact", "RegularExpression"))


def _filter(item: Mapping[str, Any], path: Path) -> Found:
    yield from one_of(item, path, "type", tuple(_FILTERS))
    kind = known_text(item.get("type"))
    name = _FILTERS.get(kind or "")
    if name is None:
        return
    if item.get(name) is None:
        yield problem((*path, name), f"required where type is {kind}")
    for other in _FILTERS.values():
        if other != name and opened(item.get(other)) not in (None, UNKNOWN):
            yield problem((*path, other), f"must not be set where type is {kind}")
    redirect = mapping(item.get("requestRedirect"))
    yield from one_of(redirect, (*path, "requestRedirect"), "scheme", ("http", "https"))


def _timeouts(timeouts: Mapping[str, Any], path: Path) -> Found:
    seconds: dict[str, float] = {}
    for name in ("request", "backendRequest"):
        value = known_text(timeouts.get(name))
        if value is None:
            continue
        if not _DURATION.fullmatch(value):
            yield problem((*path, name), f'{value!r} is not a duration, such as "10s"')
        else:
            seconds[name] = sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(value))
    if len(seconds) == 2 and 0 < seconds["request"] < seconds["backendRequest"]:
        yield problem((*path, "backendRequest"), "is longer than the timeout of the request")
