"""Find pod specs and containers in resources of any kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policies.model.paths import Path
from policies.model.property_tree import UNKNOWN, Node
from policies.model.stack import Object, Resource, objects_of

# Path of the pod template by kind, for the kinds that Pod Security admission inspects.
TEMPLATES: Final[dict[str, tuple[str, ...]]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    "ReplicationController": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "Deployment": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
_TEMPLATE_GROUPS: Final = frozenset({"", "apps", "batch", "extensions"})
# API groups whose other kinds contain no containers: Kubernetes, GKE, and policy engines, whose patterns
# resemble pods.
_NO_CONTAINERS: Final = frozenset(
    {
        "", "admission.k8s.io", "admissionregistration.k8s.io", "apiextensions.k8s.io",
        "apiregistration.k8s.io", "apps", "authentication.k8s.io", "authorization.k8s.io", "autoscaling",
        "autoscaling.k8s.io", "batch",
        "certificates.k8s.io", "cloud.google.com", "constraints.gatekeeper.sh", "coordination.k8s.io",
        "discovery.k8s.io", "events.k8s.io", "expansion.gatekeeper.sh", "extensions", "helm.sh",
        "flowcontrol.apiserver.k8s.io", "gateway.networking.k8s.io", "kyverno.io", "mutations.gatekeeper.sh",
        "networking.gke.io", "networking.k8s.io", "node.k8s.io", "policies.kyverno.io", "policy",
        "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "snapshot.storage.k8s.io",
        "storage.k8s.io", "templates.gatekeeper.sh",
    }
)  # fmt: skip
# Further groups and kinds of custom resources that only configure: their controllers create no objects.
_CONFIGURATION: Final = frozenset(
    {
        "cilium.io", "crd.projectcalico.org", "extensions.istio.io", "metrics.k8s.io",
        "monitoring.googleapis.com", "networking.istio.io", "projectcalico.org", "security.istio.io",
        "telemetry.istio.io", "traefik.containo.us", "traefik.io",
    }
)  # fmt: skip
_CONFIGURING_KINDS: Final = frozenset(
    {
        ("argoproj.io", "AnalysisTemplate"), ("argoproj.io", "AppProject"),
        ("autoscaling.gke.io", "AutoscalingMetric"),
        ("cert-manager.io", "Issuer"), ("monitoring.coreos.com", "AlertmanagerConfig"),
        ("monitoring.coreos.com", "PodMonitor"), ("monitoring.coreos.com", "Probe"),
        ("monitoring.coreos.com", "PrometheusRule"), ("monitoring.coreos.com", "ScrapeConfig"),
        ("monitoring.coreos.com", "ServiceMonitor"), ("external-secrets.io", "SecretStore"),
    }
)  # fmt: skip
# Groups whose controllers create objects, but no pods.
_WITHOUT_PODS: Final = frozenset(
    {"bitnami.com", "external-secrets.io", "keda.sh", "projectcontour.io", "secrets-store.csi.x-k8s.io"}
)
# Type tokens of objects that may create pods. Patch resources are partial; the server validates them.
POD_TYPES: Final = r"kubernetes:.*(?<!Patch)"
# The key of documentation in ConfigMaps of Knative and KServe, which no program reads.
DOCUMENTATION: Final = "_example"
CONTAINER_FIELDS: Final = ("initContainers", "containers", "ephemeralContainers")
# Fields that distinguish a container from any other object with an image.
_CONTAINER_MARKS: Final = frozenset(
    {
        "args", "command", "env", "envFrom", "livenessProbe", "ports", "readinessProbe", "resources",
        "securityContext", "volumeMounts",
    }
)  # fmt: skip
_MAX_DEPTH: Final = 24
_MAX_VISITED: Final = 20_000


@dataclass(frozen=True)
class PodTemplate:
    """Metadata and spec of a pod, with the object that contains them."""

    owner: Object
    node: Node

    @property
    def spec(self) -> Node:
        return self.node["spec"]

    @property
    def security(self) -> Node:
        return self.spec["securityContext"]

    @property
    def annotations(self) -> Node:
        return self.node.at("metadata", "annotations")

    @property
    def labels(self) -> Node:
        return self.node.at("metadata", "labels")

    def containers(self, *fields: str) -> Iterator[Node]:
        """Init, main and ephemeral containers, in that order, or only those of `fields`."""
        for name in fields or CONTAINER_FIELDS:
            yield from self.spec[name].items()

    @property
    def on_windows(self) -> bool:
        """Whether the pod runs on Windows, where the standard exempts Linux-only controls (since v1.25)."""
        return self.spec.at("os", "name").is_one_of("windows")

    @property
    def in_user_namespace(self) -> bool:
        """``hostUsers: false``: root in the container is an unprivileged user of the node (since v1.35)."""
        return self.spec["hostUsers"].is_one_of(False)


@dataclass
class PodSources:
    """The pod templates of one object, and the containers in it that no policy can evaluate."""

    templates: tuple[PodTemplate, ...] = ()
    unevaluated: tuple[Path, ...] = ()


def pod_sources(owner: Object) -> PodSources:
    """Find all pod templates in `owner`.

    Kinds that are not built in are searched: an object under a key that contains "template" and has
    ``spec.containers`` is a pod template, as in a Rollout, a DeploymentConfig or a JobSet. So is a whole Pod,
    as in a Template or a ManifestWork.
    """
    # The first version of OpenShift's Template is in the core group.
    bundle = owner.kind == "Template" and isinstance(owner.node.fresh()["objects"].raw, list)
    if owner.group in _TEMPLATE_GROUPS and not bundle:
        path = TEMPLATES.get(owner.kind)
        if path is None:
            # A kind of a distribution in the core group, such as the first DeploymentConfig of OpenShift.
            path = ("spec", "template")
            if not _has_containers(owner.node.fresh().at(*path, "spec").raw):
                return PodSources()
        return PodSources((PodTemplate(owner, owner.node.at(*path)),))
    if (owner.group in _NO_CONTAINERS and not bundle) or not isinstance(owner.node.raw, Mapping):
        return PodSources()
    if owner.group == "serving.knative.dev" and owner.kind == "Revision":
        return PodSources((PodTemplate(owner, owner.node),))
    search = _Search()
    search.visit(owner.node.raw, (), 0)
    for missed in search.unknown:
        owner.node.at(*missed).known()
    return PodSources(
        tuple(PodTemplate(owner, owner.node.at(*found)) for found in search.templates),
        tuple(search.containers),
    )


def may_create_objects(owner: Object) -> bool:
    """Whether a custom resource may make its controller create objects of any kind in its namespace."""
    if "." not in owner.group or owner.group in _NO_CONTAINERS or owner.group in _CONFIGURATION:
        return False
    if owner.group == "secrets-store.csi.x-k8s.io":
        return owner.node.at("spec", "secretObjects").present
    return (owner.group, owner.kind) not in _CONFIGURING_KINDS


def may_create_pods(owner: Object) -> bool:
    """Whether a custom resource may make its controller create pods, whose number is unknown."""
    return may_create_objects(owner) and owner.group not in _WITHOUT_PODS


@dataclass
class _Search:
    """A walk through an object of unknown kind, bounded in depth and in values visited."""

    templates: list[Path] = field(default_factory=list)
    containers: list[Path] = field(default_factory=list)
    unknown: list[Path] = field(default_factory=list)
    visited: int = 0

    def visit(self, value: Any, path: Path, depth: int) -> None:
        self.visited += 1
        if self.visited > _MAX_VISITED or depth > _MAX_DEPTH:
            return
        keys = [part for part in path[-2:] if isinstance(part, str)]
        key = keys[-1].lower() if keys else ""
        named = "template" in key
        if value is UNKNOWN:
            if named:
                self.unknown.append(path)
        elif isinstance(value, Mapping):
            pod = value.get("kind") == "Pod" and value.get("apiVersion") == "v1"
            if (named or pod) and _has_containers(value.get("spec")):
                self.templates.append(path)
            elif isinstance(value.get("image"), str) and (
                key.endswith("containers") or not _CONTAINER_MARKS.isdisjoint(value)
            ):
                self.containers.append(path)
            else:
                # As in a SparkApplication: its operator creates pods with this context.
                if isinstance(value.get("securityContext"), Mapping):
                    self.containers.append((*path, "securityContext"))
                for key, item in value.items():
                    if isinstance(item, (Mapping, list)) or item is UNKNOWN:
                        self.visit(item, (*path, str(key)), depth + 1)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, (Mapping, list)):
                    self.visit(item, (*path, index), depth + 1)


def _has_containers(spec: Any) -> bool:
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    return containers is UNKNOWN or (
        isinstance(containers, list) and any(isinstance(item, Mapping) for item in containers)
    )


def pod_templates(resource: Resource) -> list[PodTemplate]:
    """Return every pod template in a resource, including those in lists."""
    found = resource.memo.get("pod_templates")
    if found is None:
        found = resource.memo["pod_templates"] = [
            template for item in objects_of(resource) for template in sources_of(resource, item).templates
        ]
    return found


def sources_of(resource: Resource, item: Object) -> PodSources:
    """Return :func:`pod_sources` of an object of `resource`, cached."""
    known = resource.memo.setdefault("pod_sources", {})
    found = known.get(id(item))
    if found is None:
        found = known[id(item)] = pod_sources(item)
    return found


def list_unevaluated(resource: Resource) -> None:
    """Note the containers of a resource that are in no pod template, so that none is skipped silently."""
    for item in objects_of(resource):
        for path in sources_of(resource, item).unevaluated[:_MAX_LISTED]:
            what = "is set for" if path[-1] == "securityContext" else "is a container of"
            item.node.at(*path).mark_unevaluated(f"{what} {item.label}, a kind whose pods are unknown")


_MAX_LISTED: Final = 5


def running_containers(pod: PodTemplate) -> Iterator[Node]:
    """Yield the containers that run as long as the pod: its main containers and its sidecars."""
    yield from pod.containers("containers")
    for container in pod.containers("initContainers"):
        if container["restartPolicy"].is_one_of("Always"):
            yield container


def claim_templates(workload: Object, pod: PodTemplate) -> Iterator[Node]:
    """Yield the volume claims that are created for each pod: of a stateful set, and of ephemeral volumes."""
    if workload.kind == "StatefulSet":
        yield from workload.node.at("spec", "volumeClaimTemplates").items()
    for volume in pod.spec["volumes"].items():
        claim = volume.at("ephemeral", "volumeClaimTemplate")
        if claim.present:
            yield claim


def title(container: Node) -> str:
    """Return the name of a container for messages: ``container "app"``."""
    name = container.fresh()["name"].raw
    return f'container "{name}"' if isinstance(name, str) else f"container {container.path[-1]}"
