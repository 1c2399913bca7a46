"""The namespace: pod security, the quota of what is declared in it, defaults and selectors."""

from __future__ import annotations

import re

from infra.component import Environment
from infra.settings.loader import parse
from infra.settings.roles import ROLES
from infra.settings.sizing import Sizing
from infra.workload.namespace import kubernetes_labels, selector
from tests.infra.rehearsal import Declared, configuration


def milli_or_mi(quantity: str) -> int:
    """The number of a quantity in thousandths or MiB."""
    found = re.fullmatch(r"(\d+)(?:m|Mi)", quantity)
    assert found is not None, quantity
    return int(found[1])


def test_only_restricted_pods_are_admitted(declared: Declared) -> None:
    metadata = declared.one("Namespace")["metadata"]
    assert metadata["name"] == configuration(declared.stack)["kingdom:workload"]["namespace"]
    assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert metadata["labels"]["pod-security.kubernetes.io/enforce-version"] == "latest"


def test_the_quota_is_that_of_the_declared_pods(declared: Declared) -> None:
    hard = declared.one("ResourceQuota")["spec"]["hard"]
    quota = Sizing.of(parse(declared.stack, configuration(declared.stack))).quota
    assert hard["pods"] == str(quota.pods)
    assert hard["requests.cpu"] == f"{quota.cpu_milli}m"
    assert hard["limits.cpu"] == f"{quota.cpu_limit_milli}m"
    assert hard["requests.memory"] == hard["limits.memory"] == f"{quota.memory_mi}Mi"
    assert hard["requests.ephemeral-storage"] == hard["limits.ephemeral-storage"] == f"{quota.scratch_mi}Mi"


def test_no_second_way_in_and_no_volume_without_a_backup(declared: Declared) -> None:
    hard = declared.one("ResourceQuota")["spec"]["hard"]
    assert {key: hard[key] for key in ("services.loadbalancers", "services.nodeports")} == {
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }
    assert hard["persistentvolumeclaims"] == "0"


def test_the_limit_range_is_the_maximum_of_the_declared_containers(declared: Declared) -> None:
    (limits,) = declared.one("LimitRange")["spec"]["limits"]
    found = [
        container["resources"]["limits"]
        for role in ROLES
        for container in declared.one("Deployment", role)["spec"]["template"]["spec"]["containers"]
    ]
    for key, maximum in limits["max"].items():
        assert milli_or_mi(maximum) == max(milli_or_mi(each[key]) for each in found), key


def test_a_container_without_requests_gets_less_than_any_declared_one(declared: Declared) -> None:
    (limits,) = declared.one("LimitRange")["spec"]["limits"]
    for key in ("cpu", "memory", "ephemeral-storage"):
        assert (
            milli_or_mi(limits["defaultRequest"][key])
            <= milli_or_mi(limits["default"][key])
            < milli_or_mi(limits["max"][key])
        )


def test_objects_of_the_namespace_wait_for_its_quota_and_limits(prod: Declared) -> None:
    needed = {"Namespace namespace", "ResourceQuota namespace", "LimitRange namespace"}
    assert needed <= prod.waits_for("ServiceAccount", "api")
    assert "Namespace namespace" in prod.waits_for("ResourceQuota")


def test_a_selector_depends_on_the_role_alone() -> None:
    environment = Environment("qa", "p", "1", "r", {"environment": "qa", "team": "a"}, protect=False)
    for role in ROLES:
        # A selector is immutable: with an environment label in it, a changed label would fail the update.
        assert selector(role) == {"app.kubernetes.io/name": role, "app.kubernetes.io/part-of": "kingdom"}
        assert selector(role).items() <= kubernetes_labels(environment, role).items()
    assert "app.kubernetes.io/name" not in kubernetes_labels(environment)
