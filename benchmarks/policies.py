"""The policy pack over production's whole plan, called as an engine calls it.

Every resource of prod is evaluated by itself and then all of them together, through the pack's process and
Pulumi's Analyzer protocol, once the process is up. The same is done with ten times the resources: copies
under other names, in namespaces of their own. Each turn has a fresh process, since the pack remembers what
it has seen; both sizes are measured in turns. The figures are the least of the turns: what else the machine
does can only add to them.
"""

import copy
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks._benchmark import Benchmark, Measurement
from rehearsal.engine.policy_checks import PolicyChecks
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.policy.pack import PolicyPack
from rehearsal.pulumi import gc_pause
from tests.infra.rehearsal import ROOT, configuration, rehearse

STACK = "prod"
ROUNDS = 5
SECONDS = 1.0
TIMES = 10
GROWTH = 11


def seconds_for(resources: Sequence[ResourceState]) -> float:
    """Wall clock from the first call to the last response, in seconds.

    Raises:
        RuntimeError: when production is not clean: then something else would be measured.
    """
    values = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in configuration(STACK).items()
    }
    # Ten times the cost would exceed the ceiling, which is not measured here.
    values["policies:monthlyCeiling"] = "1e9"
    with PolicyPack.start(
        ROOT / "policies", project="kingdom", stack=STACK, dry_run=False, stack_config=values
    ) as pack:
        assert pack.info.policies, "it is up"
        checks = PolicyChecks(pack)
        with gc_pause.off():  # as it is in a preview
            began = time.perf_counter()
            for resource in resources:
                checks.resource(resource, None)
            checks.stack(resources)
            taken = time.perf_counter() - began
    if checks.violations:
        raise RuntimeError(f"the pack reports a violation: {checks.violations[0].message}")
    return taken


def copied(resource: ResourceState, number: int) -> ResourceState:
    """The resource under another name; a Kubernetes object also in another namespace."""
    inputs, outputs = copy.deepcopy(resource.inputs), copy.deepcopy(resource.outputs)
    for properties in (inputs, outputs):
        metadata: Any = properties.get("metadata")
        if resource.type.startswith("kubernetes:") and isinstance(metadata, dict):
            key = "name" if resource.type.endswith(":Namespace") else "namespace"
            if key in metadata:
                metadata[key] = f"{metadata[key]}-{number}"
    return replace(resource, urn=f"{resource.urn}-{number}", inputs=inputs, outputs=outputs)


@cache
def least() -> tuple[float, float, int]:
    """Seconds for production, seconds for `TIMES` as much, and how many resources production has."""
    with tempfile.TemporaryDirectory() as folder:
        one = rehearse(STACK, Path(folder)).resources
    many = [*one, *(copied(resource, number) for number in range(1, TIMES) for resource in one)]
    turns = [(seconds_for(one), seconds_for(many)) for _ in range(ROUNDS)]
    ones, manies = zip(*turns, strict=True)
    return min(ones), min(manies), len(one)


def _whole_plan() -> Measurement:
    one, _, count = least()
    note = f"{count} resources of {STACK}, least of {ROUNDS}"
    return Measurement.max_ratio(1, ours=one, peer=SECONDS, note=note)


def _growth() -> Measurement:
    one, many, count = least()
    note = f"{count * TIMES} resources beside {count}, least of {ROUNDS}"
    return Measurement.max_ratio(GROWTH, ours=many, peer=one, note=note)


BENCHMARKS = [
    Benchmark("policy-pack", "the limit", "s", "≤ 1", _whole_plan),
    Benchmark("policy-pack-growth", "a tenth of the resources", "s", f"≤ {GROWTH}", _growth),
]
