"""Checks of objects other than pods as the API server makes them (`pkg/apis/*/validation`)."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from zoneinfo import available_timezones

from policies.api import parse_schedule
from rehearsal.providers.kubernetes.limit_ranges import limit_range_problems
from rehearsal.providers.kubernetes.pod_scheduling import selector_problems
from rehearsal.providers.kubernetes.pod_validation import pod_problems
from rehearsal.providers.kubernetes.values import (
    MAX_PORT,
    items,
    known_text,
    mapping,
    missing,
    numbers,
    one_of,
    opened,
    port_name,
    port_number,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

Found = Iterator[Problem]

_PERCENT: Final = re.compile(r"\d+%")
_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+")
_HOST: Final = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SPEC: Final = ("spec",)
_MAX_SIZE: Final = 1024 * 1024  # bytes
_TEMPLATE: Final = ("spec", "template", "spec")
_ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_TLS_KEYS: Final = ("tls.crt", "tls.key")
_QUOTA_SCOPES: Final = (
    "BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass",
    "Terminating", "VolumeAttributesClass",
)  # fmt: skip
_METRIC_SOURCES: Final = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_TARGET_VALUES: Final = {
    "AverageValue": "averageValue",
    "Utilization": "averageUtilization",
    "Value": "value",
}


def object_problems(kind: str, inputs: Mapping[str, Any]) -> Found:
    """Yield problems of an object of `kind`; kinds without a check, such as custom ones, have none."""
    check = _CHECKS.get(kind)
    if check is not None and opened(inputs.get("spec")) is not UNKNOWN:
        yield from check(inputs)


def _at(value: Any, *path: str) -> Any:
    for part in path:
        value = opened(value)
        if not isinstance(value, Mapping):
            return value if value is UNKNOWN else None
        value = value.get(part)
    return opened(value)


def _integer(value: Any) -> int | None:
    value = opened(value)
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _count_or_percent(value: Any, path: Path, *, up_to_all: bool = True) -> Found:
    """Check a number of at least 0 or a percentage, which `up_to_all` limits to 100 %."""
    value = opened(value)
    if (number := _integer(value)) is not None:
        if number < 0:
            yield problem(path, f"{number} is out of range: at least 0")
    elif isinstance(value, str) and value is not UNKNOWN:
        if not _PERCENT.fullmatch(value):
            yield problem(path, f'{value!r} is neither a number nor a percentage, such as "25%"')
        elif up_to_all and int(value[:-1]) > 100:
            yield problem(path, f"{value} is more than 100%")


def _deployment(inputs: Mapping[str, Any]) -> Found:
    spec = mapping(inputs.get("spec"))
    yield from numbers(spec, _SPEC, {"replicas": 0, "minReadySeconds": 0, "revisionHistoryLimit": 0})
    yield from numbers(spec, _SPEC, {"progressDeadlineSeconds": 1})
    ready, deadline = (
        _integer(spec.get(name, default))
        for name, default in (("minReadySeconds", 0), ("progressDeadlineSeconds", 600))
    )
    if ready is not None and deadline is not None and 0 < deadline <= ready:
        reason = f"{deadline} is not more than minReadySeconds ({ready})"
        yield problem(("spec", "progressDeadlineSeconds"), reason)
    strategy = mapping(spec.get("strategy"))
    rolling, path = mapping(strategy.get("rollingUpdate")), ("spec", "strategy", "rollingUpdate")
    if rolling and opened(strategy.get("type")) == "Recreate":
        yield problem(path, "must not be set where strategy.type is Recreate")
    surge, unavailable = opened(rolling.get("maxSurge", 1)), opened(rolling.get("maxUnavailable", 1))
    yield from _count_or_percent(surge, (*path, "maxSurge"), up_to_all=False)
    yield from _count_or_percent(unavailable, (*path, "maxUnavailable"))
    if surge in (0, "0%") and unavailable in (0, "0%"):
        yield problem(
            (*path, "maxUnavailable"), "must not be 0 where maxSurge is 0: nothing could be updated"
        )
    yield from pod_problems(_at(inputs, *_TEMPLATE), _TEMPLATE, ("Always",))


def _stateful_set(inputs: Mapping[str, Any]) -> Found:
    spec = mapping(inputs.get("spec"))
    yield from numbers(spec, _SPEC, {"replicas": 0, "minReadySeconds": 0, "revisionHistoryLimit": 0})
    yield from one_of(spec, _SPEC, "podManagementPolicy", ("OrderedReady", "Parallel"))
    strategy = mapping(spec.get("updateStrategy"))
    yield from one_of(strategy, ("spec", "updateStrategy"), "type", ("OnDelete", "RollingUpdate"))
    template = dict(mapping(_at(inputs, *_TEMPLATE)))
    claims = [_at(claim, "metadata", "name") for claim in items(spec.get("volumeClaimTemplates"))]
    volumes = items(template.get("volumes"))
    named = {_at(volume, "name") for volume in volumes}  # a claim replaces the volume of the same name
    added = [claim for claim in claims if claim is UNKNOWN or (claim is not None and claim not in named)]
    template["volumes"] = [*volumes, *({"name": claim} for claim in added)]
    yield from pod_problems(template, _TEMPLATE, ("Always",))


def _daemon_set(inputs: Mapping[str, Any]) -> Found:
    yield from _replica_set(inputs)
    rolling, path = _at(inputs, "spec", "updateStrategy", "rollingUpdate"), ("spec", "updateStrategy")
    if isinstance(rolling, Mapping):
        surge, unavailable = opened(rolling.get("maxSurge", 0)), opened(rolling.get("maxUnavailable", 1))
        none = [value in (0, "0%") for value in (surge, unavailable)]
        if UNKNOWN not in (surge, unavailable) and none[0] == none[1]:
            reason = "exactly one of maxSurge and maxUnavailable must be 0 (maxUnavailable is 1 by default)"
            yield problem((*path, "rollingUpdate", "maxSurge"), reason)


def _replica_set(inputs: Mapping[str, Any]) -> Found:
    yield from numbers(mapping(inputs.get("spec")), _SPEC, {"minReadySeconds": 0, "revisionHistoryLimit": 0})
    yield from pod_problems(_at(inputs, *_TEMPLATE), _TEMPLATE, ("Always",))


def _pod(inputs: Mapping[str, Any]) -> Found:
    yield from pod_problems(_at(inputs, "spec"), _SPEC)


def _job(inputs: Mapping[str, Any]) -> Found:
    yield from _job_spec(mapping(inputs.get("spec")), _SPEC)


def _job_spec(spec: Mapping[str, Any], path: Path) -> Found:
    bounds = (
        "activeDeadlineSeconds",
        "backoffLimit",
        "completions",
        "parallelism",
        "ttlSecondsAfterFinished",
    )
    yield from numbers(spec, path, dict.fromkeys(bounds, 0))
    yield from one_of(spec, path, "completionMode", ("Indexed", "NonIndexed"))
    # Without both, the server sets both to 1.
    parallel = opened(spec.get("parallelism")) not in (None, UNKNOWN)
    if opened(spec.get("completionMode")) == "Indexed" and parallel and spec.get("completions") is None:
        reason = "required where completionMode is Indexed and parallelism is set"
        yield problem((*path, "completions"), reason)
    yield from pod_problems(
        _at(spec, "template", "spec"), (*path, "template", "spec"), ("Never", "OnFailure")
    )


def _cron_job(inputs: Mapping[str, Any]) -> Found:
    spec = mapping(inputs.get("spec"))
    schedule, zone = opened(spec.get("schedule")), opened(spec.get("timeZone"))
    if isinstance(schedule, str):
        try:
            parse_schedule(schedule)
        except ValueError as error:
            yield problem(("spec", "schedule"), f"{error}")
    if isinstance(zone, str) and zone is not UNKNOWN and zone not in available_timezones():
        yield problem(("spec", "timeZone"), f'{zone!r} is not a time zone, such as "Etc/UTC"')
    bounds = ("failedJobsHistoryLimit", "startingDeadlineSeconds", "successfulJobsHistoryLimit")
    yield from numbers(spec, _SPEC, dict.fromkeys(bounds, 0))
    name = _at(inputs, "metadata", "name")
    if isinstance(name, str) and name is not UNKNOWN and len(name) > 52:
        yield problem(("metadata", "name"), f"has {len(name)} characters; a CronJob's name has at most 52")
    yield from _job_spec(mapping(_at(spec, "jobTemplate", "spec")), ("spec", "jobTemplate", "spec"))


def _service(inputs: Mapping[str, Any]) -> Found:
    spec = mapping(inputs.get("spec"))
    kind, ports = opened(spec.get("type", "ClusterIP")), opened(spec.get("ports"))
    address = opened(spec.get("clusterIP"))
    if kind == "ExternalName":
        if missing(spec.get("externalName")):
            yield problem(("spec", "externalName"), "required where type is ExternalName")
    elif missing(ports) and UNKNOWN not in (kind, address) and address != "None":
        yield problem(("spec", "ports"), "at least one port is required")
    names: list[str] = []
    for number, port in enumerate(items(ports)):
        at = ("spec", "ports", number)
        if not isinstance(port, Mapping):
            continue
        name = opened(port.get("name"))
        yield from port_name_as_label(name, (*at, "name"))
        if name is None and len(items(ports)) > 1:
            yield problem((*at, "name"), "required where a service has several ports")
        if isinstance(name, str) and name is not UNKNOWN:
            if name in names:
                yield problem((*at, "name"), f"{name!r} is the name of another port too")
            names.append(name)
        yield from numbers(port, at, {"port": 1}, MAX_PORT)
        yield from port_number(port.get("targetPort"), (*at, "targetPort"))
        if opened(port.get("nodePort")) != 0:  # 0: the cluster chooses one
            yield from numbers(port, at, {"nodePort": 30_000}, 32_767)
    if kind in ("LoadBalancer", "NodePort") and address == "None":
        yield problem(("spec", "clusterIP"), f"must not be None where type is {kind}")
    if isinstance(address, str) and address is not UNKNOWN and address not in ("", "None"):
        yield from _address(address, ("spec", "clusterIP"))
    if kind == "ClusterIP" and opened(spec.get("externalTrafficPolicy")) not in (None, UNKNOWN):
        yield problem(
            ("spec", "externalTrafficPolicy"), "may be set only where type is NodePort or LoadBalancer"
        )
    for number, cidr in enumerate(items(spec.get("loadBalancerSourceRanges"))):
        yield from _network(cidr, ("spec", "loadBalancerSourceRanges", number))


def port_name_as_label(name: Any, path: Path) -> Found:
    """Check the name of a service port, which must be a DNS label."""
    known = isinstance(name, str) and name is not UNKNOWN
    if known and (len(name) > 63 or not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)):
        yield problem(path, f"{name!r} is not a DNS label: lower-case letters, digits, hyphens")


def _address(value: str, path: Path) -> Found:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        yield problem(path, f"{value!r} is not an IP address")


def _network(value: Any, path: Path) -> Found:
    if not isinstance(value, str) or value is UNKNOWN:
        return
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        yield problem(path, f'{value!r} is not an address range, such as "10.0.0.0/8"')


def _autoscaler(inputs: Mapping[str, Any]) -> Found:
    spec = mapping(inputs.get("spec"))
    low, high = _integer(spec.get("minReplicas", 1)), _integer(spec.get("maxReplicas"))
    yield from numbers(spec, _SPEC, {"minReplicas": 0, "maxReplicas": 1})
    if low is not None and high is not None and high >= 1 and high < low:
        yield problem(("spec", "maxReplicas"), f"{high} is less than minReplicas ({low})")
    for number, metric in enumerate(items(spec.get("metrics"))):
        if isinstance(metric, Mapping):
            yield from _metric(metric, ("spec", "metrics", number))
    for direction in ("scaleUp", "scaleDown"):
        rules, at = mapping(_at(spec, "behavior", direction)), ("spec", "behavior", direction)
        yield from numbers(rules, at, {"stabilizationWindowSeconds": 0}, 3600)
        for number, policy in enumerate(items(rules.get("policies"))):
            if isinstance(policy, Mapping):
                yield from numbers(policy, (*at, "policies", number), {"value": 1})
                yield from numbers(policy, (*at, "policies", number), {"periodSeconds": 1}, 1800)


def _metric(metric: Mapping[str, Any], path: Path) -> Found:
    name = _METRIC_SOURCES.get(str(opened(metric.get("type"))))
    if name is None:
        return
    source = opened(metric.get(name))
    if source is None:
        yield problem((*path, name), f"required where type is {metric['type']}")
        return
    target, at = _at(source, "target"), (*path, name, "target")
    if not isinstance(target, Mapping):
        return
    yield from one_of(target, at, "type", tuple(_TARGET_VALUES))
    yield from numbers(target, at, {"averageUtilization": 1})
    needed = _TARGET_VALUES.get(str(opened(target.get("type"))))
    if needed and target.get(needed) is None:
        yield problem(at, f"{needed} is required where type is {target['type']}")


def _disruption_budget(inputs: Mapping[str, Any]) -> Found:
    spec = mapping(inputs.get("spec"))
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield problem(("spec", "maxUnavailable"), "conflicts with minAvailable: set only one of them")
    for name in ("minAvailable", "maxUnavailable"):
        yield from _count_or_percent(spec.get(name), ("spec", name))
    yield from selector_problems(spec.get("selector"), ("spec", "selector"))


def _claim(inputs: Mapping[str, Any]) -> Found:
    spec = mapping(inputs.get("spec"))
    modes = opened(spec.get("accessModes"))
    if missing(modes):
        yield problem(("spec", "accessModes"), "at least one access mode is required")
    for number, mode in enumerate(items(modes)):
        if isinstance(mode, str) and mode is not UNKNOWN and mode not in _ACCESS_MODES:
            yield problem(
                ("spec", "accessModes", number), f"{mode!r} is not one of {', '.join(_ACCESS_MODES)}"
            )
    if _at(spec, "resources", "requests", "storage") is None:
        yield problem(("spec", "resources", "requests", "storage"), "missing required property")
    yield from one_of(spec, _SPEC, "volumeMode", ("Block", "Filesystem"))


def _config_map(inputs: Mapping[str, Any]) -> Found:
    data, binary = mapping(inputs.get("data")), mapping(inputs.get("binaryData"))
    for name, held in (("data", data), ("binaryData", binary)):
        for key in held:
            yield from _key(key, (name, key))
    for key in data.keys() & binary.keys():
        yield problem(("binaryData", key), "is a key of data too")
    yield from _size(("data",), data)


def _size(path: Path, held: Mapping[str, Any]) -> Found:
    """`MaxSecretSize`, which is the limit of ConfigMaps too."""
    size = sum(len(text.encode()) for value in held.values() if (text := known_text(value)) is not None)
    if size > _MAX_SIZE:
        yield problem(path, f"has {size} bytes; at most {_MAX_SIZE} are allowed")


def _secret(inputs: Mapping[str, Any]) -> Found:
    data, texts = opened(inputs.get("data")), opened(inputs.get("stringData"))
    for name, held in (("data", data), ("stringData", texts)):
        for key in mapping(held):
            yield from _key(key, (name, key))
    for key, value in mapping(data).items():
        value = opened(value)
        if isinstance(value, str) and value is not UNKNOWN:
            try:
                base64.b64decode("".join(value.split()), validate=True)
            except binascii.Error:
                yield problem(("data", key), "is not base64; plain text belongs in stringData")
    yield from _size(("stringData",), mapping(texts))
    if opened(inputs.get("type")) == "kubernetes.io/tls" and UNKNOWN not in (data, texts):
        for key in _TLS_KEYS:
            if key not in mapping(data) and key not in mapping(texts):
                yield problem(("data", key), "required in a secret of type kubernetes.io/tls")


def _key(key: str, path: Path) -> Found:
    if len(key) > 253 or not _KEY.fullmatch(key) or key in (".", ".."):
        yield problem(path, f"{key!r} is not a key: letters, digits, '-', '_', '.'")


def _network_policy(inputs: Mapping[str, Any]) -> Found:
    spec = mapping(inputs.get("spec"))
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
    first, last = opened(port.get("port")), _integer(port.get("endPort"))
    if last is None or first is UNKNOWN:
        return
    number = _integer(first)
    if number is None:
        yield problem(path, "may be set only where port is a number")
    elif last < number or last > MAX_PORT:
        yield problem(path, f"{last} is out of range: {number} to {MAX_PORT}")


def _peer(peer: Mapping[str, Any], path: Path) -> Found:
    block = opened(peer.get("ipBlock"))
    if not isinstance(block, Mapping):
        return
    if peer.get("podSelector") is not None or peer.get("namespaceSelector") is not None:
        yield problem(path, "ipBlock must not be set beside a selector")
    cidr = opened(block.get("cidr"))
    yield from _network(cidr, (*path, "ipBlock", "cidr"))
    for number, other in enumerate(items(block.get("except"))):
        at = (*path, "ipBlock", "except", number)
        found = list(_network(other, at))
        yield from found
        if not found and UNKNOWN not in (cidr, other) and not _within(str(other), str(cidr)):
            yield problem(at, f"{other} is not within {cidr}")


def _within(inner: str, outer: str) -> bool:
    try:
        first, second = ipaddress.ip_network(inner, strict=False), ipaddress.ip_network(outer, strict=False)
    except ValueError:
        return True  # `_network` reports the malformed one
    return first.version == second.version and first != second and first.subnet_of(second)  # type: ignore[arg-type]


def _ingress(inputs: Mapping[str, Any]) -> Found:
    spec = mapping(inputs.get("spec"))
    if missing(spec.get("rules")) and spec.get("defaultBackend") is None:
        yield problem(_SPEC, "rules or defaultBackend must be set")
    for number, rule in enumerate(items(spec.get("rules"))):
        host, at = _at(rule, "host"), ("spec", "rules", number)
        if isinstance(host, str) and host is not UNKNOWN and not _HOST.fullmatch(host):
            yield problem(
                (*at, "host"), f"{host!r} is not a host name: lower-case letters, digits, hyphens, dots"
            )
        for index, entry in enumerate(items(_at(rule, "http", "paths"))):
            if isinstance(entry, Mapping):
                yield from _ingress_path(entry, (*at, "http", "paths", index))


def _ingress_path(entry: Mapping[str, Any], path: Path) -> Found:
    kinds = ("Exact", "ImplementationSpecific", "Prefix")
    yield from one_of(entry, path, "pathType", kinds)
    where = opened(entry.get("path"))
    absolute = opened(entry.get("pathType")) in ("Exact", "Prefix")
    if absolute and isinstance(where, str) and where is not UNKNOWN and not where.startswith("/"):
        yield problem((*path, "path"), f'{where!r} does not start with "/"')
    port = _at(entry, "backend", "service", "port")
    if isinstance(port, Mapping):
        at = (*path, "backend", "service", "port")
        if (port.get("name") is None) == (port.get("number") is None):
            yield problem(at, "exactly one of name, number must be set")
        yield from numbers(port, at, {"number": 1}, MAX_PORT)
        yield from port_name(port.get("name"), (*at, "name"))


def _role(inputs: Mapping[str, Any]) -> Found:
    for number, rule in enumerate(items(inputs.get("rules"))):
        if not isinstance(rule, Mapping):
            continue
        if opened(rule.get("verbs")) == []:
            yield problem(("rules", number, "verbs"), "at least one verb is required")
        if missing(rule.get("nonResourceURLs")) and missing(rule.get("resources")):
            yield problem(("rules", number, "resources"), "at least one resource is required")


def _role_binding(inputs: Mapping[str, Any]) -> Found:
    yield from one_of(mapping(inputs.get("roleRef")), ("roleRef",), "kind", ("ClusterRole", "Role"))
    for number, subject in enumerate(items(inputs.get("subjects"))):
        if isinstance(subject, Mapping):
            at = ("subjects", number)
            yield from one_of(subject, at, "kind", ("Group", "ServiceAccount", "User"))
            if opened(subject.get("kind")) == "ServiceAccount" and missing(subject.get("namespace")):
                yield problem((*at, "namespace"), "required for a ServiceAccount")


def _priority_class(inputs: Mapping[str, Any]) -> Found:
    name, value = _at(inputs, "metadata", "name"), _integer(inputs.get("value"))
    if isinstance(name, str) and name.startswith("system-"):
        yield problem(("metadata", "name"), 'the prefix "system-" is reserved')
    if value is not None and value > 1_000_000_000:
        yield problem(("value",), f"{value} is out of range: at most 1000000000")


def _storage_class(inputs: Mapping[str, Any]) -> Found:
    yield from one_of(inputs, (), "reclaimPolicy", ("Delete", "Retain"))
    yield from one_of(inputs, (), "volumeBindingMode", ("Immediate", "WaitForFirstConsumer"))


def _resource_quota(inputs: Mapping[str, Any]) -> Found:
    yield from _amounts(inputs)
    for number, scope in enumerate(items(_at(inputs, "spec", "scopes"))):
        if isinstance(scope, str) and scope is not UNKNOWN and scope not in _QUOTA_SCOPES:
            yield problem(("spec", "scopes", number), f"{scope!r} is not one of {', '.join(_QUOTA_SCOPES)}")


def _amounts(inputs: Mapping[str, Any]) -> Found:
    for name, value in mapping(_at(inputs, "spec", "hard")).items():
        amount = opened(value)
        if str(amount).startswith("-") and amount is not UNKNOWN:
            yield problem(("spec", "hard", name), f"{amount} is negative")


def _definition(inputs: Mapping[str, Any]) -> Found:
    """Names, scope and versions (`ValidateCustomResourceDefinition` of k8s.io/apiextensions-apiserver)."""
    spec = mapping(inputs.get("spec"))
    yield from one_of(spec, _SPEC, "scope", ("Cluster", "Namespaced"))
    name, plural, group = _at(inputs, "metadata", "name"), _at(spec, "names", "plural"), _at(spec, "group")
    known = all(isinstance(text, str) and text is not UNKNOWN for text in (name, plural, group))
    if known and name != f"{plural}.{group}":
        reason = f"{name!r} must be spec.names.plural and spec.group: {plural}.{group}"
        yield problem(("metadata", "name"), reason)
    declared = items(spec.get("versions"))
    versions = [item for item in declared if isinstance(item, Mapping)]
    stored = [_at(item, "storage") for item in declared]
    if versions and UNKNOWN not in stored and stored.count(True) != 1:
        yield problem((*_SPEC, "versions"), f"{stored.count(True)} versions have storage: true; one must")
    seen: set[Any] = set()
    for number, item in enumerate(versions):
        version = _at(item, "name")
        if not isinstance(version, str) or version is UNKNOWN:
            continue
        if version in seen:
            yield problem((*_SPEC, "versions", number, "name"), f"{version!r} is declared twice")
        seen.add(version)


_CHECKS: Final[Mapping[str, Callable[[Mapping[str, Any]], Found]]] = {
    "ClusterRole": _role,
    "ClusterRoleBinding": _role_binding,
    "ConfigMap": _config_map,
    "CronJob": _cron_job,
    "CustomResourceDefinition": _definition,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": _ingress,
    "Job": _job,
    "LimitRange": limit_range_problems,
    "NetworkPolicy": _network_policy,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "PodDisruptionBudget": _disruption_budget,
    "PriorityClass": _priority_class,
    "ReplicaSet": _replica_set,
    "ResourceQuota": _resource_quota,
    "Role": _role,
    "RoleBinding": _role_binding,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _stateful_set,
    "StorageClass": _storage_class,
}
