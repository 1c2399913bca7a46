"""Workloads beyond the Pod Security Standard: images, probes, resources, read-only roots, tokens, labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pulumi_policy import Severity

from policies.model.pods import (
    CONTAINER_FIELDS,
    POD_TYPES,
    TEMPLATES,
    list_unevaluated,
    pod_templates,
    sources_of,
    title,
)
from policies.model.property_tree import Finding, Node
from policies.model.quantities import parse
from policies.model.stack import Resource, objects_of
from policies.pack.remediations import with_labels, without_token
from policies.pack.rule import Settings, rule

CONCERN: Final = "workloads"
# The registered algorithms of the OCI image specification, "Descriptors".
_DIGEST: Final = re.compile(r"[^@\s]+@(?:(?:sha256|blake3):[0-9a-f]{64}|sha512:[0-9a-f]{128})")
_PROJECTS: Final = ("dev", "staging", "prod", "local")
_SERVING: Final = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController")


@rule(
    "read-only-root",
    "Containers must use a read-only root filesystem. "
    "An attacker could otherwise store programs in the container.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Set readOnlyRootFilesystem to true and mount an emptyDir where files must be written.",
    severity=Severity.MEDIUM,
    tags=("CIS-GKE:5.2", "SOC2:CC6.8", "KUB8"),
    platform_specific=True,
)
def read_only_root(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        if pod.on_windows:
            continue
        for container in pod.containers("initContainers", "containers"):
            flag = container.at("securityContext", "readOnlyRootFilesystem")
            if flag.is_not_one_of(True):
                yield flag.finding(f"{title(container)} must set it to true")


@rule(
    "image-digest",
    "Images must be pinned by digest. A tag can be moved to content that was never tested.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation=(
        "Append @sha256:… of the released image; the deployment workflow writes it into the stack's file."
    ),
    severity=Severity.HIGH,
    tags=("CIS-GKE:5.5", "SOC2:CC8.1"),
    platform_specific=True,
)
def image_digest(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for container in pod.containers():
            image = container["image"]
            if image.known() and not is_pinned(str(image.raw or "")):
                yield image.finding(f"{title(container)} must name its image by digest, not {image.raw!r}")


def is_pinned(image: str) -> bool:
    """Whether the name of an image ends with a valid digest."""
    return _DIGEST.fullmatch(image) is not None


@rule(
    "image-registry",
    "Images must come from an allowed registry. "
    "Images of other registries were not built and scanned by this pipeline.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation=(
        "Push the image to an allowed registry, or allow its registry in the policy's configuration."
    ),
    severity=Severity.HIGH,
    tags=("CIS-GKE:5.1", "SOC2:CC8.1"),
    settings={
        "registries": {
            "type": "array",
            "items": {"type": "string"},
            # Complete path segments: another project's name may begin with the same characters.
            "default": [
                *(f"europe-west1-docker.pkg.dev/kingdom-{name}/" for name in _PROJECTS),
                "gke.gcr.io/",
            ],
            "description": "Prefixes that an image's name may start with.",
        }
    },
    platform_specific=True,
)
def image_registry(resource: Resource, settings: Settings) -> Iterator[Finding]:
    allowed = tuple(settings["registries"])
    for pod in pod_templates(resource):
        for container in pod.containers():
            image = container["image"]
            if image.known() and not str(image.raw or "").startswith(allowed):
                yield image.finding(
                    f"{title(container)} uses {image.raw!r} from outside {', '.join(allowed)}"
                )


@rule(
    "probes",
    "Containers of servers must have liveness and readiness probes. "
    "A replica that hangs would otherwise keep getting traffic and never be restarted.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation=(
        "Declare livenessProbe and readinessProbe; let liveness tolerate more failures than readiness."
    ),
    severity=Severity.MEDIUM,
    tags=("SOC2:A1.2", "KUB7"),
    platform_specific=True,
)
def probes(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        if pod.owner.kind not in _SERVING:
            continue
        for container in pod.containers("containers"):
            for probe in ("livenessProbe", "readinessProbe") if container.known() else ():
                if not container[probe].present:
                    yield container[probe].finding(f"{title(container)} has none")


@rule(
    "requests-and-limits",
    "Containers must set CPU and memory requests and a memory limit. "
    "The scheduler overcommits nodes otherwise, and one container can exhaust a node's memory.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Set requests for cpu and memory, and a limit for memory no smaller than its request.",
    severity=Severity.MEDIUM,
    tags=("SOC2:A1.1", "KUB5"),
    platform_specific=True,
)
def requests_and_limits(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        shared = pod.spec["resources"]
        for container in pod.containers("initContainers", "containers"):
            resources = container["resources"]
            for part, key in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
                limited = part == "requests" and resources.at("limits", key).present
                if not resources.at(part, key).present and not limited and not shared.at(part, key).present:
                    yield resources.at(part, key).finding(f"{title(container)} names no {part} of {key}")
            for key, limit in resources["limits"].entries():
                maximum = parse(limit.raw) if limit.known() else None
                request = resources.at("requests", key)
                minimum = parse(request.raw) if request.present and request.known() else None
                if maximum is not None and minimum is not None and maximum < minimum:
                    yield limit.finding(f"{title(container)} requests more {key} than its limit")


@rule(
    "service-account-token",
    "Pods must not mount a service account token unless they use the API. "
    "A stolen token gives access to the cluster.",
    concern=CONCERN,
    types=POD_TYPES + r"|kubernetes:core/v1:ServiceAccount",
    remediation=(
        "Set automountServiceAccountToken to false; name pods that need it in the policy's configuration."
    ),
    severity=Severity.HIGH,
    tags=("CIS-GKE:5.1.6", "SOC2:CC6.1"),
    settings={
        "needed": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Names of objects whose pods use the API server.",
        }
    },
    platform_specific=True,
    remedy=without_token,
)
def service_account_token(resource: Resource, settings: Settings) -> Iterator[Finding]:
    for item in objects_of(resource):
        if item.kind == "ServiceAccount" and item.name not in settings["needed"]:
            flag = item.node["automountServiceAccountToken"]
            if flag.is_not_one_of(False):
                yield flag.finding("must be false")
    for pod in pod_templates(resource):
        flag = pod.spec["automountServiceAccountToken"]
        if pod.owner.name not in settings["needed"] and flag.is_not_one_of(False):
            yield flag.finding("must be false: these pods do not use the API server")


_LABELED: Final = (
    r"kubernetes:(core|apps|batch|policy|autoscaling|networking\.k8s\.io)/\w+:"
    r"(Namespace|Pod|Deployment|StatefulSet|DaemonSet|Job|CronJob|Service|ConfigMap|PodDisruptionBudget|"
    r"HorizontalPodAutoscaler|NetworkPolicy|ServiceAccount|ResourceQuota|LimitRange)"
)


@rule(
    "labels",
    "Objects must carry the platform's labels. Cost reports and cleanup cannot find them otherwise.",
    concern=CONCERN,
    types=_LABELED,
    remediation="Add the labels that the policy's configuration names; they can be added by remediation.",
    severity=Severity.LOW,
    tags=("SOC2:CC6.1",),
    settings={
        "labels": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "default": {"app.kubernetes.io/part-of": "kingdom"},
            "description": "Required labels, with the values that a remediation adds.",
        }
    },
    platform_specific=True,
    remedy=with_labels,
)
def labels(resource: Resource, settings: Settings) -> Iterator[Finding]:
    for item in objects_of(resource):
        own = item.node.at("metadata", "labels")
        for key in settings["labels"]:
            if own.known() and not own[key].present:
                yield own.finding(f"has no label {key}")


# Keys of lists in a pod spec.
_LISTS: Final = (
    *CONTAINER_FIELDS,
    "volumes",
    "ports",
    "env",
    "envFrom",
    "volumeMounts",
    "add",
    "drop",
    "sysctls",
)
_OBJECTS: Final = (
    "metadata", "spec", "template", "jobTemplate", "securityContext", "capabilities", "seccompProfile",
    "appArmorProfile", "seLinuxOptions", "windowsOptions", "resources", "lifecycle", "livenessProbe",
    "readinessProbe", "startupProbe", "annotations", "labels",
)  # fmt: skip
_SHAPED: Final = frozenset((*_LISTS, *_OBJECTS))


@rule(
    "well-formed-pod-spec",
    "Pod specs must be well-formed. Other policies cannot evaluate values of the wrong type.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Write the value in the shape that the message names; the API server refuses any other.",
    severity=Severity.HIGH,
    tags=("CIS-GKE:5.2", "SOC2:CC8.1", "KUB8"),
)
def well_formed_pod_spec(resource: Resource, _: Settings) -> Iterator[Finding]:
    listed = resource.node["items"]
    if resource.type.endswith("List") and listed.present and listed.known() and type(listed.raw) is not list:
        yield listed.finding("must be a list")
    for item in objects_of(resource):
        if item.kind in TEMPLATES and "." not in item.group:
            yield from _misshapen(item.node)
        else:
            for template in sources_of(resource, item).templates:
                yield from _misshapen(template.node)
    list_unevaluated(resource)


def _misshapen(node: Node) -> Iterator[Finding]:
    """Yield values whose type does not match their key."""
    if not node.known():
        return
    if not isinstance(node.raw, dict):
        yield node.finding("must be an object")
        return
    for key, value in node.entries():
        if value.raw is None or key not in _SHAPED or not value.known():
            continue
        if key in _LISTS and not isinstance(value.raw, list):
            yield value.finding("must be a list")
        elif key in _OBJECTS and not isinstance(value.raw, dict):
            yield value.finding("must be an object")
        elif key in _OBJECTS and key not in ("annotations", "labels"):
            yield from _misshapen(value)
        elif key in (*CONTAINER_FIELDS, "volumes"):
            for item in value.items():
                yield from _misshapen(item)
