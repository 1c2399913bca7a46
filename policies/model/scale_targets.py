"""What scales what: autoscalers, disruption budgets and quotas matched to the workloads they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from policies.model.pods import PodTemplate, pod_template
from policies.model.property_tree import Node, all_known
from policies.model.stack import Object, Stack

SCALABLE = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")


class Scaling:
    """Look-ups over one state; every index is built once, so that rules stay linear in its size."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    @cached_property
    def workloads(self) -> dict[str, list[tuple[Object, PodTemplate]]]:
        """Pod-making objects by namespace ("?" where it is unknown)."""
        index: dict[str, list[tuple[Object, PodTemplate]]] = {}
        for item in self._stack.objects:
            template = pod_template(item)
            if template is not None and item.kind != "PodTemplate":
                index.setdefault(item.namespace, []).append((item, template))
        return index

    @cached_property
    def horizontal(self) -> dict[tuple[str, str, str], Object]:
        """HorizontalPodAutoscalers by namespace, kind and name of their target."""
        return {
            self.target_of(item, "scaleTargetRef"): item
            for item in self._stack.of_kind("HorizontalPodAutoscaler")
        }

    @cached_property
    def vertical(self) -> dict[tuple[str, str, str], Object]:
        """VerticalPodAutoscalers by namespace, kind and name of their target."""
        return {
            self.target_of(item, "targetRef"): item for item in self._stack.of_kind("VerticalPodAutoscaler")
        }

    @cached_property
    def objects(self) -> dict[tuple[str, str, str], Object]:
        """All objects by namespace, kind and name."""
        return {(item.namespace, item.kind, item.name): item for item in self._stack.objects}

    def replicas(self, workload: Object) -> tuple[int, int]:
        """Fewest and most replicas that a workload is meant to have (without surge)."""
        spec = workload.node["spec"]
        scaler = self.horizontal.get(key_of(workload))
        if scaler is not None:
            limits = scaler.node["spec"]
            return int(limits["minReplicas"].number(1)), int(limits["maxReplicas"].number(1))
        count = int(spec["replicas"].number(1))
        return count, count

    def selected_by(self, selector: Node, namespace: str) -> Iterator[tuple[Object, PodTemplate]]:
        """The workloads of a namespace whose pods a label selector means."""
        for item, template in self.workloads.get(namespace, ()):
            if matches(selector, template.labels):
                yield item, template

    @staticmethod
    def target_of(item: Object, field: str) -> tuple[str, str, str]:
        """What an autoscaler's reference names: namespace, kind, name."""
        target = item.node.at("spec", field)
        return item.namespace, target["kind"].text(), target["name"].text()


def key_of(item: Object) -> tuple[str, str, str]:
    return item.namespace, item.kind, item.name


def policy_of(scaler: Object, container: str) -> Node | None:
    """The policy of a VerticalPodAutoscaler for a container: its own, else that for all; None for neither."""
    found: Node | None = None
    for policy in scaler.node.at("spec", "resourcePolicy", "containerPolicies").items():
        if policy["containerName"].text() == container:
            return policy
        if policy["containerName"].like("*"):
            found = policy
    return found


def matches(selector: Node, labels: Node) -> bool:
    """Whether a LabelSelector means pods with these labels; an empty selector means all, an absent none."""
    if not selector.known() or not labels.known() or not isinstance(selector.raw, Mapping):
        return False
    own: Mapping[str, object] = labels.raw if isinstance(labels.raw, Mapping) else {}
    if not all_known(value for _, value in labels.entries()):
        return False
    if not (selector["matchLabels"].known() and selector["matchExpressions"].known()):
        return False
    for key, value in selector["matchLabels"].entries():
        if not value.known() or own.get(key) != value.raw:
            return False
    for expression in selector["matchExpressions"].items():
        key, operator = expression["key"].text(), expression["operator"].text()
        values = [item.raw for item in expression["values"].items() if item.known()]
        if not expression["values"].known() or (values and len(values) < len(expression["values"].raw)):
            return False
        held = {
            "In": own.get(key) in values and key in own,
            "NotIn": own.get(key) not in values,
            "Exists": key in own,
            "DoesNotExist": key not in own,
        }
        if not held.get(operator, False):
            return False
    return True
