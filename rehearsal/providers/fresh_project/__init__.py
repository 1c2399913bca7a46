"""Obstacles to a first deployment: the state of a new project, and the order of creation in it.

A new Google project has most APIs disabled, no service agents, small quotas and a network called ``default``.
The checks read the plan of creating a stack from nothing, with its dependencies, so that a violation of the
order is found every time, not only in a race of two requests.
"""

from __future__ import annotations

from collections.abc import Sequence

from rehearsal.engine.state import ResourceState
from rehearsal.providers.fresh_project import entitlements, order, quotas
from rehearsal.providers.fresh_project.model import CreationPlan, FreshProject, Obstacle

__all__ = ["FreshProject", "Obstacle", "obstacles"]


def obstacles(
    project: FreshProject, planned: Sequence[ResourceState], created: Sequence[ResourceState] = ()
) -> list[Obstacle]:
    """Return the obstacles to a first deployment, and settings that every later update changes again.

    `planned` are the resources of the plan, in which values of resources to be created are unknown; `created`
    are the same resources after a rehearsal, in which they are known.
    """
    plan = CreationPlan.of(planned)
    known = CreationPlan.of(created or planned)
    found = [
        *order.apis(project, plan),
        *order.service_agents(plan),
        *order.zone_settings(plan),
        *order.app_check(plan),
        *entitlements.names(project, known),
        *entitlements.cluster(plan),
        *entitlements.features(plan),
        *entitlements.edge(project, known),
        *entitlements.teardown(plan),
        *quotas.first_deployment(project, plan),
    ]
    return sorted(set(found))
