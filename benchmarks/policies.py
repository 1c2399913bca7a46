"""Evaluation time of the policy pack: production's complete plan, and manifests.

Every resource of prod is evaluated by itself and then all of them together, through the pack's process and
Pulumi's Analyzer protocol, after the process has started. The same is done with ten times the resources:
copies under other names, in namespaces of their own. Each turn has a new process, since the pack caches what
it has decoded; both sizes are measured alternately. The figures are minimums, because other load on the
machine can only add time.

`kingdom check` evaluates manifests in this process: a thousand documents of four kinds, first in a namespace
each, then all in one; then a thousand in one namespace whose budgets, LimitRanges and quotas apply to every
workload. The lower bound is PyYAML's safe loader on the same text.
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

import yaml

from benchmarks._benchmark import Benchmark, Measurement
from rehearsal.engine.policy_checks import PolicyChecks
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.policy.manifest_check import check
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

    Raises: RuntimeError: if production has a violation, because then something else would be measured.
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
        assert pack.info.policies, "the pack has started"
        checks = PolicyChecks(pack)
        with gc_pause.off():  # as in a preview
            began = time.perf_counter()
            for resource in resources:
                checks.resource(resource, None)
            checks.stack(resources)
            taken = time.perf_counter() - began
    if checks.violations:
        raise RuntimeError(f"the pack reports a violation: {checks.violations[0].message}")
    return taken


def copied(resource: ResourceState, number: int) -> ResourceState:
    """Return the resource under another name; a Kubernetes object also in another namespace."""
    inputs, outputs = copy.deepcopy(resource.inputs), copy.deepcopy(resource.outputs)
    for properties in (inputs, outputs):
        metadata: Any = properties.get("metadata")
        if resource.type.startswith("kubernetes:") and isinstance(metadata, dict):
            key = "name" if resource.type.endswith(":Namespace") else "namespace"
            if key in metadata:
                metadata[key] = f"{metadata[key]}-{number}"
    return replace(resource, urn=f"{resource.urn}-{number}", inputs=inputs, outputs=outputs)


@cache
def min_seconds() -> tuple[float, float, int]:
    """Return the minimum seconds for production and for `TIMES` as much, and the number of resources."""
    with tempfile.TemporaryDirectory() as folder:
        one = rehearse(STACK, Path(folder)).resources
    many = [*one, *(copied(resource, number) for number in range(1, TIMES) for resource in one)]
    turns = [(seconds_for(one), seconds_for(many)) for _ in range(ROUNDS)]
    ones, manies = zip(*turns, strict=True)
    return min(ones), min(manies), len(one)


def _whole_plan() -> Measurement:
    one, _, count = min_seconds()
    note = f"{count} resources of {STACK}, minimum of {ROUNDS}"
    return Measurement.max_ratio(1, ours=one, peer=SECONDS, note=note)


def _growth() -> Measurement:
    one, many, count = min_seconds()
    note = f"{count * TIMES} resources beside {count}, minimum of {ROUNDS}"
    return Measurement.max_ratio(GROWTH, ours=many, peer=one, note=note)


DOCUMENTS = 1000
CHECK_SECONDS = 1.5
CHECK_ROUNDS = 5
LOADER_TIMES = 5
MANIFESTS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: d{0}, namespace: {1}}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: d{0}}}}}
  template:
    metadata: {{labels: {{app: d{0}}}}}
    spec:
      securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
        - name: main
          image: example.com/main:1.2.3
          ports: [{{name: http, containerPort: 8080}}]
          env: [{{name: MODE, value: production}}, {{name: LIMIT, value: "100"}}]
          readinessProbe: {{httpGet: {{path: /ready, port: http}}}}
          resources: {{requests: {{cpu: 100m, memory: 128Mi}}, limits: {{cpu: 200m, memory: 256Mi}}}}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {{drop: [ALL]}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: d{0}, namespace: {1}}}
spec: {{maxUnavailable: 1, selector: {{matchLabels: {{app: d{0}}}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: d{0}, namespace: {1}}}
spec: {{selector: {{app: d{0}}}, ports: [{{port: 80, targetPort: http}}]}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: d{0}, namespace: {1}}}
spec: {{maxReplicas: 4, scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: d{0}}}}}
---
"""


OVERLAPPING = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: d{0}}}
spec: {{maxUnavailable: 1, selector: {{matchExpressions: [{{key: app, operator: Exists}}]}}}}
---
apiVersion: v1
kind: LimitRange
metadata: {{name: d{0}}}
spec: {{limits: [{{type: Container, max: {{cpu: {1}m, memory: 1Gi}}}}, {{type: Pod, max: {{cpu: "4"}}}}]}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {{name: d{0}}}
spec: {{hard: {{pods: 100k, requests.cpu: 100k}}, scopes: [NotBestEffort]}}
---
"""


def overlapping() -> str:
    """Return documents in which each of 250 budgets, LimitRanges and quotas applies to 250 workloads."""
    deployment = MANIFESTS.split("---")[0] + "---\n"
    numbers = range(DOCUMENTS // 4)
    return "".join(deployment.format(at, "default") + OVERLAPPING.format(at, 1000 + at) for at in numbers)


@cache
def overlapping_seconds() -> float:
    """Return the minimum processor seconds of a check of :func:`overlapping`."""
    turns = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "overlapping.yaml")
        file.write_text(overlapping())
        for _ in range(CHECK_ROUNDS):
            began = time.process_time()
            report = check([str(file)])
            turns.append(time.process_time() - began)
            assert report.objects == DOCUMENTS
    return min(turns)


def _check_overlapping() -> Measurement:
    note = f"{DOCUMENTS} documents in one namespace, processor time, minimum of {CHECK_ROUNDS}"
    return Measurement.max_ratio(1, ours=overlapping_seconds(), peer=CHECK_SECONDS, note=note)


def manifests(*, one_namespace: bool) -> str:
    numbers = range(DOCUMENTS // 4)
    return "".join(MANIFESTS.format(at, "one" if one_namespace else f"n{at}") for at in numbers)


@cache
def check_seconds() -> tuple[float, float, float]:
    """Return processor seconds: documents in many namespaces, in one namespace, and PyYAML's safe loader."""
    turns = []
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("many.yaml", "one.yaml")]
        for file in files:
            file.write_text(manifests(one_namespace=file.stem == "one"))
        for _ in range(CHECK_ROUNDS):
            turn = []
            for file in files:
                began = time.process_time()
                report = check([str(file)])
                turn.append(time.process_time() - began)
                assert report.objects == DOCUMENTS
            began = time.process_time()
            list(yaml.load_all(files[0].read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
            turns.append((*turn, time.process_time() - began))
    many, one, loader = map(min, zip(*turns, strict=True))
    return many, one, loader


def _check() -> Measurement:
    many, one, _ = check_seconds()
    note = (
        f"{DOCUMENTS} documents, processor time, all in one namespace {one:.2f} s; minimum of {CHECK_ROUNDS}"
    )
    return Measurement.max_ratio(1, ours=max(many, one), peer=CHECK_SECONDS, note=note)


def _check_loader() -> Measurement:
    many, _, loader = check_seconds()
    note = f"{DOCUMENTS} documents, processor time, minimum of {CHECK_ROUNDS}"
    return Measurement.max_ratio(LOADER_TIMES, ours=many, peer=loader, note=note)


BENCHMARKS = [
    Benchmark("policy-pack", "the limit", "s", "≤ 1", _whole_plan),
    Benchmark("policy-pack-growth", "a tenth of the resources", "s", f"≤ {GROWTH}", _growth),
    Benchmark("check-manifests", "the limit", "s", "≤ 1", _check),
    Benchmark("check-manifests-overlapping", "the limit", "s", "≤ 1", _check_overlapping),
    Benchmark(
        "check-manifests-loader", "PyYAML's safe loader alone", "s", f"≤ {LOADER_TIMES}", _check_loader
    ),
]
