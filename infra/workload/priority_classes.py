"""PriorityClasses: under node pressure, interactive pods are scheduled before background pods."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.scheduling import v1 as scheduling

from infra.component import Component, Environment
from infra.settings.roles import ROLES
from infra.workload.namespace import kubernetes_labels


@dataclass(frozen=True, slots=True)
class PriorityClassesArgs:
    """The environment."""

    environment: Environment


class PriorityClasses(Component):
    """A PriorityClass for each role. `ready` precedes pods that use them."""

    def __init__(
        self, name: str, args: PriorityClassesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kingdom:workload:Priorities", name, opts)
        self.ready: list[pulumi.Resource] = [
            scheduling.PriorityClass(
                f"{name}-{role}",
                metadata={"name": class_name(role), "labels": kubernetes_labels(args.environment, role)},
                value=definition.priority,
                global_default=False,  # a pod without a class preempts no other pod
                # Only interactive pods preempt others; background pods wait for capacity.
                preemption_policy="PreemptLowerPriority" if definition.preempts else "Never",
                description=f"Pods of the {role} role of the kingdom service",
                opts=self.child(),
            )
            for role, definition in ROLES.items()
        ]
        self.register_outputs({})


def class_name(role: str) -> str:
    """Return the name of a role's priority class."""
    return f"kingdom-{role}"
