"""Checks of objects that configure the cluster: volumes, claims, webhooks, leases, definitions and others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.api import parse_quantity
from rehearsal.providers.kubernetes.pods.scheduling import selector_problems
from rehearsal.providers.kubernetes.pods.volumes import volume_problems
from rehearsal.providers.kubernetes.values import (
    dns_subdomain,
    given,
    integer,
    items,
    known_text,
    mapping,
    missing,
    numbers,
    one_of,
    opened,
    scalar,
    value_at,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

_ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_OPERATIONS: Final = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_REVIEWS: Final = ("v1", "v1beta1")
_VOLUME_SOURCES: Final = (
    "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flexVolume",
    "flocker", "gcePersistentDisk", "glusterfs", "hostPath", "iscsi", "local", "nfs",
    "photonPersistentDisk", "portworxVolume", "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume",
)  # fmt: skip


def persistent_volume_problems(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield problems of a PersistentVolume (`ValidatePersistentVolumeSpec`)."""
    spec, path = mapping(inputs.get("spec")), ("spec",)
    yield from access_mode_problems(spec, path)
    capacity = opened(spec.get("capacity"))
    if capacity is not UNKNOWN:
        storage = opened(mapping(capacity).get("storage"))
        if storage is None:
            yield problem((*path, "capacity", "storage"), "missing required property")
        yield from positive_quantity(storage, (*path, "capacity", "storage"))
        for name in mapping(capacity):
            if name != "storage":
                yield problem(
                    (*path, "capacity", name), "is not a capacity of a volume, which has storage only"
                )
    yield from one_of(spec, path, "persistentVolumeReclaimPolicy", ("Delete", "Recycle", "Retain"))
    sources = [name for name in _VOLUME_SOURCES if spec.get(name) is not None]
    if len(sources) != 1:
        found = f"; {', '.join(sources)} are" if sources else ""
        yield problem(path, f"exactly one type of volume, such as csi, must be set{found}")
    yield from volume_problems(spec, path)


def access_mode_problems(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Problems of the access modes of a volume or a claim."""
    modes, at = opened(spec.get("accessModes")), (*path, "accessModes")
    if missing(modes):
        yield problem(at, "at least one access mode is required")
    for number, mode in enumerate(items(modes)):
        if isinstance(mode, str) and mode is not UNKNOWN and mode not in _ACCESS_MODES:
            yield problem((*at, number), f"{mode!r} is not one of {', '.join(_ACCESS_MODES)}")
    if "ReadWriteOncePod" in items(modes) and set(map(scalar, items(modes))) - {"ReadWriteOncePod", UNKNOWN}:
        yield problem(at, "ReadWriteOncePod must not be listed with another access mode")


def positive_quantity(value: Any, path: Path) -> Iterator[Problem]:
    """A problem of a quantity that is not more than 0."""
    value = opened(value)
    if isinstance(value, bool) or value is UNKNOWN or not isinstance(value, (str, int, float)):
        return
    amount = parse_quantity(value)
    if (amount is not None and amount <= 0) or str(value).startswith("-"):
        yield problem(path, f"{value!r} is not more than 0")


def claim_problems(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Yield problems of the `spec` at `path`, of a volume claim or of a template of claims."""
    yield from access_mode_problems(spec, path)
    storage = value_at(spec, "resources", "requests", "storage")
    at = (*path, "resources", "requests", "storage")
    if storage is None:
        yield problem(at, "missing required property")
    yield from positive_quantity(storage, at)
    yield from one_of(spec, path, "volumeMode", ("Block", "Filesystem"))
    yield from selector_problems(spec.get("selector"), (*path, "selector"))
    if known_text(spec.get("storageClassName")):
        yield from dns_subdomain(spec.get("storageClassName"), (*path, "storageClassName"))


def webhook_problems(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield problems of webhooks (`validateValidatingWebhook`, `validateMutatingWebhook`)."""
    for number, webhook in enumerate(items(inputs.get("webhooks"))):
        if isinstance(webhook, Mapping):
            yield from _webhook(webhook, ("webhooks", number))


def _webhook(webhook: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    name = known_text(webhook.get("name"))
    if name is not None and (name.count(".") < 2 or not all(map(_LABEL.fullmatch, name.split(".")))):
        yield problem((*path, "name"), f"{name!r} is not a domain name of three or more parts")
    yield from one_of(webhook, path, "failurePolicy", ("Fail", "Ignore"))
    yield from one_of(webhook, path, "matchPolicy", ("Equivalent", "Exact"))
    yield from one_of(webhook, path, "reinvocationPolicy", ("IfNeeded", "Never"))
    yield from one_of(webhook, path, "sideEffects", ("None", "NoneOnDryRun"))
    yield from numbers(webhook, path, {"timeoutSeconds": 1}, 30)
    for selector in ("namespaceSelector", "objectSelector"):
        yield from selector_problems(webhook.get(selector), (*path, selector))
    versions = opened(webhook.get("admissionReviewVersions"))
    listed = {*map(scalar, items(versions))}
    if versions is not UNKNOWN and UNKNOWN not in listed and not listed & {*_REVIEWS}:
        yield problem((*path, "admissionReviewVersions"), f"must contain one of {', '.join(_REVIEWS)}")
    yield from _client(opened(webhook.get("clientConfig")), (*path, "clientConfig"))
    for number, rule in enumerate(items(webhook.get("rules"))):
        if isinstance(rule, Mapping):
            yield from _rule(rule, (*path, "rules", number))


def _client(client: Any, path: Path) -> Iterator[Problem]:
    if not isinstance(client, Mapping):
        return
    url, service = opened(client.get("url")), opened(client.get("service"))
    if (url is None) == (service is None):
        yield problem(path, "exactly one of url, service must be set")
    text = known_text(url)
    if text is not None and not text.startswith("https://"):
        yield problem((*path, "url"), f"{text!r} does not start with https://")


def _rule(rule: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    for name in ("apiGroups", "apiVersions", "operations", "resources"):
        values = opened(rule.get(name))
        if missing(values):
            yield problem((*path, name), "at least one is required")
        elif "*" in items(values) and len(items(values)) > 1 and name != "resources":
            yield problem((*path, name), "'*' must not be listed with others")
    for number, operation in enumerate(items(rule.get("operations"))):
        if isinstance(operation, str) and operation is not UNKNOWN and operation not in _OPERATIONS:
            yield problem(
                (*path, "operations", number), f"{operation!r} is not one of {', '.join(_OPERATIONS)}"
            )
    yield from one_of(rule, path, "scope", ("*", "Cluster", "Namespaced"))


def lease_problems(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield problems of a Lease (`ValidateLeaseSpec`)."""
    spec = mapping(inputs.get("spec"))
    yield from numbers(spec, ("spec",), {"leaseDurationSeconds": 1, "leaseTransitions": 0})
    if given(spec.get("preferredHolder")) and missing(spec.get("strategy")):
        yield problem(("spec", "preferredHolder"), "may be set only where strategy is set")


def runtime_class_problems(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield problems of a RuntimeClass (`ValidateRuntimeClass`)."""
    handler = known_text(inputs.get("handler"))
    if handler is not None and (len(handler) > 63 or not _LABEL.fullmatch(handler)):
        yield problem(("handler",), f"{handler!r} is not a DNS label: lower-case letters, digits, hyphens")


def storage_class_problems(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield problems of a StorageClass (`ValidateStorageClass`)."""
    yield from one_of(inputs, (), "reclaimPolicy", ("Delete", "Retain"))
    yield from one_of(inputs, (), "volumeBindingMode", ("Immediate", "WaitForFirstConsumer"))
    if "" in mapping(inputs.get("parameters")):
        yield problem(("parameters",), "must not have an empty key")
    for number, topology in enumerate(items(inputs.get("allowedTopologies"))):
        for index, term in enumerate(items(mapping(topology).get("matchLabelExpressions"))):
            if isinstance(term, Mapping) and missing(term.get("values")):
                at = ("allowedTopologies", number, "matchLabelExpressions", index, "values")
                yield problem(at, "at least one value is required")


def definition_problems(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield problems of a definition: name, scope and versions (`ValidateCustomResourceDefinition`)."""
    spec = mapping(inputs.get("spec"))
    yield from one_of(spec, ("spec",), "scope", ("Cluster", "Namespaced"))
    name, plural, group = (
        value_at(inputs, "metadata", "name"),
        value_at(spec, "names", "plural"),
        value_at(spec, "group"),
    )
    known = all(isinstance(text, str) and text is not UNKNOWN for text in (name, plural, group))
    if known and name != f"{plural}.{group}":
        reason = f"{name!r} must be spec.names.plural and spec.group: {plural}.{group}"
        yield problem(("metadata", "name"), reason)
    declared = items(spec.get("versions"))
    versions = [item for item in declared if isinstance(item, Mapping)]
    stored = [value_at(item, "storage") for item in declared]
    if versions and UNKNOWN not in stored and stored.count(True) != 1:
        yield problem(("spec", "versions"), f"{stored.count(True)} versions have storage: true; one must")
    seen: set[Any] = set()
    for number, item in enumerate(versions):
        version = value_at(item, "name")
        if not isinstance(version, str) or version is UNKNOWN:
            continue
        if version in seen:
            yield problem(("spec", "versions", number, "name"), f"{version!r} is declared twice")
        seen.add(version)


def volume_claim_problems(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield problems of a PersistentVolumeClaim (`ValidatePersistentVolumeClaim`)."""
    yield from claim_problems(mapping(inputs.get("spec")), ("spec",))


def priority_class_problems(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield problems of a PriorityClass (`ValidatePriorityClass`)."""
    name, value = value_at(inputs, "metadata", "name"), integer(inputs.get("value"))
    if isinstance(name, str) and name.startswith("system-"):
        yield problem(("metadata", "name"), 'the prefix "system-" is reserved')
    if value is not None and value > 1_000_000_000:
        yield problem(("value",), f"{value} is out of range: at most 1000000000")
