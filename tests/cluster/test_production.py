"""A real API server admits and reconciles the objects of production without warnings, within exact quotas."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.settings.loader import parse
from infra.settings.sizing import peak, surge
from rehearsal.cli.render import Object
from tests.cluster.api import Api, ApiError, wait_for
from tests.cluster.conftest import Cluster
from tests.cluster.metrics import Usage, served
from tests.infra.rehearsal import configuration

ROLES = ("api", "worker")
WORKLOAD = parse("prod", configuration("prod")).workload
HERE = f"/namespaces/{WORKLOAD.namespace}"
PODS = f"/api/v1{HERE}/pods"

pytestmark = pytest.mark.usefixtures("custom_kinds")


@pytest.fixture(scope="module")
def applied(cluster: Cluster, production: list[Object]) -> Iterator[dict[str, tuple[str, ...]]]:
    """Apply all objects of production, first as a dry run; return the server's warnings by object."""
    manifests = [item.manifest for item in production]
    namespaces = [item for item in manifests if item["kind"] == "Namespace"]
    taken = [item["metadata"]["name"] for item in namespaces if cluster.api.exists(item)]
    if taken:
        pytest.skip(f"the cluster that KUBECONFIG names has the namespace {taken[0]} already: left alone")
    made: list[dict[str, Any]] = []
    try:
        for manifest in namespaces:  # a dry run of a namespaced object needs the namespace
            cluster.api.apply(manifest)
            made.append(manifest)
        for manifest in manifests:
            cluster.api.apply(manifest, dry_run=True)
        warned = {}
        for item in production:
            response = cluster.api.apply(item.manifest)
            made.append(item.manifest)
            warned[f"{item.kind}/{item.name}"] = response.warnings
        yield warned
    finally:
        for manifest in reversed(made):
            cluster.api.delete(manifest)


def pods_of(api: Api, role: str) -> list[dict[str, Any]]:
    """Return the pods of a role that are not terminating."""
    found = api.items(PODS, labelSelector=f"app.kubernetes.io/name={role}")
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def run(api: Api, pod: dict[str, Any]) -> None:
    """Set the status of a pod to running and ready, as the kubelet does."""
    since = pod["metadata"]["creationTimestamp"]
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": since, "lastProbeTime": since}
    name = pod["metadata"]["name"]
    api.merge(
        f"{PODS}/{name}/status", {"status": {"phase": "Running", "startTime": since, "conditions": [ready]}}
    )


def conditions(api: Api, path: str) -> dict[str, tuple[str, str]]:
    """Return status and reason of each condition of an object."""
    found = api.get(path).get("status", {}).get("conditions", [])
    return {item["type"]: (item["status"], item.get("reason", "")) for item in found}


def test_every_object_is_admitted_without_a_warning(
    applied: dict[str, tuple[str, ...]], production: list[Object]
) -> None:
    assert len(applied) == len({(item.kind, item.name, item.namespace) for item in production})
    assert not {name: warnings for name, warnings in applied.items() if warnings}


def test_a_second_apply_changes_nothing(
    applied: dict[str, tuple[str, ...]], cluster: Cluster, production: list[Object]
) -> None:
    assert applied
    # Deployments are left out: their status moves the version while controllers work on them.
    for item in (item for item in production if item.kind not in ("Deployment", "ResourceQuota")):
        before = cluster.api.get(cluster.api.path_of(item.manifest, named=True))["metadata"]
        after = cluster.api.apply(item.manifest).value["metadata"]
        assert after.get("generation") == before.get("generation"), item.name


def test_a_root_container_is_rejected(
    applied: dict[str, tuple[str, ...]], cluster: Cluster, production: list[Object]
) -> None:
    assert applied
    pod = pod_of(production, "api")
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(ApiError, match='violates PodSecurity "restricted'):
        cluster.api.create(pod, dry_run=True)


def test_autoscalers_budgets_and_quota_report_no_error(
    applied: dict[str, tuple[str, ...]], cluster: Cluster, tmp_path: Path
) -> None:
    assert applied
    if not cluster.own:
        pytest.skip("the metrics server runs on this machine, which another cluster cannot reach")
    api = cluster.api
    usage = Usage(api)
    usage.cpu, usage.memory = "100m", "128Mi"
    with served(api, usage, tmp_path):
        for role in ROLES:
            scaler = f"/apis/autoscaling/v2{HERE}/horizontalpodautoscalers/{role}"
            budget = f"/apis/policy/v1{HERE}/poddisruptionbudgets/{role}"
            least = getattr(WORKLOAD, role).min_replicas

            def settled(role: str = role, scaler: str = scaler, least: int = least) -> bool:
                for pod in pods_of(api, role):
                    if pod["status"]["phase"] != "Running":
                        run(api, pod)
                seen = conditions(api, scaler)
                return (
                    len(pods_of(api, role)) >= least
                    and seen.get("AbleToScale", ("",))[0] == "True"
                    and seen.get("ScalingActive", ("",))[0] == "True"
                )

            wait_for(f"the autoscaler of {role}: {conditions(api, scaler)}", settled, seconds=90)
            current = api.get(scaler)["status"]["currentMetrics"]
            assert len(current) == len(api.get(scaler)["spec"]["metrics"]), current
            wait_for(
                f"the budget of {role}",
                lambda budget=budget: (
                    conditions(api, budget).get("DisruptionAllowed") == ("True", "SufficientPods")
                ),
            )
        assert {
            f"autoscaling.gke.io|{role}|{key}" for role in ROLES for key in getattr(WORKLOAD, role).signals
        } <= (usage.requested)
    quota = wait_for("the quota's usage", lambda: quota_of(api) if quota_of(api)["used"] else None)
    assert set(quota["used"]) == set(quota["hard"])
    complaints = Counter(
        f"{event['involvedObject']['kind']}/{event['involvedObject']['name']}: {event['reason']}"
        for event in api.items(f"/api/v1{HERE}/events")
        if event["type"] == "Warning"
        and event["reason"] in {"FailedCreate", "NoPods", "CalculateExpectedPodCountFailed"}
    )
    assert not complaints


def quota_of(api: Api) -> dict[str, Any]:
    (quota,) = api.items(f"/api/v1{HERE}/resourcequotas")
    return quota["status"]


def _exhausted(quota: dict[str, Any]) -> bool:
    """Return whether a quota admits no further pod, by its status."""
    return quota["used"]["pods"] == quota["hard"]["pods"]


def pod_of(production: list[Object], role: str, name: str = "one-more") -> dict[str, Any]:
    """Return a pod from the role's deployment template."""
    deployment = next(item for item in production if (item.kind, item.name) == ("Deployment", role))
    template = copy.deepcopy(deployment.manifest["spec"]["template"])
    metadata = template["metadata"] | {"name": f"{role}-{name}", "namespace": WORKLOAD.namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def run_of_the_monitor(production: list[Object]) -> dict[str, Any]:
    """Return a pod from the template of the monitor's CronJob."""
    job = next(item for item in production if item.kind == "CronJob")
    template = copy.deepcopy(job.manifest["spec"]["jobTemplate"]["spec"]["template"])
    metadata = template["metadata"] | {"name": "monitor-run", "namespace": WORKLOAD.namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def test_the_quota_admits_exactly_the_pods_of_a_rollout_at_max_replicas(
    applied: dict[str, tuple[str, ...]], cluster: Cluster, production: list[Object]
) -> None:
    assert applied
    api = cluster.api
    # The one run of the monitor that the quota has capacity for is created below, not by the schedule.
    api.delete(next(item.manifest for item in production if item.kind == "CronJob"))
    for role in ROLES:
        # Replicas are set manually instead of by load, so the autoscaler must not reset them.
        api.delete(
            next(i.manifest for i in production if (i.kind, i.name) == ("HorizontalPodAutoscaler", role))
        )
        max_replicas = getattr(WORKLOAD, role).max_replicas
        deployment = f"/apis/apps/v1{HERE}/deployments/{role}"
        api.merge(deployment, {"spec": {"replicas": max_replicas}})
        wait_for(
            f"{max_replicas} of {role}",
            lambda role=role, max_replicas=max_replicas: len(pods_of(api, role)) == max_replicas,
            seconds=180,
        )
        rolled = {"kingdom.studio/configuration": "another"}
        api.merge(deployment, {"spec": {"template": {"metadata": {"annotations": rolled}}}})
    for role in ROLES:
        expected = peak(getattr(WORKLOAD, role))
        wait_for(
            f"{expected} of {role} in a rollout",
            lambda role=role, expected=expected: len(pods_of(api, role)) == expected,
            seconds=180,
        )
    # The pods of a wave that still terminate count as well; pods without a controller take their place here.
    for role in ROLES:
        for number in range(surge(getattr(WORKLOAD, role))):
            api.create(pod_of(production, role, f"terminating-{number}"))
    api.create(run_of_the_monitor(production))
    # The controller that recounts usage may lag behind the admission of the last pods.
    wait_for("the quota is used up", lambda: _exhausted(quota_of(api)))
    for role in ROLES:
        with pytest.raises(ApiError, match="exceeded quota: room") as refused:
            api.create(pod_of(production, role))
        assert refused.value.code == 403
