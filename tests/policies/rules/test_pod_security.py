"""The restricted Pod Security Standard: any mix of violations, in any kind with a pod template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.model.property_tree import UNKNOWN
from policies.rules import RULES
from policies.testing import DROP, ResourceFixture, changed, evaluate

STANDARD = [rule.name for rule in RULES if any(tag.startswith("PSS:") for tag in rule.tags)]
CONTAINER: dict[str, Any] = {
    "name": "a",
    "image": "i",
    "ports": [{"containerPort": 80}],
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}
POD: dict[str, Any] = {
    "metadata": {"name": "x", "annotations": {"a": "b"}},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [CONTAINER | {"name": "i"}],
        "containers": [CONTAINER],
        "ephemeralContainers": [CONTAINER | {"name": "e"}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    },
}
HOST = {"httpGet": {"host": "10.0.0.1", "port": 80}}
# Violations by policy, for pods and for containers. A change maps paths to values.
VIOLATIONS: dict[str, list[Mapping[str, Any]]] = {
    "pss-host-namespaces": [{"spec.hostNetwork": True}, {"spec.hostPID": True}, {"spec.hostIPC": True}],
    "pss-windows-host-process": [{"spec.securityContext.windowsOptions": {"hostProcess": True}}],
    "pss-host-path": [{"spec.volumes[0]": {"name": "v", "hostPath": {"path": "/"}}}],
    "pss-volume-types": [{"spec.volumes[1]": {"name": "w", "nfs": {"server": "s", "path": "/"}}}],
    "pss-apparmor": [
        {"spec.securityContext.appArmorProfile": {"type": "Unconfined"}},
        {'metadata.annotations["container.apparmor.security.beta.kubernetes.io/a"]': "unconfined"},
    ],
    "pss-selinux": [{"spec.securityContext.seLinuxOptions": {"type": "spc_t"}}],
    "pss-sysctls": [{"spec.securityContext.sysctls": [{"name": "kernel.msgmax", "value": "1"}]}],
    "pss-run-as-non-root": [
        {"spec.securityContext.runAsNonRoot": False},
        {"spec.securityContext.runAsNonRoot": DROP},
    ],
    "pss-run-as-user": [{"spec.securityContext.runAsUser": 0}, {"spec.securityContext.runAsUser": "0"}],
    "pss-seccomp": [{"spec.securityContext.seccompProfile": None}],
    "pss-seccomp-baseline": [{"spec.securityContext.seccompProfile": {"type": "Unconfined"}}],
}
CONTAINER_VIOLATIONS: dict[str, list[Mapping[str, Any]]] = {
    "pss-privileged": [{"securityContext.privileged": True}],
    "pss-windows-host-process": [{"securityContext.windowsOptions": {"hostProcess": True}}],
    "pss-capabilities": [
        {"securityContext.capabilities.drop": []},
        {"securityContext.capabilities.drop": ["all"]},
        {"securityContext.capabilities.add": ["NET_BIND_SERVICE", "CHOWN"]},
    ],
    "pss-capabilities-baseline": [
        {"securityContext.capabilities.add": ["NET_BIND_SERVICE", "SYS_ADMIN"]},
    ],
    "pss-host-ports": [{"ports[0].hostPort": 80}, {"ports[0].hostPort": "80"}],
    "pss-host-probes": [
        {"livenessProbe": HOST},
        {"startupProbe": {"tcpSocket": {"host": "h", "port": 1}}},
        {"lifecycle": {"postStart": HOST}},
    ],
    "pss-apparmor": [{"securityContext.appArmorProfile": {"type": ""}}],
    "pss-selinux": [{"securityContext.seLinuxOptions": {"user": "u"}}],
    "pss-proc-mount": [{"securityContext.procMount": "Unmasked"}],
    "pss-privilege-escalation": [
        {"securityContext.allowPrivilegeEscalation": True},
        {"securityContext.allowPrivilegeEscalation": None},
    ],
    "pss-run-as-non-root": [{"securityContext.runAsNonRoot": False}],
    "pss-run-as-user": [{"securityContext.runAsUser": 0}],
    "pss-seccomp-baseline": [{"securityContext.seccompProfile": {"type": "Unconfined"}}],
}
# Allowed settings, with the policies that do not apply to a pod that has them.
ALLOWED: list[tuple[Mapping[str, Any], frozenset[str]]] = [
    ({}, frozenset()),
    ({"spec.os": {"name": "linux"}}, frozenset()),
    (
        {"spec.os": {"name": "windows"}},
        frozenset(
            {
                "pss-capabilities",
                "pss-capabilities-baseline",
                "pss-privilege-escalation",
                "pss-seccomp",
                "pss-seccomp-baseline",
            }
        ),
    ),
    ({"spec.hostUsers": False}, frozenset({"pss-run-as-non-root", "pss-run-as-user"})),
    ({"spec.hostUsers": True}, frozenset()),
]
KINDS = {
    "kubernetes:core/v1:Pod": "",
    "kubernetes:core/v1:PodTemplate": "template",
    "kubernetes:core/v1:ReplicationController": "spec.template",
    "kubernetes:apps/v1:ReplicaSet": "spec.template",
    "kubernetes:apps/v1:Deployment": "spec.template",
    "kubernetes:apps/v1:DaemonSet": "spec.template",
    "kubernetes:apps/v1:StatefulSet": "spec.template",
    "kubernetes:batch/v1:Job": "spec.template",
    "kubernetes:batch/v1:CronJob": "spec.jobTemplate.spec.template",
}


@dataclass(frozen=True)
class Wrapped:
    """A pod within its kind, perhaps within lists; `prefix` is the path to it."""

    given: ResourceFixture
    prefix: str


def wrap(pod: Mapping[str, Any], kind: str, lists: int) -> Wrapped:
    """`pod` as the template of `kind`, inside as many lists."""
    value: Any = dict(pod)
    for key in reversed(KINDS[kind].split(".") if KINDS[kind] else []):
        value = {key: value}
    prefix = f"{KINDS[kind]}." if KINDS[kind] else ""
    if not lists:
        return Wrapped(ResourceFixture(kind, value), prefix)
    _, version, name = kind.split(":")
    value = {"apiVersion": version.removeprefix("core/"), "kind": name} | value
    for _ in range(lists):
        value = {"apiVersion": "v1", "kind": "List", "items": [value]}
        prefix = f"items[0].{prefix}"
    return Wrapped(ResourceFixture("kubernetes:core/v1:List", value), prefix)


def offending(given: ResourceFixture) -> set[str]:
    return {name for name in STANDARD if evaluate(name, given).findings}


@st.composite
def pods(draw: st.DrawFn) -> tuple[dict[str, Any], set[str]]:
    """Draw a pod and the policies that it violates."""
    allowed, spared = draw(st.sampled_from(ALLOWED))
    pod, expected = changed(POD, allowed), set[str]()
    names = draw(st.sets(st.sampled_from(sorted(VIOLATIONS)), max_size=3))
    for name in sorted(names):  # "pss-seccomp" before "pss-seccomp-baseline"
        pod = changed(pod, draw(st.sampled_from(VIOLATIONS[name])))
        expected.add(name)
    for name in draw(st.sets(st.sampled_from(sorted(CONTAINER_VIOLATIONS)), max_size=3)):
        where = draw(st.sampled_from(["initContainers", "containers", "ephemeralContainers"]))
        change = draw(st.sampled_from(CONTAINER_VIOLATIONS[name]))
        pod = changed(pod, {f"spec.{where}[0].{path}": value for path, value in change.items()})
        expected.add(name)
    if "pss-seccomp-baseline" in expected:
        expected.discard("pss-seccomp")  # the containers share one context: a wrong profile is on all of them
    if "pss-proc-mount" in expected and pod["spec"].get("hostUsers") is False:
        expected = expected - {"pss-proc-mount"} | {"pss-proc-mount-restricted"}
    return pod, expected - spared


def test_every_control_has_a_violation_here() -> None:
    assert set(STANDARD) == VIOLATIONS.keys() | CONTAINER_VIOLATIONS.keys() | {"pss-proc-mount-restricted"}


@given(pods(), st.sampled_from(sorted(KINDS)), st.integers(0, 2))
def test_exactly_the_violations_are_found_in_any_kind(
    made: tuple[dict[str, Any], set[str]], kind: str, lists: int
) -> None:
    pod, expected = made
    assert offending(wrap(pod, kind, lists).given) == expected


@given(
    st.sampled_from([(name, change) for name, changes in VIOLATIONS.items() for change in changes]),
    st.sampled_from(sorted(KINDS)),
    st.integers(0, 2),
)
def test_a_finding_names_the_path_within_its_kind(
    violation: tuple[str, Mapping[str, Any]], kind: str, lists: int
) -> None:
    name, change = violation
    pod = changed(POD, change)
    alone = evaluate(name, ResourceFixture("kubernetes:core/v1:Pod", pod)).findings
    wrapped = wrap(pod, kind, lists)
    assert evaluate(name, wrapped.given).findings == [f"{wrapped.prefix}{message}" for message in alone]


@given(pods(), st.sampled_from(sorted(KINDS)), st.data())
def test_a_violation_hidden_by_an_unknown_is_unevaluated(
    made: tuple[dict[str, Any], set[str]], kind: str, data: st.DataObject
) -> None:
    """Each violated policy reports a finding or is unevaluated, for any unknown value of the pod."""
    pod, expected = made
    path = data.draw(
        st.sampled_from(["spec", "spec.securityContext", "spec.containers", "spec.containers[0]", "spec.os"])
    )
    hidden = wrap(changed(pod, {path: UNKNOWN}), kind, 0).given
    # The annotation of AppArmor is outside the spec and remains known, as does the other container.
    for name in expected:
        result = evaluate(name, hidden)
        assert result.findings or result.unevaluated, name


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"spec": None},
        {"spec": {}},
        {"spec": []},
        {"spec": "x"},
        {"spec": {"containers": None}},
        {"spec": {"containers": []}},
        {"spec": {"containers": {"a": {}}}},
        {"spec": {"containers": [None, 1, "x", []]}},
        {"spec": {"containers": [{"securityContext": [], "ports": {}, "env": "x", "resources": 3}]}},
        {"spec": {"containers": [{"securityContext": {"capabilities": {"drop": "ALL", "add": {}}}}]}},
        {
            "spec": {
                "containers": [{"securityContext": {"capabilities": {"drop": [["ALL"]], "add": [["x"], {}]}}}]
            }
        },
        {"spec": {"volumes": {"a": 1}, "securityContext": 1, "os": "windows", "hostUsers": "false"}},
        {"metadata": [], "spec": {"volumes": [None, "x"], "containers": [{"livenessProbe": "x"}]}},
    ],
)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_malformed_pods_cause_no_exception(shape: dict[str, Any], kind: str) -> None:
    for rule in RULES:
        evaluate(rule.name, wrap(shape, kind, 0).given)


@pytest.mark.parametrize("items", [None, [], {}, "x", [None], [1], [{}], [{"kind": None}], [{"kind": 3}]])
def test_malformed_lists_cause_no_exception(items: Any) -> None:
    for rule in RULES:
        evaluate(rule.name, ResourceFixture("kubernetes:core/v1:List", {"items": items}))
        evaluate(rule.name, ResourceFixture("kubernetes:core/v1:PodList", {"items": items}))


def test_malformed_values_hide_no_finding() -> None:
    pod = changed(POD, {"spec.containers": {"a": {"securityContext": {"privileged": True}}}})
    assert evaluate("well-formed-pod-spec", ResourceFixture("kubernetes:core/v1:Pod", pod)).found(
        "spec.containers: must be a list"
    )
