"""Manifests whose correct result is known from the code or documentation of Kubernetes, one file each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from rehearsal.policy.manifest_check import Report, check

FOLDER = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Expected:
    """Policies that must and must not find something, and a text among what is not evaluated or not read."""

    found: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    text: str = ""
    only: tuple[str, ...] = ()


CASES = {
    "crash-replicas-inf": Expected(text="crash-replicas-inf.yaml:4: not a number"),
    "env-AUTH_TOKEN": Expected(absent=("no-secret-variables",)),
    "env-PGPASSWORD": Expected(found=("no-secret-variables",)),
    "hang-quantity-exponent": Expected(),
    "health-check-grpc": Expected(absent=("health-check-is-readiness",)),
    "hpa-v2-without-metrics": Expected(absent=("hpa-bounds",)),
    "image-6": Expected(absent=("image-digest",)),
    "ingress-allow-http-true": Expected(found=("tls-ingress",)),
    "ingress-annotation-with-certificate-in-key": Expected(found=("tls-ingress",)),
    "ingress-host-without-tls": Expected(found=("tls-ingress",)),
    "ingress-ssl-redirect-off": Expected(found=("tls-ingress",)),
    "limitrange-default-below-request": Expected(found=("limit-range-admits",)),
    "limitrange-max-only-fills-defaults": Expected(absent=("limit-range-admits", "quota-covers-peak")),
    "message-10Gi-less-than-10Gi": Expected(found=("quota-covers-peak",), text="less than the 10241Mi"),
    "np-egress-no-to-but-all-tcp": Expected(found=("network-policy-open",)),
    "np-egress-to-empty-list": Expected(found=("network-policy-open",)),
    "pdb-max0-no-workload-here": Expected(found=("pdb-allows-disruption",)),
    "pdb-one-budget-two-workloads": Expected(absent=("pdb-allows-disruption",)),
    "pdb-selects-nothing": Expected(found=("hpa-target-exists",)),
    "privileged-deploymentconfig": Expected(found=("pss-privileged",)),
    "privileged-rollout": Expected(found=("pss-privileged",)),
    "probe-timeout-over-period": Expected(absent=("probes-add-up",)),
    "probes-liveness-initial-delay": Expected(found=("probes-add-up",)),
    "pss-baseline-tag-misses-capabilities": Expected(
        found=("pss-capabilities-baseline", "pss-seccomp-baseline"),
        absent=("pss-run-as-non-root",),
        only=("PSS:baseline",),
    ),
    "quota-32a-lb-alloc-false-explicit-nodeport-0-short": Expected(found=("quota-covers-peak",)),
    "quota-cronjob-replace-deadline": Expected(absent=("quota-covers-peak",)),
    "quota-custom-resource": Expected(
        absent=("quota-covers-peak",), text="the number of pods that Cluster 'db' may create is unknown"
    ),
    "quota-daemonset-silences-sum": Expected(found=("quota-covers-peak",), text="less than the 63"),
    "quota-keda-scaledobject": Expected(found=("quota-covers-peak",)),
    "quota-priorityclass-global-default": Expected(found=("quota-covers-peak",)),
    "quota-runtime-class-not-declared": Expected(
        absent=("quota-covers-peak",), text="overhead of its RuntimeClass 'gvisor' is not declared"
    ),
    "quota-same-object-twice": Expected(found=("duplicate-object",), absent=("quota-covers-peak",)),
    "quota-terminating-pods-stall": Expected(
        found=("quota-covers-terminating-pods",), absent=("quota-covers-peak",)
    ),
    "quota-vpa-min-allowed": Expected(found=("quota-covers-peak",)),
    "quota-vpa-without-max": Expected(absent=("quota-covers-peak",), text="has no maxAllowed"),
    "schema-false-findings": Expected(found=("schema",)),
    "svc-lb-no-cost-finding": Expected(absent=("monthly-cost-ceiling",)),
    "termination-sleep-2m": Expected(found=("termination-grace-period",)),
    "url-15": Expected(absent=("tls-urls",)),
}


def texts(report: Report) -> str:
    messages = [remark.message for remark in report.remarks]
    return "\n".join((*messages, *report.unevaluated, *report.unreadable))


@pytest.mark.parametrize("name", sorted(CASES))
def test_case_has_the_known_result(name: str) -> None:
    expected = CASES[name]
    report = check([str(FOLDER / f"{name}.yaml")], strict=True, only=expected.only)
    policies = {remark.policy for remark in report.remarks}
    assert set(expected.found) <= policies
    assert not set(expected.absent) & policies
    assert expected.text in texts(report)


def test_every_case_is_in_the_table() -> None:
    assert {file.stem for file in FOLDER.glob("*.yaml")} == CASES.keys()


def test_schema_reports_only_what_the_api_server_rejects() -> None:
    report = check([str(FOLDER / "schema-false-findings.yaml")], only=("schema",))
    assert [remark.path for remark in report.remarks] == ["spec.containers[0].env[0].value"]
