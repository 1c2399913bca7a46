"""Obstacles to a first deployment: the state of a new project, and the order of creation in it.

A new Google project has most APIs disabled, no service agents, small quotas and a network called ``default``.
The checks read the dependencies in the plan of a new stack, so they find a missing dependency every time; in
a real deployment it fails only if the requests happen in the wrong order.
"""

from __future__ import annotations

from collections.abc import Sequence

from rehearsal.engine.state import ResourceState
from rehearsal.providers.fresh_project import backups, entitlements, order, quotas
from rehearsal.providers.fresh_project.model import CreationPlan, FreshProject, Obstacle

__all__ = ["FreshProject", "Obstacle", "obstacles"]


def obstacles(
    project: FreshProject, planned: Sequence[ResourceState], created: Sequence[ResourceState] = ()
) -> list[Obstacle]:
    """Return the obstacles to a first deployment, and settings that every later update would change again.

    `planned` are the resources of a preview, with unknown values; `created` are the same resources after a
    rehearsed deployment, with known values.
    """
    plan = CreationPlan.of(planned)
    known = CreationPlan.of(created or planned)
    found = [
        *order.apis(project, plan),
        *order.service_agents(plan, known),
        *order.zone_settings(plan),
        *order.app_check(plan),
        *entitlements.names(project, known),
        *entitlements.cluster(plan),
        *entitlements.features(plan),
        *entitlements.edge(project, known),
        *backups.backups(known),
        *entitlements.teardown(plan),
        *quotas.first_deployment(project, plan),
    ]
    return sorted(set(found))
