"""Checks of the Kubernetes API server beyond types: names, labels, quantities; and the status it reports.

Names: "Object Names and IDs" (RFC 1123 subdomain or label). Labels and annotations: "Labels and Selectors",
"Annotations". Quantities: `k8s.io/apimachinery/pkg/api/resource`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from rehearsal.providers import fake_values
from rehearsal.providers.kubernetes.declared_types import declared_inputs
from rehearsal.providers.kubernetes.kinds import CLOSED
from rehearsal.providers.kubernetes.objects.gateways import GROUP as GATEWAY_API
from rehearsal.providers.kubernetes.objects.gateways import gateway_api_problems
from rehearsal.providers.kubernetes.objects.validation import object_problems
from rehearsal.providers.kubernetes.values import items, opened, qualified_name, value_at
from rehearsal.providers.schema import Type
from rehearsal.providers.validation import (
    Problem,
    Rules,
    check_object,
    check_value,
    problem,
    suggestion,
)
from rehearsal.pulumi.properties import UNKNOWN, Path, parse_path

# Unlike the Terraform bridge, the API server does not convert between text and numbers.
RULES: Final = Rules(coerces=False)

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_QUANTITY: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(([KMGTPE]i)|[numkMGTPE]|[eE][+-]?\d+)?", re.ASCII)

# Kinds whose names must be a single label (they become part of a host name), and those with unrestricted
# names.
_LABEL_KINDS: Final = frozenset({"Namespace", "Service"})
_PATH_KINDS: Final = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})
# Keys of maps that hold resource quantities.
_QUANTITY_MAPS: Final = frozenset({"requests", "limits", "hard", "capacity"})
# Kinds with arbitrary content: any key is permitted.
_FREE: Final = frozenset({"ConfigMap", "CustomResourceDefinition", "Secret"})
_QUANTITIES: Final = frozenset({"averageValue", "divisor", "sizeLimit", "value"})
_VARIABLES: Final = frozenset({"env", "httpHeaders", "sysctls", "tolerations"})
_LIMIT_RANGE_MAPS: Final = frozenset({"default", "defaultRequest", "max", "min", "maxLimitRequestRatio"})


def is_numeric_quantity(found: Problem) -> bool:
    """Whether a type problem is about a quantity that is a number, which the API server accepts."""
    path = parse_path(found.path)
    *_, holder, name = ("", "", *(part for part in path if isinstance(part, str)))
    # The key `value` is text in an environment variable and a quantity in a metric.
    is_text = name == "value" and holder in _VARIABLES
    is_quantity = holder in _QUANTITY_MAPS | _LIMIT_RANGE_MAPS or (name in _QUANTITIES and not is_text)
    return is_quantity and found.reason.startswith("expected a string, got the number ")


def type_problems(token: str, inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield differences from the declared type. In a custom resource only the metadata is checked."""
    declared = declared_inputs(token)
    if declared is not None:
        for found in check_object(declared, inputs, RULES):
            if not is_numeric_quantity(found):
                yield found
        return
    if not _may_be_custom(token):
        yield problem((), f'unknown resource type "{token}": the installed SDK of kubernetes has no such')
        return
    # The definition of a custom resource is in the cluster, so only the common fields can be checked.
    for key, right in zip(("apiVersion", "kind"), kind_of(token), strict=True):
        if inputs.get(key) not in (None, UNKNOWN, right):
            yield problem((key,), f'expected "{right}", by the resource type')
    if inputs.get("metadata") is not None:
        yield from check_value(_object_meta(), inputs["metadata"], RULES, ("metadata",))


def kind_of(token: str) -> tuple[str, str]:
    """Return ("apps/v1", "Deployment") for ``kubernetes:apps/v1:Deployment``; the core group is "v1"."""
    group, _, kind = token.partition(":")[2].rpartition(":")  # a malformed version may have colons
    return group.removeprefix("core/"), kind


def _may_be_custom(token: str) -> bool:
    """Whether `token` can name a custom resource: its API group is a domain."""
    parts = token.split(":")
    return len(parts) == 3 and "/" in parts[1] and "." in parts[1].split("/")[0]


@cache
def _object_meta() -> Type:
    namespace = declared_inputs("kubernetes:core/v1:Namespace")
    assert namespace is not None
    return namespace.fields["metadata"].type


def problems(
    inputs: Mapping[str, Any], kind: str, *, custom: bool = False, group: str = ""
) -> Iterator[Problem]:
    """Yield problems of an object. Only known values of the right type are checked.

    A `custom` resource may use any key for anything, so only its metadata is checked; those of the Gateway
    API, by their `group`, are checked by their published definitions.
    """
    metadata = opened(inputs.get("metadata"))
    if isinstance(metadata, Mapping):
        yield from _name(metadata, kind)
    if not custom:
        yield from object_problems(kind, inputs)
    elif group == GATEWAY_API:
        yield from gateway_api_problems(kind, inputs)
    if custom or kind in _FREE:
        yield from _walk({"metadata": metadata}, (), kind)
        return
    yield from _walk(inputs, (), kind)
    if kind in ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"):
        yield from _selector(inputs)


def _selector(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    wanted = value_at(inputs, "spec", "selector", "matchLabels")
    given = value_at(inputs, "spec", "template", "metadata", "labels")
    if not isinstance(wanted, Mapping) or given is UNKNOWN:
        return
    labels = given if isinstance(given, Mapping) else {}
    for key, value in wanted.items():
        if UNKNOWN not in (value, labels.get(key)) and labels.get(key) != value:
            yield problem(
                ("spec", "selector", "matchLabels", key),
                f"selects none of its own pods: the template's label is {labels[key]!r}"
                if key in labels
                else "selects none of its own pods: no such label in the template",
            )


def _name(metadata: Mapping[str, Any], kind: str) -> Iterator[Problem]:
    name = metadata.get("name")
    if isinstance(name, str) and kind not in _PATH_KINDS:
        if kind in _LABEL_KINDS:
            yield from _dns(name, ("metadata", "name"), _LABEL, 63, "a DNS label")
        else:
            yield from _dns(name, ("metadata", "name"), _SUBDOMAIN, 253, "a DNS subdomain")
    prefix = metadata.get("generateName")
    if isinstance(prefix, str) and prefix != "" and kind not in _PATH_KINDS:
        pattern = _LABEL if kind in _LABEL_KINDS else _SUBDOMAIN
        # The server adds characters: a dash at the end is allowed.
        yield from _dns(f"{prefix}x", ("metadata", "generateName"), pattern, 253, "the start of a DNS name")
    for number, finalizer in enumerate(items(metadata.get("finalizers"))):
        yield from qualified_name(finalizer, ("metadata", "finalizers", number))
    namespace = metadata.get("namespace")
    if isinstance(namespace, str):
        yield from _dns(namespace, ("metadata", "namespace"), _LABEL, 63, "a DNS label")


def _dns(name: str, path: Path, pattern: re.Pattern[str], max_length: int, what: str) -> Iterator[Problem]:
    if len(name) > max_length:
        yield problem(path, f"{name!r} has {len(name)} characters; {what} has at most {max_length}")
    elif not pattern.fullmatch(name):
        dots = " or dots" if pattern is _SUBDOMAIN else ""
        yield problem(
            path,
            f"{name!r} is not {what}: lower-case letters, digits, hyphens{dots}, starting and ending with a"
            " letter or digit",
        )


def _walk(value: Any, path: Path, kind: str) -> Iterator[Problem]:
    # Secrets stay masked: a reason quotes the value.
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, _COLLECTIONS):
                yield from _walk(item, (*path, index), kind)
            elif isinstance(item, str):
                yield from _closed(item, (*path, index))
        return
    if not isinstance(value, Mapping):
        return
    for key, item in value.items():
        if isinstance(item, str):
            if key in _CLOSED_KEYS:
                yield from _closed(item, (*path, key))
            continue
        if not isinstance(item, _COLLECTIONS):
            continue
        below = (*path, key)
        if not isinstance(item, list):
            is_selector = key == "selector" and kind == "Service" and path == ("spec",)
            if (is_selector or key in _LABEL_MAPS) and _holds_text(item):
                yield from _labels(item, below)
                continue
            if key == "annotations" and path[-1:] == ("metadata",):
                yield from _annotations(item, below)
                continue
            if key in _QUANTITY_MAPS and path[-1:] in (("resources",), ("spec",), ("status",)):
                yield from _quantities(item, below)
                continue
            if kind == "LimitRange" and key in _LIMIT_RANGE_MAPS:
                yield from _quantities(item, below)
                continue
        yield from _walk(item, below, kind)


_LABEL_MAPS: Final = frozenset({"labels", "matchLabels", "nodeSelector"})
_COLLECTIONS: Final = (dict, list, Mapping)  # dict is redundant, but its check is ten times as fast
# The last component of each key in CLOSED.
_CLOSED_KEYS: Final = frozenset(name.rpartition(".")[2] for name in CLOSED)


def _closed(value: str, path: Path) -> Iterator[Problem]:
    names = [part for part in path if isinstance(part, str)]
    values = CLOSED.get(names[-1]) or CLOSED.get(".".join(names[-2:]))
    if names[-2:] == ["limits", "type"] and "/" in value:
        return  # a type with a domain, such as openshift.io/Image (`validateLimitRangeTypeName`)
    if values and value not in values:
        yield problem(path, f"{value!r} is not one of {', '.join(values)}{suggestion(value, values)}")


def _holds_text(labels: Mapping[str, Any]) -> bool:
    return all(
        isinstance(opened(value), str) or value is UNKNOWN or value is None for value in labels.values()
    )


def _labels(labels: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    for key, value in labels.items():
        yield from _qualified(key, (*path, key))
        if isinstance(value, str):
            if len(value) > 63:
                yield problem(
                    (*path, key), f"label value has {len(value)} characters; at most 63 are allowed"
                )
            elif not _LABEL_VALUE.fullmatch(value):
                yield problem(
                    (*path, key),
                    f"{value!r} is not a label value: letters, digits, '-', '_', '.', and at both ends"
                    " a letter or digit",
                )


def _annotations(annotations: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    for key in annotations:
        yield from _qualified(key, (*path, key))


def _qualified(key: str, path: Path) -> Iterator[Problem]:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not _SUBDOMAIN.fullmatch(prefix)):
        yield problem(path, f"the prefix {prefix!r} of the key is not a DNS subdomain")
    if len(name) > 63 or not _QUALIFIED.fullmatch(name):
        yield problem(
            path,
            f"{name!r} is not a key: up to 63 letters, digits, '-', '_', '.', starting and ending with a"
            " letter or digit",
        )


def _quantities(resources: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    for key, value in resources.items():
        if isinstance(value, str) and not _QUANTITY.fullmatch(value):
            yield problem((*path, key), f'{value!r} is not a quantity, such as "250m", "1.5" or "512Mi"')


def status(kind: str, seed: str, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the status of a healthy object; None for kinds without one."""
    spec = inputs.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    replicas = spec.get("replicas")
    count = replicas if isinstance(replicas, int) else 1
    match kind:
        case "Deployment" | "StatefulSet" | "ReplicaSet":
            return {
                "availableReplicas": count,
                "observedGeneration": 1,
                "readyReplicas": count,
                "replicas": count,
                "updatedReplicas": count,
            }
        case "Namespace":
            return {"phase": "Active"}
        case "DaemonSet":
            names = (
                "currentNumberScheduled",
                "desiredNumberScheduled",
                "numberReady",
                "updatedNumberScheduled",
            )
            return {"numberMisscheduled": 0, "observedGeneration": 1, **dict.fromkeys(names, 1)}
        case "Ingress":
            return {
                "loadBalancer": {"ingress": [{"ip": fake_values.address("10.96.0.0/14", seed, "ingress")}]}
            }
        case "PersistentVolumeClaim":
            return {"phase": "Bound"}
        case "HorizontalPodAutoscaler":
            return {"currentReplicas": count, "desiredReplicas": count}
        case "Service" if spec.get("type") == "LoadBalancer":
            return {
                "loadBalancer": {"ingress": [{"ip": fake_values.address("10.96.0.0/14", seed, "ingress")}]}
            }
        case "Service":
            return {"loadBalancer": {}}
        case "Job":
            return {"succeeded": 1}
        case "Gateway":
            address = fake_values.address("10.96.0.0/14", seed, "gateway")
            return {
                "addresses": [{"type": "IPAddress", "value": address}],
                "conditions": [
                    {"type": "Accepted", "status": "True", "reason": "Accepted"},
                    {"type": "Programmed", "status": "True", "reason": "Programmed"},
                ],
            }
        case "Pod":
            return {"phase": "Running"}
        case "ResourceQuota":
            return {"hard": dict(spec.get("hard") or {})}
        case _:
            return None
