"""Checks of objects other than pods as the API server makes them (`pkg/apis/*/validation`)."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from zoneinfo import available_timezones

from policies.api import parse_quantity, parse_schedule
from rehearsal.providers.kubernetes.cluster_object_validation import (
    claim_problems,
    definition_problems,
    lease_problems,
    persistent_volume_problems,
    positive_quantity,
    runtime_class_problems,
    storage_class_problems,
    webhook_problems,
)
from rehearsal.providers.kubernetes.job_failures import job_failure_problems
from rehearsal.providers.kubernetes.limit_ranges import limit_range_problems
from rehearsal.providers.kubernetes.network_validation import (
    ingress_problems,
    network_policy_problems,
    network_range,
)
from rehearsal.providers.kubernetes.pods.scheduling import selector_problems
from rehearsal.providers.kubernetes.pods.validation import pod_problems
from rehearsal.providers.kubernetes.service_validation import traffic_problems
from rehearsal.providers.kubernetes.values import (
    MAX_PORT,
    dns_label,
    given,
    integer,
    items,
    known_text,
    mapping,
    missing,
    numbers,
    one_of,
    opened,
    port_number,
    value_at,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

Found = Iterator[Problem]

_PERCENT: Final = re.compile(r"\d+%")
_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+")
_RBAC: Final = "rbac.authorization.k8s.io"
_SPEC: Final = ("spec",)
_MAX_SIZE: Final = 1024 * 1024  # bytes
_TEMPLATE: Final = ("spec", "template", "spec")
# `ValidateSecret`
_KEYS_OF_SECRETS: Final[Mapping[str, tuple[str, ...]]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_QUOTA_SCOPES: Final = (
    "BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass",
    "Terminating", "VolumeAttributesClass",
)  # fmt: skip
_OPPOSITE_SCOPES: Final = ({"BestEffort", "NotBestEffort"}, {"NotTerminating", "Terminating"})
# `IsIntegerResourceName`, `IsStandardQuotaResourceName`
_COUNTED: Final = frozenset(
    {
        "configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets",
        "services", "services.loadbalancers", "services.nodeports",
    }
)  # fmt: skip
_QUOTA_RESOURCES: Final = _COUNTED | {
    "cpu", "ephemeral-storage", "limits.cpu", "limits.ephemeral-storage", "limits.memory", "memory",
    "requests.cpu", "requests.ephemeral-storage", "requests.memory", "requests.storage",
}  # fmt: skip
_QUOTA_PREFIXES: Final = ("hugepages-", "requests.hugepages-")
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


def _count_or_percent(value: Any, path: Path, *, up_to_all: bool = True) -> Found:
    """Check a number of at least 0 or a percentage, which `up_to_all` limits to 100 %."""
    value = opened(value)
    if (number := integer(value)) is not None:
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
        integer(spec.get(name, default))
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
    yield from _template(inputs)


def _template(inputs: Mapping[str, Any], template: Any = None) -> Found:
    """Problems of a workload's selector, and of the pods that it runs for an unlimited time."""
    selector = opened(mapping(inputs.get("spec")).get("selector"))
    if isinstance(selector, Mapping):
        if missing(selector.get("matchLabels")) and missing(selector.get("matchExpressions")):
            yield problem(("spec", "selector"), "must not be empty")
        yield from selector_problems(selector, ("spec", "selector"))
    pod = value_at(inputs, *_TEMPLATE) if template is None else template
    yield from pod_problems(pod, _TEMPLATE, ("Always",))
    if opened(mapping(pod).get("activeDeadlineSeconds")) not in (None, UNKNOWN):
        yield problem((*_TEMPLATE, "activeDeadlineSeconds"), "is for pods of a Job only")


def _stateful_set(inputs: Mapping[str, Any]) -> Found:
    spec = mapping(inputs.get("spec"))
    yield from numbers(spec, _SPEC, {"replicas": 0, "minReadySeconds": 0})
    yield from one_of(spec, _SPEC, "podManagementPolicy", ("OrderedReady", "Parallel"))
    strategy = mapping(spec.get("updateStrategy"))
    at = ("spec", "updateStrategy")
    yield from one_of(strategy, at, "type", ("OnDelete", "RollingUpdate"))
    if opened(strategy.get("type")) == "OnDelete" and opened(strategy.get("rollingUpdate")) not in (
        None,
        UNKNOWN,
    ):
        yield problem((*at, "rollingUpdate"), "may be set only where type is RollingUpdate")
    yield from numbers(mapping(strategy.get("rollingUpdate")), (*at, "rollingUpdate"), {"partition": 0})
    yield from numbers(mapping(spec.get("ordinals")), ("spec", "ordinals"), {"start": 0})
    retention = mapping(spec.get("persistentVolumeClaimRetentionPolicy"))
    for event in ("whenDeleted", "whenScaled"):
        below = ("spec", "persistentVolumeClaimRetentionPolicy")
        yield from one_of(retention, below, event, ("Delete", "Retain"))
    template = dict(mapping(value_at(inputs, *_TEMPLATE)))
    claims = [value_at(claim, "metadata", "name") for claim in items(spec.get("volumeClaimTemplates"))]
    for number, claim in enumerate(items(spec.get("volumeClaimTemplates"))):
        at = ("spec", "volumeClaimTemplates", number)
        yield from dns_label(value_at(claim, "metadata", "name"), (*at, "metadata", "name"))
        if isinstance(claim, Mapping) and opened(claim.get("spec")) is not UNKNOWN:
            yield from claim_problems(mapping(claim.get("spec")), (*at, "spec"))
    volumes = items(template.get("volumes"))
    # A claim replaces the volume of the same name.
    named = {value_at(volume, "name") for volume in volumes}
    added = [claim for claim in claims if claim is UNKNOWN or (claim is not None and claim not in named)]
    template["volumes"] = [*volumes, *({"name": claim} for claim in added)]
    yield from _template(inputs, template)


def _daemon_set(inputs: Mapping[str, Any]) -> Found:
    yield from _replica_set(inputs)
    strategy = mapping(value_at(inputs, "spec", "updateStrategy"))
    yield from one_of(strategy, ("spec", "updateStrategy"), "type", ("OnDelete", "RollingUpdate"))
    for name in ("maxSurge", "maxUnavailable"):
        amount = mapping(strategy.get("rollingUpdate")).get(name)
        yield from _count_or_percent(amount, ("spec", "updateStrategy", "rollingUpdate", name))
    rolling, path = value_at(inputs, "spec", "updateStrategy", "rollingUpdate"), ("spec", "updateStrategy")
    if isinstance(rolling, Mapping):
        surge, unavailable = opened(rolling.get("maxSurge", 0)), opened(rolling.get("maxUnavailable", 1))
        none = [value in (0, "0%") for value in (surge, unavailable)]
        if UNKNOWN not in (surge, unavailable) and none[0] == none[1]:
            reason = "exactly one of maxSurge and maxUnavailable must be 0 (maxUnavailable is 1 by default)"
            yield problem((*path, "rollingUpdate", "maxSurge"), reason)


def _replica_set(inputs: Mapping[str, Any]) -> Found:
    yield from numbers(mapping(inputs.get("spec")), _SPEC, {"minReadySeconds": 0, "revisionHistoryLimit": 0})
    yield from _template(inputs)


def _pod(inputs: Mapping[str, Any]) -> Found:
    yield from pod_problems(value_at(inputs, "spec"), _SPEC)


def _job(inputs: Mapping[str, Any]) -> Found:
    spec = mapping(inputs.get("spec"))
    yield from _job_spec(spec, _SPEC)
    if opened(spec.get("selector")) not in (None, UNKNOWN) and opened(spec.get("manualSelector")) in (
        None,
        False,
    ):
        yield problem(("spec", "selector"), "may be set only where manualSelector is true")


def _job_spec(spec: Mapping[str, Any], path: Path) -> Found:
    bounds = (
        "activeDeadlineSeconds",
        "backoffLimit",
        "backoffLimitPerIndex",
        "completions",
        "maxFailedIndexes",
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
    manager = known_text(spec.get("managedBy"))
    if manager is not None and "/" not in manager:
        yield problem((*path, "managedBy"), f"{manager!r} is not a path with a domain before a slash")
    yield from job_failure_problems(spec, path)
    yield from pod_problems(
        value_at(spec, "template", "spec"), (*path, "template", "spec"), ("Never", "OnFailure")
    )


def _cron_job(inputs: Mapping[str, Any]) -> Found:
    spec = mapping(inputs.get("spec"))
    schedule, zone = opened(spec.get("schedule")), opened(spec.get("timeZone"))
    if isinstance(schedule, str):
        try:
            parse_schedule(schedule)
        except ValueError as error:
            named = "TZ" in schedule and schedule is not UNKNOWN
            yield problem(("spec", "schedule"), "names a time zone: use timeZone" if named else f"{error}")
    if isinstance(zone, str) and zone is not UNKNOWN and zone not in available_timezones():
        yield problem(("spec", "timeZone"), f'{zone!r} is not a time zone, such as "Etc/UTC"')
    bounds = ("failedJobsHistoryLimit", "startingDeadlineSeconds", "successfulJobsHistoryLimit")
    yield from numbers(spec, _SPEC, dict.fromkeys(bounds, 0))
    name = value_at(inputs, "metadata", "name")
    if isinstance(name, str) and name is not UNKNOWN and len(name) > 52:
        yield problem(("metadata", "name"), f"has {len(name)} characters; a CronJob's name has at most 52")
    template = mapping(value_at(spec, "jobTemplate", "spec"))
    if opened(template.get("selector")) not in (None, UNKNOWN):
        yield problem(("spec", "jobTemplate", "spec", "selector"), "is generated for each Job: leave it out")
    yield from _job_spec(template, ("spec", "jobTemplate", "spec"))


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
        if opened(port.get("targetPort")) != 0:  # 0: the same as port
            yield from port_number(port.get("targetPort"), (*at, "targetPort"))
        if opened(port.get("nodePort")) != 0:  # 0: the cluster chooses one
            yield from numbers(port, at, {"nodePort": 30_000}, 32_767)
            if kind in ("ClusterIP", "ExternalName") and integer(port.get("nodePort")):
                yield problem((*at, "nodePort"), f"must not be set where type is {kind}")
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


def _autoscaler(inputs: Mapping[str, Any]) -> Found:
    spec = mapping(inputs.get("spec"))
    low, high = integer(spec.get("minReplicas", 1)), integer(spec.get("maxReplicas"))
    yield from numbers(spec, _SPEC, {"minReplicas": 0, "maxReplicas": 1})
    kinds = {opened(mapping(metric).get("type")) for metric in items(spec.get("metrics"))}
    if (
        low == 0
        and opened(spec.get("metrics")) is not UNKNOWN
        and not kinds & {"Object", "External", None, UNKNOWN}
    ):
        yield problem(("spec", "minReplicas"), "may be 0 only with a metric of type Object or External")
    target, path = mapping(spec.get("scaleTargetRef")), ("spec", "scaleTargetRef")
    for name in ("kind", "name"):
        text = known_text(target.get(name))
        if text is not None and (text in (".", "..") or {"/", "%"} & {*text}):
            yield problem((*path, name), f"{text!r} cannot be part of a path")
        elif text == "":
            yield problem((*path, name), "must not be empty")
    version = known_text(target.get("apiVersion"))
    if version is not None and version.count("/") > 1:
        yield problem((*path, "apiVersion"), f'{version!r} is not a version, such as "apps/v1"')
    if low is not None and high is not None and high >= 1 and high < low:
        yield problem(("spec", "maxReplicas"), f"{high} is less than minReplicas ({low})")
    for number, metric in enumerate(items(spec.get("metrics"))):
        if isinstance(metric, Mapping):
            yield from _metric(metric, ("spec", "metrics", number))
    for direction in ("scaleUp", "scaleDown"):
        rules, at = mapping(value_at(spec, "behavior", direction)), ("spec", "behavior", direction)
        yield from numbers(rules, at, {"stabilizationWindowSeconds": 0}, 3600)
        tolerance = known_text(rules.get("tolerance"))
        if tolerance is not None and tolerance.startswith("-"):
            yield problem((*at, "tolerance"), f"{tolerance} is out of range: at least 0")
        if opened(rules.get("policies")) == []:
            yield problem((*at, "policies"), "at least one policy is required")
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
    target, at = value_at(source, "target"), (*path, name, "target")
    if not isinstance(target, Mapping):
        return
    yield from one_of(target, at, "type", tuple(_TARGET_VALUES))
    yield from numbers(target, at, {"averageUtilization": 1})
    for value in ("averageValue", "value"):
        yield from positive_quantity(target.get(value), (*at, value))
    given = {value for value in _TARGET_VALUES.values() if target.get(value) is not None}
    alone = _EXCLUSIVE_TARGETS.get(name)
    if alone is not None and given >= alone:
        yield problem(at, f"only one of {', '.join(sorted(alone))} may be set")
    elif alone is not None and not given & alone:
        yield problem(at, f"one of {', '.join(sorted(alone))} must be set")
        return
    if name == "pods" and opened(target.get("type")) in ("Utilization", "Value"):
        yield problem((*at, "type"), "is AverageValue for a metric of pods")
    needed = _TARGET_VALUES.get(str(opened(target.get("type"))))
    if needed and target.get(needed) is None:
        yield problem(at, f"{needed} is required where type is {target['type']}")


_EXCLUSIVE_TARGETS: Final[Mapping[str, set[str]]] = {
    "containerResource": {"averageUtilization", "averageValue"},
    "external": {"averageValue", "value"},
    "resource": {"averageUtilization", "averageValue"},
}


def _disruption_budget(inputs: Mapping[str, Any]) -> Found:
    spec = mapping(inputs.get("spec"))
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield problem(("spec", "maxUnavailable"), "conflicts with minAvailable: set only one of them")
    for name in ("minAvailable", "maxUnavailable"):
        yield from _count_or_percent(spec.get(name), ("spec", name))
    yield from selector_problems(spec.get("selector"), ("spec", "selector"))


def _claim(inputs: Mapping[str, Any]) -> Found:
    yield from claim_problems(mapping(inputs.get("spec")), _SPEC)


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
    kind = known_text(inputs.get("type")) or ""
    for key in _KEYS_OF_SECRETS.get(kind, ()) if UNKNOWN not in (data, texts) else ():
        if key not in mapping(data) and key not in mapping(texts):
            yield problem(("data", key), f"required in a secret of type {kind}")


def _key(key: str, path: Path) -> Found:
    if len(key) > 253 or not _KEY.fullmatch(key) or key in (".", ".."):
        yield problem(path, f"{key!r} is not a key: letters, digits, '-', '_', '.'")


def _role(inputs: Mapping[str, Any]) -> Found:
    for number, rule in enumerate(items(inputs.get("rules"))):
        if not isinstance(rule, Mapping):
            continue
        if opened(rule.get("verbs")) == []:
            yield problem(("rules", number, "verbs"), "at least one verb is required")
        urls = opened(rule.get("nonResourceURLs"))
        if missing(urls) and missing(rule.get("resources")):
            yield problem(("rules", number, "resources"), "at least one resource is required")
        if missing(urls) and missing(rule.get("apiGroups")):
            yield problem(("rules", number, "apiGroups"), 'at least one group is required, such as ""')
        others = ("apiGroups", "resourceNames", "resources")
        if given(urls) and any(given(rule.get(name)) for name in others):
            yield problem(("rules", number, "nonResourceURLs"), "must not be set beside resources")


def _namespaced_role(inputs: Mapping[str, Any]) -> Found:
    yield from _role(inputs)
    for number, rule in enumerate(items(inputs.get("rules"))):
        if given(mapping(rule).get("nonResourceURLs")):
            yield problem(("rules", number, "nonResourceURLs"), "are for a ClusterRole only")


def _cluster_role(inputs: Mapping[str, Any]) -> Found:
    yield from _role(inputs)
    aggregation = opened(inputs.get("aggregationRule"))
    if isinstance(aggregation, Mapping):
        at = ("aggregationRule", "clusterRoleSelectors")
        if missing(aggregation.get("clusterRoleSelectors")):
            yield problem(at, "at least one selector is required")
        for number, selector in enumerate(items(aggregation.get("clusterRoleSelectors"))):
            yield from selector_problems(selector, (*at, number))


def _role_binding(inputs: Mapping[str, Any]) -> Found:
    yield from _binding(inputs, ("ClusterRole", "Role"))


def _cluster_role_binding(inputs: Mapping[str, Any]) -> Found:
    yield from _binding(inputs, ("ClusterRole",))


def _binding(inputs: Mapping[str, Any], kinds: tuple[str, ...]) -> Found:
    reference = mapping(inputs.get("roleRef"))
    yield from one_of(reference, ("roleRef",), "kind", kinds)
    yield from one_of(reference, ("roleRef",), "apiGroup", (_RBAC,))
    for number, subject in enumerate(items(inputs.get("subjects"))):
        if isinstance(subject, Mapping):
            at = ("subjects", number)
            yield from one_of(subject, at, "kind", ("Group", "ServiceAccount", "User"))
            if known_text(subject.get("name")) == "":
                yield problem((*at, "name"), "missing required property")
            account = opened(subject.get("kind")) == "ServiceAccount"
            if account and "Role" not in kinds and missing(subject.get("namespace")):
                yield problem((*at, "namespace"), "required for a ServiceAccount")
            if opened(subject.get("kind")) is not UNKNOWN:
                yield from one_of(subject, at, "apiGroup", ("",) if account else (_RBAC,))


def _priority_class(inputs: Mapping[str, Any]) -> Found:
    name, value = value_at(inputs, "metadata", "name"), integer(inputs.get("value"))
    if isinstance(name, str) and name.startswith("system-"):
        yield problem(("metadata", "name"), 'the prefix "system-" is reserved')
    if value is not None and value > 1_000_000_000:
        yield problem(("value",), f"{value} is out of range: at most 1000000000")


def _resource_quota(inputs: Mapping[str, Any]) -> Found:
    yield from _amounts(inputs)
    for number, scope in enumerate(items(value_at(inputs, "spec", "scopes"))):
        if isinstance(scope, str) and scope is not UNKNOWN and scope not in _QUOTA_SCOPES:
            yield problem(("spec", "scopes", number), f"{scope!r} is not one of {', '.join(_QUOTA_SCOPES)}")
    for pair in _OPPOSITE_SCOPES:
        if {*items(value_at(inputs, "spec", "scopes"))} >= pair:
            yield problem(("spec", "scopes"), f"must not contain both {' and '.join(sorted(pair))}")
    expressions = ("spec", "scopeSelector", "matchExpressions")
    for number, expression in enumerate(items(value_at(inputs, *expressions))):
        operator, values = (opened(mapping(expression).get(name)) for name in ("operator", "values"))
        if operator in ("In", "NotIn") and missing(values):
            yield problem((*expressions, number, "values"), f"required where operator is {operator}")


def _amounts(inputs: Mapping[str, Any]) -> Found:
    for name, value in mapping(value_at(inputs, "spec", "hard")).items():
        amount = opened(value)
        if amount is UNKNOWN:
            continue
        if str(amount).startswith("-"):
            yield problem(("spec", "hard", name), f"{amount} is negative")
        if "/" not in name and name not in _QUOTA_RESOURCES and not name.startswith(_QUOTA_PREFIXES):
            yield problem(
                ("spec", "hard", name), f"{name!r} is neither a resource of quotas nor one with a domain"
            )
        counted = parse_quantity(amount) if isinstance(amount, (str, int, float)) else None
        if name in _COUNTED and counted is not None and counted.denominator != 1:
            yield problem(("spec", "hard", name), f"{amount} is not a whole number")


_CHECKS: Final[Mapping[str, Callable[[Mapping[str, Any]], Found]]] = {
    "ClusterRole": _cluster_role,
    "ClusterRoleBinding": _cluster_role_binding,
    "ConfigMap": _config_map,
    "CronJob": _cron_job,
    "CustomResourceDefinition": definition_problems,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": ingress_problems,
    "Job": _job,
    "Lease": lease_problems,
    "LimitRange": limit_range_problems,
    "MutatingWebhookConfiguration": webhook_problems,
    "NetworkPolicy": network_policy_problems,
    "PersistentVolume": persistent_volume_problems,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "PodDisruptionBudget": _disruption_budget,
    "PriorityClass": _priority_class,
    "ReplicaSet": _replica_set,
    "ResourceQuota": _resource_quota,
    "Role": _namespaced_role,
    "RuntimeClass": runtime_class_problems,
    "RoleBinding": _role_binding,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _stateful_set,
    "StorageClass": storage_class_problems,
    "ValidatingWebhookConfiguration": webhook_problems,
}
