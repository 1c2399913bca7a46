"""The Deployments: rollouts, probes, termination, spreading, and the image that an update retains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.settings.roles import ROLES
from infra.workload.deployment import IMAGE_PATH, probe
from rehearsal.engine.events import Op
from tests.infra.rehearsal import Declared, configuration, operation, rehearse

OLD, NEW = (f"sha256:{mark * 64}" for mark in "ab")


def spec(declared: Declared, role: str) -> dict[str, Any]:
    found: dict[str, Any] = declared.one("Deployment", role)["spec"]
    return found


def container(declared: Declared, role: str) -> dict[str, Any]:
    (found,) = spec(declared, role)["template"]["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize("role", ["api", "worker"])
def test_the_number_of_replicas_is_left_to_the_autoscaler(declared: Declared, role: str) -> None:
    assert "replicas" not in declared.one("Deployment", role)["spec"]


@pytest.mark.parametrize("role", ["api", "worker"])
def test_grace_period_covers_drain_and_request_timeout(declared: Declared, role: str) -> None:
    values = configuration(declared.stack)["kingdom:workload"]
    pod = declared.one("Deployment", role)["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > values["drainSeconds"] + values["requestSeconds"]


def test_pods_are_created_after_their_dependencies(prod: Declared) -> None:
    for role in ("api", "worker"):
        after = prod.state("Deployment", role).dependencies
        for needed in (
            "PriorityClass",
            "PrivateLinkEndpointService",
            "RepositoryIamMember",
            "ServiceAccount",
        ):
            assert any(f":{needed}::" in urn for urn in after), f"{role} does not wait for {needed}"


def test_interactive_pods_have_the_higher_priority(declared: Declared) -> None:
    classes = {item["metadata"]["name"]: item["value"] for item in declared.of("PriorityClass").values()}
    named = {
        role: declared.one("Deployment", role)["spec"]["template"]["spec"]["priorityClassName"]
        for role in ("api", "worker")
    }
    assert classes[named["api"]] > classes[named["worker"]] > 0


@pytest.mark.parametrize("role", ["api", "worker"])
def test_a_rollout_adds_the_configured_surge_and_removes_no_serving_replica(
    declared: Declared, role: str
) -> None:
    surge = configuration(declared.stack)["kingdom:workload"][role]["surgePercent"]
    assert spec(declared, role)["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": f"{surge}%", "maxUnavailable": 0},
    }


@pytest.mark.parametrize("role", ["api", "worker"])
def test_a_slow_replica_leaves_the_load_balancer_before_it_is_restarted(
    declared: Declared, role: str
) -> None:
    found = container(declared, role)

    def seconds(kind: str) -> int:
        return int(found[kind]["periodSeconds"]) * int(found[kind]["failureThreshold"])

    assert seconds("readinessProbe") < seconds("livenessProbe") == 30
    assert seconds("startupProbe") == 60
    paths = [found[kind]["httpGet"]["path"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert paths == ["/startupz", "/livez", "/readyz"]


@pytest.mark.parametrize(("period", "timeout"), [(1, 1), (2, 2), (10, 2)])
def test_a_probe_ends_before_the_next_one_starts(period: int, timeout: int) -> None:
    found = probe("/livez", period=period, failures=3)
    assert (found["period_seconds"], found["timeout_seconds"]) == (period, timeout)


@pytest.mark.parametrize("role", ["api", "worker"])
def test_each_role_runs_on_its_pool_as_its_own_account(declared: Declared, role: str) -> None:
    pod = spec(declared, role)["template"]["spec"]
    assert pod["nodeSelector"] == {"kingdom.studio/pool": ROLES[role].pool.value}
    assert pod["serviceAccountName"] == role
    account = declared.one("ServiceAccount", role)["metadata"]
    project = configuration(declared.stack)["gcp:project"]
    assert account["annotations"] == {
        "iam.gke.io/gcp-service-account": f"kingdom-{role}@{project}.iam.gserviceaccount.com"
    }
    assert container(declared, role)["args"] == [role]


@pytest.mark.parametrize("role", ["api", "worker"])
def test_requests_and_limits_are_those_of_the_settings(declared: Declared, role: str) -> None:
    settings = configuration(declared.stack)["kingdom:workload"][role]["resources"]
    fixed = {
        "memory": f"{settings['memoryMi']}Mi",
        "ephemeral-storage": f"{settings['scratchMi']}Mi",
    }
    assert container(declared, role)["resources"] == {
        "requests": {"cpu": f"{settings['cpuMilli']}m", **fixed},
        "limits": {"cpu": f"{settings['cpuLimitMilli']}m", **fixed},
    }


@pytest.mark.parametrize("role", ["api", "worker"])
def test_secrets_are_read_only_files_of_the_own_provider_class(declared: Declared, role: str) -> None:
    found = container(declared, role)
    (volume,) = [each for each in spec(declared, role)["template"]["spec"]["volumes"] if "csi" in each]
    assert volume["csi"]["readOnly"] is True
    assert volume["csi"]["volumeAttributes"] == {"secretProviderClass": f"{role}-secrets"}
    (mount,) = [each for each in found["volumeMounts"] if each["name"] == volume["name"]]
    assert mount["readOnly"] is True
    environ = {each["name"]: each.get("value") for each in found["env"]}
    assert environ["KINGDOM_SECRETS_DIR"] == mount["mountPath"]


def test_an_update_by_hand_ignores_the_image(declared: Declared) -> None:
    assert configuration(declared.stack)["kingdom:workload"]["image"]["digest"] == "deployed"
    for role in declared.of("Deployment"):
        ignored = declared.state("Deployment", role).ignore_changes
        assert tuple(ignored) == ("spec.template.spec.containers[0].image",), role


def test_the_deployment_workflow_sets_the_image_by_digest(varied: Declared) -> None:
    repository = configuration("prod")["kingdom:workload"]["image"]["repository"]
    for role in ROLES:
        assert container(varied, role)["image"] == f"{repository}@{OLD}"
        assert IMAGE_PATH not in varied.state("Deployment", role).ignore_changes


@pytest.mark.slow
@pytest.mark.timeout(900)  # an update and two plans of a whole stack
def test_a_manual_update_retains_the_deployed_image(tmp_path: Path) -> None:
    values = configuration("dev")
    assert values["kingdom:workload"]["image"]["digest"] == "deployed"
    values["kingdom:workload"]["image"]["digest"] = OLD
    rehearse("dev", tmp_path, values)
    values["kingdom:workload"]["image"]["digest"] = "deployed"
    values["kingdom:workload"]["logLevel"] = "info"
    plan = operation("dev", tmp_path, values).preview()
    deployments = [item for item in plan.snapshot.resources if item.type == "kubernetes:apps/v1:Deployment"]
    images = {item.inputs["spec"]["template"]["spec"]["containers"][0]["image"] for item in deployments}
    assert [image.rpartition("@")[2] for image in images] == [OLD]
    updated = [
        step for step in plan.steps if step.type == "kubernetes:apps/v1:Deployment" and step.op is Op.UPDATE
    ]
    assert len(updated) == len(deployments)  # the changed configuration still rolls the pods
    values["kingdom:workload"]["image"]["digest"] = NEW
    plan = operation("dev", tmp_path, values).preview()
    changed = {str(change.new) for step in plan.steps for change in step.changes if "image" in change.path}
    assert {image.rpartition("@")[2] for image in changed} == {NEW}
