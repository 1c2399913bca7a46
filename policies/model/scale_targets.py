"""Match autoscalers, disruption budgets, services and quotas to the workloads that they select."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Final

from policies.model.label_selectors import LabelIndex, Selector
from policies.model.pods import PodTemplate, may_create_objects, may_create_pods, sources_of
from policies.model.property_tree import Node
from policies.model.stack import Object, Stack, objects_of

SCALABLE: Final = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")
Key = tuple[str, str, str]
_KEDA_GROUP: Final = "keda.sh"
_KEDA_MAX: Final = 100  # KEDA's default of maxReplicaCount
_KEDA_PAUSED: Final = "autoscaling.keda.sh/paused-replicas"
# Kinds that are evaluated by name, or that change no replicas.
_KNOWN_SCALERS: Final = frozenset({"HorizontalPodAutoscaler", "ScaledObject", "VerticalPodAutoscaler"})

_NAMED: Final = 5


class Scaling:
    """Indexes over one state. Each is built once, so that rules are linear in its size."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._creator_names: dict[tuple[str, bool], str] = {}
        self._indexes: dict[str, LabelIndex[tuple[Object, PodTemplate]]] = {}

    @classmethod
    def of(cls, stack: Stack) -> Scaling:
        """Return the indexes of `stack`, shared by its rules."""
        found = stack.memo.get("scaling")
        if not isinstance(found, cls):
            found = stack.memo["scaling"] = cls(stack)
        return found

    @cached_property
    def workloads(self) -> dict[str, list[tuple[Object, PodTemplate]]]:
        """Return objects that create pods by namespace ("?" if it is unknown), each once.

        The last of several declarations of one object counts. An object whose
        owner is in the stack (a live ReplicaSet of a Deployment) is counted with its owner.
        """
        index: dict[str, dict[tuple[object, ...], tuple[Object, PodTemplate]]] = {}
        for resource in self._stack.resources:
            for item in objects_of(resource):
                if item.kind == "PodTemplate" or self._owned(item):
                    continue
                for at, template in enumerate(sources_of(resource, item).templates):
                    own = index.setdefault(item.namespace, {})
                    key: tuple[object, ...] = (item.served_group, item.kind, item.name, at)
                    own[key if item.name else (id(item), at)] = (item, template)
        return {namespace: list(found.values()) for namespace, found in index.items()}

    def _owned(self, item: Object) -> bool:
        owners = item.node.at("metadata", "ownerReferences").fresh()
        return any(
            owner["controller"].raw is True
            and (item.namespace, str(owner["kind"].raw), str(owner["name"].raw)) in self.objects
            for owner in owners.items()
        )

    @cached_property
    def creators(self) -> dict[str, list[Object]]:
        """Return custom resources by namespace whose controllers may create objects there."""
        index: dict[str, list[Object]] = {}
        for item in self._stack.objects:
            if may_create_objects(item):
                index.setdefault(item.namespace, []).append(item)
        return index

    @cached_property
    def pod_creators(self) -> dict[str, list[Object]]:
        """Return custom resources by namespace that may create pods in an unknown way.

        Those with a pod template are in :attr:`workloads`.
        """
        index: dict[str, list[Object]] = {}
        for resource in self._stack.resources:
            for item in objects_of(resource):
                if may_create_pods(item) and not sources_of(resource, item).templates:
                    index.setdefault(item.namespace, []).append(item)
        return index

    def creator_names(self, namespace: str, *, pods_only: bool) -> str:
        """Return :attr:`creators` or :attr:`pod_creators` of a namespace for a message; "" if it has none.

        At most five are named, sorted, since the order of registrations differs between runs.
        """
        key = namespace, pods_only
        if key not in self._creator_names:
            creators = (self.pod_creators if pods_only else self.creators).get(namespace, [])
            names = ", ".join(sorted(item.label for item in creators)[:_NAMED])
            more = f" and {len(creators) - _NAMED} more" if len(creators) > _NAMED else ""
            self._creator_names[key] = names + more
        return self._creator_names[key]

    @cached_property
    def horizontal(self) -> dict[Key, Object]:
        """HorizontalPodAutoscalers by namespace, kind and name of their target."""
        return {
            self.target_of(item, "scaleTargetRef"): item
            for item in self._stack.of_kind("HorizontalPodAutoscaler")
        }

    @cached_property
    def scalers(self) -> dict[Key, list[Object]]:
        """The HorizontalPodAutoscalers and the ScaledObjects of KEDA by their target."""
        found: dict[Key, list[Object]] = {}
        for item in self._stack.of_kind("HorizontalPodAutoscaler", "ScaledObject"):
            if item.kind != "ScaledObject" or item.group == _KEDA_GROUP:
                namespace, kind, name = self.target_of(item, "scaleTargetRef")
                found.setdefault((namespace, kind or "Deployment", name), []).append(item)
        return found

    def is_scaled(self, workload: Object) -> bool:
        """Whether an autoscaler with known bounds sets the replicas of a workload."""
        return key_of(workload) in self.scalers

    @cached_property
    def other_scalers(self) -> dict[Key, Object]:
        """Return custom resources that may change the number of pods of their target, by target.

        Examples: an HTTPScaledObject of KEDA, a MultidimPodAutoscaler of GKE, a Canary of Flagger.
        """
        found: dict[Key, Object] = {}
        for item in self._stack.objects:
            if "." not in item.group or item.kind in _KNOWN_SCALERS:
                continue
            for field in ("scaleTargetRef", "targetRef"):
                key = self.target_of(item, field) if item.node.at("spec", field).present else ("", "", "")
                if key[1] in SCALABLE and key[2]:
                    found[key] = item
        return found

    @cached_property
    def vertical(self) -> dict[Key, Object]:
        """VerticalPodAutoscalers by namespace, kind and name of their target."""
        return {
            self.target_of(item, "targetRef"): item for item in self._stack.of_kind("VerticalPodAutoscaler")
        }

    @cached_property
    def objects(self) -> dict[Key, Object]:
        """All objects by namespace, kind and name."""
        return {(item.namespace, item.kind, item.name): item for item in self._stack.objects}

    @cached_property
    def _in_files(self) -> dict[tuple[str, Key], Object]:
        return {
            (item.source, (item.namespace, item.kind, item.name)): item
            for item in self._stack.objects
            if item.source
        }

    def near(self, item: Object, key: Key) -> Object | None:
        """Return the object of a key, of several in different files the one in the file of `item`."""
        return self._in_files.get((item.source, key)) or self.objects.get(key)

    @cached_property
    def default_priority_class(self) -> str:
        """Return the default priority class: the global default with the lowest value."""
        found = [
            item
            for item in self._stack.of_kind("PriorityClass")
            if item.node["globalDefault"].is_one_of(True)
        ]
        return min(found, key=lambda item: item.node["value"].number()).name if found else ""

    def replicas(self, workload: Object) -> tuple[int, int]:
        """Return the minimum and maximum replicas of a workload, without surge."""
        spec = workload.node["spec"]
        declared = max(0, spec["replicas"].integer(1)) if spec["replicas"].present else None
        minimum = maximum = 1 if declared is None else declared
        # Several autoscalers of one workload compete, so the bounds of all of them count.
        scalers = self.scalers.get(key_of(workload), ())
        if declared == 0:
            # A HorizontalPodAutoscaler does not act on a workload without replicas, unless it may scale to
            # zero itself (``ScalingDisabled``, pkg/controller/podautoscaler/horizontal.go).
            scalers = [item for item in scalers if not _needs_replicas(item)]
        bounds = [found for item in scalers for found in _bounds(item)]
        if bounds:
            minimum = max(0, min(low for low, _ in bounds))
            maximum = max(0, *(high for _, high in bounds))
        # The declared number of replicas is created first; the autoscaler changes it afterwards.
        return minimum, max(maximum, declared or 0)

    def selected_by(self, selector: Node, namespace: str) -> tuple[tuple[Object, PodTemplate], ...]:
        """Return the workloads of a namespace whose pods a label selector selects.

        Equal selectors share one tuple. Unknown values that may change the result are noted.
        """
        wanted = Selector.of(selector) if namespace in self.workloads else None
        if wanted is None:
            return ()
        if namespace not in self._indexes:
            own = self.workloads[namespace]
            self._indexes[namespace] = LabelIndex(own, (template.labels for _, template in own))
        return self._indexes[namespace].select(wanted)

    @cached_property
    def by_key(self) -> dict[Key, list[tuple[Object, PodTemplate]]]:
        """Return the workloads by namespace, kind and name."""
        found: dict[Key, list[tuple[Object, PodTemplate]]] = {}
        for workloads in self.workloads.values():
            for entry in workloads:
                found.setdefault(key_of(entry[0]), []).append(entry)
        return found

    @staticmethod
    def target_of(item: Object, field: str) -> Key:
        """Return the target of an autoscaler: namespace, kind, name."""
        target = item.node.at("spec", field)
        return item.namespace, target["kind"].text(), target["name"].text()


def _needs_replicas(scaler: Object) -> bool:
    minimum = scaler.node.at("spec", "minReplicas")
    return scaler.kind == "HorizontalPodAutoscaler" and minimum.known() and minimum.integer(1) != 0


def _bounds(scaler: Object) -> Iterator[tuple[int, int]]:
    """Yield the minimum and maximum replicas that an autoscaler may set."""
    limits = scaler.node["spec"]
    if scaler.kind == "HorizontalPodAutoscaler":
        yield limits["minReplicas"].integer(1), limits["maxReplicas"].integer(1)
        return
    yield limits["minReplicaCount"].integer(0), limits["maxReplicaCount"].integer(_KEDA_MAX)
    paused = scaler.node.at("metadata", "annotations", _KEDA_PAUSED)
    if paused.present:
        yield paused.integer(0), paused.integer(0)


def key_of(item: Object) -> Key:
    return item.namespace, item.kind, item.name


def policy_of(scaler: Object, container: str) -> Node | None:
    """Return the policy of a VerticalPodAutoscaler for a container: its own, the one for all, or None."""
    found: Node | None = None
    for policy in scaler.node.at("spec", "resourcePolicy", "containerPolicies").items():
        if policy["containerName"].text() == container:
            return policy
        if policy["containerName"].is_one_of("*"):
            found = policy
    return found
