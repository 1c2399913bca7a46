"""Checks of a pod's names, of its name resolution, and of what it shares with its host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.kubernetes.values import (
    dns_label,
    dns_subdomain,
    ip_address,
    items,
    known_text,
    mapping,
    one_of,
    opened,
    qualified_name,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import Path

_MAX_NAME_SERVERS: Final = 3
_MAX_SEARCHES: Final = 32


def host_problems(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Problems of the names and addresses in a pod's `spec` at `path` (`ValidatePodSpec`)."""
    for name in ("hostname", "subdomain"):
        if known_text(spec.get(name)):
            yield from dns_label(spec.get(name), (*path, name))
    config, at = mapping(spec.get("dnsConfig")), (*path, "dnsConfig")
    for name, max_items in (("nameservers", _MAX_NAME_SERVERS), ("searches", _MAX_SEARCHES)):
        number = len(items(config.get(name)))
        if number > max_items:
            yield problem((*at, name), f"has {number} items; at most {max_items} are allowed")
    for index, server in enumerate(items(config.get("nameservers"))):
        yield from ip_address(server, (*at, "nameservers", index))
    for index, alias in enumerate(items(spec.get("hostAliases"))):
        below = (*path, "hostAliases", index)
        yield from ip_address(mapping(alias).get("ip"), (*below, "ip"))
        for position, host in enumerate(items(mapping(alias).get("hostnames"))):
            yield from dns_subdomain(host, (*below, "hostnames", position))
    if opened(spec.get("hostPID")) is True and opened(spec.get("shareProcessNamespace")) is True:
        yield problem((*path, "shareProcessNamespace"), "must not be true where hostPID is true")
    for index, gate in enumerate(items(spec.get("readinessGates"))):
        kind = mapping(gate).get("conditionType")
        yield from qualified_name(kind, (*path, "readinessGates", index, "conditionType"))
    yield from one_of(mapping(spec.get("os")), (*path, "os"), "name", ("linux", "windows"))
    for name, value in mapping(spec.get("overhead")).items():
        if str(opened(value)).startswith("-"):
            yield problem((*path, "overhead", name), f"{opened(value)!r} is negative")
