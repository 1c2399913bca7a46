"""Checks of a pod's specification as the API server makes them (`pkg/apis/core/validation/validation.go`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

from policies.api import overcommits, parse_quantity
from rehearsal.providers.kubernetes.pods.hosts import host_problems
from rehearsal.providers.kubernetes.pods.scheduling import scheduling_problems
from rehearsal.providers.kubernetes.pods.security import security_problems
from rehearsal.providers.kubernetes.pods.volumes import volume_problems
from rehearsal.providers.kubernetes.values import (
    MAX_PORT,
    dns_subdomain,
    items,
    known_text,
    mapping,
    missing,
    numbers,
    one_of,
    opened,
    port_name,
    port_number,
    scalar,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_ENVIRONMENT_NAME: Final = re.compile(r"[\x20-\x3c\x3e-\x7e]+")  # printable ASCII without "="
_HANDLERS: Final = ("exec", "grpc", "httpGet", "tcpSocket")
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_DNS_POLICIES: Final = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
# `validEnvDownwardAPIFieldPathExpressions`
_FIELDS: Final = re.compile(
    r"metadata\.(name|namespace|uid|labels\['.+'\]|annotations\['.+'\])|spec\.(nodeName|serviceAccountName)"
    r"|status\.(hostIP|hostIPs|podIP|podIPs)"
)
# `validContainerResourceFieldPathExpressions`
_RESOURCE_FIELDS: Final = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)")
_RESOURCES: Final = frozenset({"cpu", "ephemeral-storage", "memory"})
_HUGE_PAGES: Final = "hugepages-"
# The properties of a port that take a port of the host, with their defaults.
_HOST_PORT: Final = {"hostPort": None, "protocol": "TCP", "hostIP": ""}
_DEFAULT_GRACE_SECONDS: Final = 30


def pod_problems(spec: Any, path: Path, restart: tuple[str, ...] = ()) -> Iterator[Problem]:
    """Problems of a pod's `spec` at `path`; `restart` are the restart policies that its controller allows."""
    spec = opened(spec)
    if not isinstance(spec, Mapping):
        return
    policy = opened(spec.get("restartPolicy", "Always"))
    if restart and policy is not UNKNOWN and policy not in restart:
        allowed = " or ".join(f'"{one}"' for one in restart)
        yield problem((*path, "restartPolicy"), f'"{policy}" is not allowed for this controller: {allowed}')
    yield from numbers(spec, path, {"activeDeadlineSeconds": 1})
    yield from one_of(spec, path, "dnsPolicy", _DNS_POLICIES)
    if known_text(spec.get("priorityClassName")):
        yield from dns_subdomain(spec.get("priorityClassName"), (*path, "priorityClassName"))
    yield from host_problems(spec, path)
    volumes = list(_volumes(spec, path))
    yield from (found for found in volumes if isinstance(found, Problem))
    names = {found for found in volumes if isinstance(found, str)}
    containers = spec.get("containers")
    if isinstance(containers, list) and not containers:
        yield problem((*path, "containers"), "at least one container is required")
    seen: set[str] = set()
    for kind in ("initContainers", "containers"):
        for number, container in enumerate(items(spec.get(kind))):
            at = (*path, kind, number)
            if isinstance(container, Mapping):
                yield from _container(container, at, names, seen, kind == "containers")
    on_host = opened(spec.get("hostNetwork")) is True
    yield from _host_ports(items(spec.get("containers")), (*path, "containers"), on_host=on_host)
    yield from scheduling_problems(spec, path)
    yield from security_problems(spec.get("securityContext"), (*path, "securityContext"))
    config = opened(spec.get("dnsConfig"))
    no_servers = config is not UNKNOWN and missing(mapping(config).get("nameservers"))
    if opened(spec.get("dnsPolicy")) == "None" and no_servers:
        at = (*path, "dnsConfig", "nameservers")
        yield problem(at, "at least one is required where dnsPolicy is None")
    yield from _lifecycles(spec, path)


def _lifecycles(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Check lifecycle handlers: one action each, and no `sleep` longer than the termination grace period."""
    grace = opened(spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE_SECONDS))
    for number, container in enumerate(items(spec.get("containers"))):
        for event, handler in mapping(mapping(container).get("lifecycle")).items():
            handler = opened(handler)
            if event not in ("postStart", "preStop") or not isinstance(handler, Mapping):
                continue
            at = (*path, "containers", number, "lifecycle", event)
            given = [name for name, value in handler.items() if value is not None]
            if len(given) != 1:
                yield problem(at, f"needs one handler; {', '.join(sorted(given)) or 'none'} is set")
            pause = opened(mapping(handler.get("sleep")).get("seconds"))
            yield from numbers(mapping(handler.get("sleep")), (*at, "sleep"), {"seconds": 0})
            if isinstance(pause, (int, float)) and isinstance(grace, (int, float)) and pause > grace:
                reason = f"{int(pause)} is longer than terminationGracePeriodSeconds ({int(grace)})"
                yield problem((*at, "sleep", "seconds"), reason)


def _volumes(spec: Mapping[str, Any], path: Path) -> Iterator[Problem | str]:
    """Yield the names of a pod's volumes, "*" for each unknown one, and problems of the volumes."""
    seen: set[str] = set()
    for number, volume in enumerate(items(spec.get("volumes"))):
        at = (*path, "volumes", number)
        if not isinstance(volume, Mapping):
            yield "*"  # any mount may refer to an unknown volume
            continue
        name = opened(volume.get("name"))
        if isinstance(name, str) and name is not UNKNOWN:
            if name in seen:
                yield problem((*at, "name"), f"{name!r} is the name of another volume too")
            seen.add(name)
            yield name
        else:
            yield "*"
        sources = [key for key, value in volume.items() if key != "name" and value is not None]
        if len(sources) > 1:
            yield problem(
                at, f"has {len(sources)} sources ({', '.join(sorted(sources))}); exactly one is allowed"
            )
        yield from volume_problems(volume, at)
    if spec.get("volumes") is UNKNOWN:
        yield "*"


def _container(
    container: Mapping[str, Any], path: Path, volumes: set[str], seen: set[str], is_main: bool
) -> Iterator[Problem]:
    name = opened(container.get("name"))
    if isinstance(name, str) and name is not UNKNOWN:
        if len(name) > 63 or not _LABEL.fullmatch(name):
            yield problem(
                (*path, "name"), f"{name!r} is not a DNS label: lower-case letters, digits, hyphens"
            )
        elif name in seen:
            yield problem((*path, "name"), f"{name!r} is the name of another container too")
        seen.add(name)
    image = opened(container.get("image"))
    if image is None or image == "":
        yield problem((*path, "image"), "missing required property")
    elif (text := known_text(image)) is not None and text != text.strip():
        yield problem((*path, "image"), f"{text!r} has spaces around it")
    yield from security_problems(container.get("securityContext"), (*path, "securityContext"))
    yield from _ports(container, path)
    yield from _environment(container, path)
    yield from _resources(opened(container.get("resources")), (*path, "resources"))
    mounted: set[Any] = set()
    for number, mount in enumerate(items(container.get("volumeMounts"))):
        at = (*path, "volumeMounts", number)
        if not isinstance(mount, Mapping):
            continue
        volume, target = opened(mount.get("name")), opened(mount.get("mountPath"))
        if isinstance(volume, str) and volume is not UNKNOWN and not volumes & {volume, "*"}:
            yield problem((*at, "name"), f"no volume of this pod has the name {volume!r}")
        if isinstance(target, str) and target is not UNKNOWN:
            if target in mounted:
                yield problem((*at, "mountPath"), f"{target!r} is mounted twice in this container")
            mounted.add(target)
    runs_on = is_main or opened(container.get("restartPolicy")) in ("Always", UNKNOWN)
    for kind in _PROBES:
        probe = opened(container.get(kind))
        if isinstance(probe, Mapping) and is_main:
            yield from _probe(probe, (*path, kind), single_success=kind != "readinessProbe")
    for kind in (*_PROBES, "lifecycle"):
        if not runs_on and opened(container.get(kind)) not in (None, UNKNOWN):
            yield problem(
                (*path, kind), "may be set for an init container only where restartPolicy is Always"
            )


def _ports(container: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    names: set[str] = set()
    for number, port in enumerate(items(container.get("ports"))):
        at = (*path, "ports", number)
        if not isinstance(port, Mapping):
            continue
        yield from numbers(port, at, {"containerPort": 1, "hostPort": 1}, MAX_PORT)
        name = opened(port.get("name"))
        yield from port_name(name, (*at, "name"))
        if isinstance(name, str) and name is not UNKNOWN:
            if name in names:
                yield problem((*at, "name"), f"{name!r} is the name of another port too")
            names.add(name)


def _host_ports(containers: list[Any], path: Path, *, on_host: bool) -> Iterator[Problem]:
    """`checkHostPortConflicts`, `validateHostNetwork`: two ports of a pod cannot have one port of the host.

    `on_host` is whether the pod uses the network of its node.
    """
    seen: set[tuple[Any, ...]] = set()
    for number, container in enumerate(containers):
        for index, port in enumerate(items(mapping(container).get("ports"))):
            if not isinstance(port, Mapping) or scalar(port.get("hostPort")) in (None, 0):
                continue
            own, inside = opened(port.get("hostPort")), opened(port.get("containerPort"))
            if on_host and own != inside and UNKNOWN not in (own, inside):
                reason = f"must be the containerPort ({inside}) where hostNetwork is true"
                yield problem((*path, number, "ports", index, "hostPort"), reason)
            key = tuple(scalar(port.get(name, default)) for name, default in _HOST_PORT.items())
            if UNKNOWN not in key and key in seen:
                reason = f"{key[0]} is the host's port of another one too"
                yield problem((*path, number, "ports", index, "hostPort"), reason)
            seen.add(key)


def _environment(container: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    for number, variable in enumerate(items(container.get("env"))):
        at = (*path, "env", number)
        if not isinstance(variable, Mapping):
            continue
        name = opened(variable.get("name"))
        if isinstance(name, str) and name is not UNKNOWN and not _ENVIRONMENT_NAME.fullmatch(name):
            yield problem((*at, "name"), f"{name!r} is not the name of an environment variable")
        source = opened(variable.get("valueFrom"))
        if source is not None and variable.get("value") not in (None, ""):
            yield problem((*at, "valueFrom"), "must not be set beside value")
        if isinstance(source, Mapping) and (given := [key for key, one in source.items() if one is not None]):
            if len(given) > 1:
                yield problem((*at, "valueFrom"), f"only one of {', '.join(sorted(given))} may be set")
        elif isinstance(source, Mapping):
            yield problem((*at, "valueFrom"), "must name the source of the value")
        resource = known_text(mapping(mapping(source).get("resourceFieldRef")).get("resource"))
        if resource is not None and not _RESOURCE_FIELDS.fullmatch(resource):
            below = (*at, "valueFrom", "resourceFieldRef", "resource")
            yield problem(below, f"{resource!r} is not offered to a container")
        field = known_text(mapping(mapping(source).get("fieldRef")).get("fieldPath"))
        if field is not None and not _FIELDS.fullmatch(field):
            yield problem((*at, "valueFrom", "fieldRef", "fieldPath"), f"{field!r} is not offered to a pod")

    yield from _environment_sources(container, path)


def _environment_sources(container: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    for number, source in enumerate(items(container.get("envFrom"))):
        at = (*path, "envFrom", number)
        if not isinstance(source, Mapping):
            continue
        prefix = known_text(source.get("prefix"))
        if prefix and not _ENVIRONMENT_NAME.fullmatch(prefix):
            yield problem((*at, "prefix"), f"{prefix!r} is not the start of an environment variable's name")
        if (source.get("configMapRef") is None) == (source.get("secretRef") is None):
            yield problem(at, "exactly one of configMapRef, secretRef must be set")


def _resources(resources: Any, path: Path) -> Iterator[Problem]:
    if not isinstance(resources, Mapping):
        return
    requests, limits = opened(resources.get("requests")), opened(resources.get("limits"))
    for kind, amounts in (("requests", requests), ("limits", limits)):
        for name, value in amounts.items() if isinstance(amounts, Mapping) else ():
            amount, at = _amount(value), (*path, kind, name)
            if amount is not None and amount < 0:
                yield problem(at, f"{value!r} is negative")
            if "/" not in name and name not in _RESOURCES and not name.startswith(_HUGE_PAGES):
                yield problem(at, f"{name!r} is neither a resource of containers nor one with a domain")
            elif "/" in name and amount is not None and amount.denominator != 1:
                yield problem(at, f"{value!r} is not a whole number")
    given = {name for amounts in (requests, limits) if isinstance(amounts, Mapping) for name in amounts}
    huge = any(name.startswith(_HUGE_PAGES) for name in given)
    if huge and not given & {"cpu", "memory"} and UNKNOWN not in (requests, limits):
        yield problem(path, "huge pages require cpu or memory")
    if UNKNOWN in (requests, limits) or not isinstance(requests, Mapping):
        return
    limits = limits if isinstance(limits, Mapping) else {}
    for name, value in requests.items():
        at = (*path, "requests", name)
        requested, limit = _amount(value), _amount(limits.get(name))
        if requested is not None and limits.get(name) is None and not overcommits(name):
            yield problem(at, "needs a limit, since this resource cannot be overcommitted")
        elif requested is None or limit is None:
            continue
        elif requested > limit:
            yield problem(at, f"{value} is more than the limit of {opened(limits[name])}")
        elif requested < limit and not overcommits(name):
            reason = f"{value} must equal the limit of {opened(limits[name])}: it cannot be overcommitted"
            yield problem(at, reason)


def _amount(value: Any) -> Fraction | None:
    value = opened(value)
    if value is UNKNOWN or isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    if isinstance(value, str) and value.startswith("-"):
        amount = parse_quantity(value[1:])
        return -amount if amount is not None else None
    return parse_quantity(value)


def _probe(probe: Mapping[str, Any], path: Path, *, single_success: bool) -> Iterator[Problem]:
    handlers = [name for name in _HANDLERS if probe.get(name) is not None]
    if len(handlers) != 1:
        given = f"; {', '.join(handlers)} are" if handlers else ""
        yield problem(path, f"exactly one of {', '.join(_HANDLERS)} must be set{given}")
    bounds = {"periodSeconds": 0, "timeoutSeconds": 0, "initialDelaySeconds": 0, "failureThreshold": 0}
    yield from numbers(probe, path, bounds)
    if not single_success and opened(probe.get("terminationGracePeriodSeconds")) is not None:
        yield problem((*path, "terminationGracePeriodSeconds"), "must not be set for a readiness probe")
    success = opened(probe.get("successThreshold"))
    if single_success and isinstance(success, (int, float)) and success not in (0, 1):
        yield problem((*path, "successThreshold"), f"{int(success)} is not 1, as this probe requires")
    command = opened(mapping(probe.get("exec")).get("command"))
    if isinstance(opened(probe.get("exec")), Mapping) and missing(command):
        yield problem((*path, "exec", "command"), "missing required property")
    for name in ("grpc", "httpGet", "tcpSocket"):
        handler = opened(probe.get(name))
        if isinstance(handler, Mapping):
            yield from port_number(handler.get("port"), (*path, name, "port"))
