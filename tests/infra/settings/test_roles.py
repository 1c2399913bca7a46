"""The table of roles: where each role runs, which preempts which, and which names are taken."""

from __future__ import annotations

import re

from infra.settings.roles import LOAD_TEST, MONITOR, MONITOR_POOL, PUBLIC, ROLES, NodePoolKind
from tests.infra.rehearsal import ROOT

# https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
MAX_USER_PRIORITY = 1_000_000_000


def test_no_other_file_of_the_program_names_the_roles() -> None:
    names = "|".join(ROLES)
    for path in sorted((ROOT / "infra").rglob("*.py")):
        if path.name != "roles.py":
            assert not re.search(rf'(?<![\w/.])"(?:{names})"(?![\w/])', path.read_text()), path


def test_the_public_role_runs_on_nodes_that_stay_and_preempts() -> None:
    public = ROLES[PUBLIC]
    assert public.pool is NodePoolKind.ON_DEMAND
    assert public.preempts
    assert public.working_set


def test_no_role_preempts_the_public_one() -> None:
    others = [role for name, role in ROLES.items() if name != PUBLIC]
    assert others
    assert all(role.priority < ROLES[PUBLIC].priority for role in others)
    assert not any(role.preempts for role in others)


def test_priorities_lie_between_pods_without_a_class_and_those_of_the_system() -> None:
    priorities = [role.priority for role in ROLES.values()]
    assert all(0 < priority <= MAX_USER_PRIORITY for priority in priorities)
    assert len(set(priorities)) == len(priorities)


def test_jobs_are_not_roles_and_do_not_run_on_nodes_of_the_public_role() -> None:
    assert not {MONITOR, LOAD_TEST} & ROLES.keys()
    assert MONITOR_POOL is not ROLES[PUBLIC].pool
