"""The program and the policy pack compute the same allocatable capacity, independently of each other."""

from __future__ import annotations

from fractions import Fraction

import pytest

from infra.settings.machine_types import DAEMONS_CPU_MILLI, DAEMONS_MEMORY_MI
from infra.settings.machine_types import allocatable as declared
from policies.model.node_pools import GIB, MIB
from policies.model.node_pools import allocatable as checked
from policies.model.quantities import parse
from policies.rules.quotas import OVERHEAD_CPU, OVERHEAD_MEMORY

MACHINES = [
    f"{family}-{kind}-{cpus}"
    for family in ("e2", "n1", "n2", "n2d", "n4", "c2d", "c3", "c3d", "c4")
    for kind in ("standard", "highmem", "highcpu")
    for cpus in (4, 8, 16, 32, 48)
    if (family, kind) != ("n1", "highcpu") or cpus > 4
]


@pytest.mark.parametrize("machine", MACHINES)
def test_both_compute_the_same_capacity_of_a_node(machine: str) -> None:
    capacity = checked(machine)
    assert capacity is not None
    cpu = capacity["cpu"] * 1000 - DAEMONS_CPU_MILLI
    memory = capacity["memory"] / MIB - DAEMONS_MEMORY_MI
    share = declared(machine)
    assert abs(share.cpu_milli - cpu) <= 1
    assert abs(share.memory_mi - memory) <= 1


def test_both_subtract_the_same_requests_of_gke_daemons() -> None:
    assert parse(OVERHEAD_CPU) == Fraction(DAEMONS_CPU_MILLI, 1000)
    assert parse(OVERHEAD_MEMORY) == DAEMONS_MEMORY_MI * GIB / 1024
