"""Table of the service's roles, from which all resources of a role are declared.

A role is one Deployment of the image, started as ``python -m app ROLE``. To add one, add an entry here and a
section of its name under ``kingdom:workload`` in each stack file: docs/add-a-role.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class NodePoolKind(StrEnum):
    """Node pools. The values are the names in the cluster and in node labels."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    LOAD_TEST = "loadtest"


@dataclass(frozen=True, slots=True)
class Role:
    """Properties of a role in every environment; replicas and sizes are in the stack files.

    `pool` is the node pool of its pods. `priority` orders pending pods under node pressure; only a role that
    `preempts` evicts others. With `working_set`, each replica stores `cache.workingSetMi` in Redis.
    """

    pool: NodePoolKind
    priority: int
    preempts: bool = False
    working_set: bool = False


# Priorities are below the built-in classes of Kubernetes (2,000,000,000) and above 0, the priority of a pod
# without a class.
ROLES: Final[Mapping[str, Role]] = {
    "api": Role(NodePoolKind.ON_DEMAND, priority=1_000_000, preempts=True, working_set=True),
    "worker": Role(NodePoolKind.SPOT, priority=100_000),
}
# The role that serves requests of the load balancer.
PUBLIC: Final = "api"
# The role that a CronJob runs; it has neither replicas nor secrets.
MONITOR: Final = "monitor"
MONITOR_POOL: Final = NodePoolKind.SPOT
LOAD_TEST: Final = "loadtest"
"""Name of the load test's account, Job and image; its namespace ends with it."""
