"""Numbers that follow from other numbers: change replicas or requests in a stack, and these move along."""

from __future__ import annotations

from dataclasses import dataclass

from infra.settings import RoleSettings


@dataclass(frozen=True, slots=True)
class Room:
    """How much a set of pods may ask for in total: pods, CPU in thousandths, memory and scratch in MiB."""

    pods: int
    cpu_milli: int
    cpu_limit_milli: int
    memory_mi: int
    scratch_mi: int

    def __add__(self, other: Room) -> Room:
        return Room(
            self.pods + other.pods,
            self.cpu_milli + other.cpu_milli,
            self.cpu_limit_milli + other.cpu_limit_milli,
            self.memory_mi + other.memory_mi,
            self.scratch_mi + other.scratch_mi,
        )

    def hard(self) -> dict[str, str]:
        """The same as `spec.hard` of a ResourceQuota."""
        return {
            "pods": str(self.pods),
            "requests.cpu": f"{self.cpu_milli}m",
            "limits.cpu": f"{self.cpu_limit_milli}m",
            "requests.memory": f"{self.memory_mi}Mi",
            "limits.memory": f"{self.memory_mi}Mi",
            "requests.ephemeral-storage": f"{self.scratch_mi}Mi",
            "limits.ephemeral-storage": f"{self.scratch_mi}Mi",
        }


def surge(role: RoleSettings) -> int:
    """Pods a rollout may add at `maxReplicas`; Kubernetes rounds a percentage of `maxSurge` up."""
    return -(-role.max_replicas * role.surge_percent // 100)


def peak(role: RoleSettings) -> int:
    """Pods of a role at most: a rollout may begin while it is scaled out, and a smaller quota stalls it."""
    return role.max_replicas + surge(role)


def room(role: RoleSettings) -> Room:
    """What a role may ask for at its peak."""
    pods, resources = peak(role), role.resources
    return Room(
        pods,
        pods * resources.cpu_milli,
        pods * resources.cpu_limit_milli,
        pods * resources.memory_mi,
        pods * resources.scratch_mi,
    )
