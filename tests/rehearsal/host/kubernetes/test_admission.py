"""Admission of pods and objects by LimitRanges and ResourceQuotas."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.desired_state import Desired
from rehearsal.host.kubernetes.admission import (
    AdmissionError,
    check_count,
    check_limits,
    check_quotas,
    pod_usage,
    with_defaults,
)
from tests.rehearsal.host.kubernetes.objects import declared, store_of


def pod(requests: Any = None, limits: Any = None, **more: Any) -> dict[str, Any]:
    resources = {"requests": requests or {}, "limits": limits or {}}
    return {"containers": [{"name": "main", "resources": resources}], **more}


def limit_range(**item: Any) -> Desired:
    return declared("LimitRange", {"limits": [{"type": "Container"} | item]})


def quota(hard: dict[str, Any], **more: Any) -> Desired:
    return declared("ResourceQuota", {"hard": hard} | more, "compute")


# -- LimitRange ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"default": {"cpu": "1"}}, ({"cpu": "1"}, {"cpu": "1"})),
        ({"default": {"cpu": "1"}, "defaultRequest": {"cpu": "100m"}}, ({"cpu": "100m"}, {"cpu": "1"})),
        ({"type": "Pod", "default": {"cpu": "1"}}, ({}, {})),
    ],
)
def test_defaults_of_a_limit_range(item: dict[str, Any], expected: tuple[Any, Any]) -> None:
    given = pod()
    [container] = with_defaults(given, [limit_range(**item)])["containers"]
    assert (container["resources"]["requests"], container["resources"]["limits"]) == expected
    assert given == pod()


def test_limit_is_the_request_where_none_is_given() -> None:
    spec = {**pod(), "initContainers": pod(limits={"cpu": "2"})["containers"]}
    found = with_defaults(spec, [limit_range(defaultRequest={"cpu": "100m"})])
    assert found["initContainers"][0]["resources"]["requests"] == {"cpu": "2"}
    assert found["containers"][0]["resources"]["requests"] == {"cpu": "100m"}


@pytest.mark.parametrize(
    ("item", "spec", "problem"),
    [
        ({"min": {"cpu": "100m"}}, pod({"cpu": "100m"}), None),
        (
            {"min": {"cpu": "100m"}},
            pod({"cpu": "99m"}),
            "minimum cpu usage per Container is 100m, but request is 99m",
        ),
        ({"min": {"cpu": "100m"}}, pod(limits={"cpu": "1"}), None),
        ({"min": {"cpu": "100m"}}, pod(), "No request is specified"),
        ({"max": {"cpu": "1"}}, pod(limits={"cpu": "1"}), None),
        (
            {"max": {"cpu": "1"}},
            pod(limits={"cpu": "1001m"}),
            "maximum cpu usage per Container is 1, but limit is 1001m",
        ),
        ({"max": {"cpu": "1"}}, pod({"cpu": "1"}), "No limit is specified"),
        ({"maxLimitRequestRatio": {"cpu": "2"}}, pod({"cpu": "1"}, {"cpu": "2"}), None),
        ({"maxLimitRequestRatio": {"cpu": "2"}}, pod({"cpu": "1"}, {"cpu": "3"}), "provided ratio is 3"),
        ({"maxLimitRequestRatio": {"cpu": "2"}}, pod({"cpu": "0"}, {"cpu": "3"}), None),
        ({"type": "Pod", "max": {"cpu": "1"}}, pod(limits={"cpu": "2"}), "maximum cpu usage per Pod is 1"),
    ],
)
def test_bounds_of_a_limit_range(item: dict[str, Any], spec: dict[str, Any], problem: str | None) -> None:
    if problem is None:
        check_limits("it", spec, [limit_range(**item)])
    else:
        with pytest.raises(AdmissionError, match='pods "it" is forbidden') as raised:
            check_limits("it", spec, [limit_range(**item)])
        assert problem in str(raised.value)


def test_pod_has_the_sum_of_its_containers_or_the_maximum_of_its_init_containers() -> None:
    spec = {
        "containers": [*pod({"cpu": "1"})["containers"], *pod({"cpu": "1"})["containers"]],
        "initContainers": pod({"cpu": "3", "memory": "1"})["containers"],
        "overhead": {"cpu": "500m"},
    }
    usage = pod_usage(spec)
    assert usage["requests.cpu"] == usage["cpu"] == Decimal("3.5")
    assert usage["memory"] == 1
    assert usage["pods"] == usage["count/pods"] == 1


# -- ResourceQuota -------------------------------------------------------------------------------------


def test_quota_is_filled_exactly_and_not_exceeded() -> None:
    one = pod({"cpu": "1"})
    check_quotas("it", one, [one, one], [quota({"requests.cpu": "3", "pods": "3"})])
    with pytest.raises(AdmissionError) as raised:
        check_quotas("it", one, [one, one, one], [quota({"requests.cpu": "3", "pods": "3"})])
    assert str(raised.value) == (
        'pods "it" is forbidden: exceeded quota: compute, requested: pods=1,requests.cpu=1,'
        " used: pods=3,requests.cpu=3, limited: pods=3,requests.cpu=3"
    )


@pytest.mark.parametrize("name", ["cpu", "requests.memory", "limits.cpu", "limits.ephemeral-storage"])
def test_limited_compute_resource_must_be_specified(name: str) -> None:
    with pytest.raises(AdmissionError, match=f"must specify {name}"):
        check_quotas("it", pod(), [], [quota({name: "1", "pods": "9", "requests.storage": "1Gi"})])


@pytest.mark.parametrize(
    ("scope", "spec", "counts"),
    [
        ({"scopes": ["BestEffort"]}, pod(), True),
        ({"scopes": ["BestEffort"]}, pod({"cpu": "1"}), False),
        ({"scopes": ["NotBestEffort"]}, pod(limits={"cpu": "1"}), True),
        ({"scopes": ["NotBestEffort"]}, pod(), False),
        ({"scopes": ["Terminating"]}, pod(activeDeadlineSeconds=0), True),
        ({"scopes": ["Terminating"]}, pod(), False),
        ({"scopes": ["NotTerminating"]}, pod(), True),
        ({"scopes": ["NotTerminating"]}, pod(activeDeadlineSeconds=9), False),
        ({"scopes": ["PriorityClass"]}, pod(priorityClassName="high"), True),
        ({"scopes": ["PriorityClass"]}, pod(), False),
        ({"scopes": ["Other"]}, pod(), False),
        ({"scopes": ["BestEffort", "Terminating"]}, pod(), False),
    ],
)
def test_quota_counts_the_pods_of_its_scope(scope: Any, spec: dict[str, Any], counts: bool) -> None:
    limited = [quota({"pods": "0"}, **scope)]
    if counts:
        with pytest.raises(AdmissionError, match="exceeded quota"):
            check_quotas("it", spec, [], limited)
    else:
        check_quotas("it", spec, [], limited)
        check_quotas("it", pod(), [spec], [quota({"pods": "1"}, **scope)])


@pytest.mark.parametrize(
    ("operator", "values", "counts"),
    [
        ("In", ["high"], True),
        ("In", ["low"], False),
        ("NotIn", ["low"], True),
        ("NotIn", ["high"], False),
        ("Exists", None, True),
        ("DoesNotExist", None, False),
    ],
)
def test_scope_selector_of_a_priority_class(operator: str, values: Any, counts: bool) -> None:
    expression = {"scopeName": "PriorityClass", "operator": operator, "values": values}
    limited = [quota({"pods": "0"}, scopeSelector={"matchExpressions": [expression]})]
    spec = pod(priorityClassName="high")
    if counts:
        with pytest.raises(AdmissionError):
            check_quotas("it", spec, [], limited)
    else:
        check_quotas("it", spec, [], limited)


@pytest.mark.parametrize(
    ("api", "kind", "name", "refused"),
    [
        ("v1", "ConfigMap", "configmaps", True),
        ("v1", "ConfigMap", "count/configmaps", True),
        ("apps/v1", "Deployment", "count/deployments.apps", True),
        ("apps/v1", "Deployment", "deployments", False),
        ("v1", "ConfigMap", "secrets", False),
        ("v1", "Namespace", "count/namespaces", False),
    ],
)
def test_number_of_objects_is_limited(tmp_path: Path, api: str, kind: str, name: str, refused: bool) -> None:
    one, other = declared(kind, {}, "one", api=api), declared(kind, {}, "other", api=api)
    store = store_of(tmp_path, one, quota({name: "1"}))
    check_count(one, store)
    if refused:
        with pytest.raises(
            AdmissionError, match=f'"other" is forbidden: .* requested: {name}=1, used: {name}=1'
        ):
            check_count(other, store)
    else:
        check_count(other, store)
