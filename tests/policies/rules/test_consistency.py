"""Termination and probes: the commands of hooks, sidecars, and numbers that are equal."""

from __future__ import annotations

import math

import pytest

from policies.rules.consistency import slept
from tests.support.manifests import manifest, outcome, workload

SIDE = "initContainers: [{{name: s, image: i, restartPolicy: Always, {0}}}]"
PROBES = (
    "livenessProbe: {tcpSocket: {port: 80}, failureThreshold: 1}, readinessProbe: {tcpSocket: {port: 80}}"
)


@pytest.mark.parametrize(
    ("command", "seconds"),
    [
        ("sleep 2m", 120), ("sleep 1m 30s", 90), ("sleep 0.5m", 30), ("sleep infinity", math.inf),
        ("sleep 10; nginx -s quit; sleep 25", 35), ("/bin/sleep 45", 45), ("timeout 5 sleep 100", 5),
        ("timeout 2m /bin/sleep 30", 30), ("echo sleep 100", 0), ("echo stop && sleep 7", 7),
        ("usleep 100000", 0), ("no-sleep 9", 0), ("sleep $((5*60))", 0), ("sleep", 0),
        ("python3 -c 'import time; time.sleep(60)'", 60), ("powershell Start-Sleep -Seconds 60", 60),
        ("powershell -c Start-Sleep 5", 5), ("pwsh -c Start-Sleep -Milliseconds 500", 0.5),
    ],
)  # fmt: skip
def test_sleeps_of_a_command_line_add_up(command: str, seconds: float) -> None:
    assert slept(command) == seconds


def test_hook_of_a_sidecar_counts() -> None:
    hook = "lifecycle: {preStop: {sleep: {seconds: 45}}}"
    assert outcome(workload(pod=SIDE.format(hook)), "termination-grace-period").result == "found"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("readinessProbe: {httpGet: {port: web}}", "found"),
        ("ports: [{name: http, containerPort: 80}]\nreadinessProbe: {httpGet: {port: web}}", "found"),
        ("ports: [{name: http, containerPort: 80}]\nlivenessProbe: {tcpSocket: {port: web}}", "found"),
        ("lifecycle: {preStop: {httpGet: {port: web}}}", "found"),
        ("ports: [{name: web, containerPort: 80}]\nreadinessProbe: {httpGet: {port: web}}", "clean"),
        ("readinessProbe: {httpGet: {port: 8080}}", "clean"),
        ("readinessProbe: {httpGet: {port: '8080'}}", "clean"),
        ("readinessProbe: {grpc: {port: 8080}}", "clean"),
    ],
)
def test_probes_name_a_port_of_their_container(lines: str, expected: str) -> None:
    assert outcome(workload(container=lines), "probes-add-up").result == expected


def test_grace_period_equal_to_the_drain_is_not_longer() -> None:
    text = workload(container="lifecycle: {preStop: {sleep: {seconds: 30}}}")
    [message] = outcome(text, "termination-grace-period").findings
    assert message == "grace period 30 s is not longer than the drain (30 s)"


def test_probes_of_a_sidecar_are_compared() -> None:
    assert outcome(workload(pod=SIDE.format(PROBES)), "probes-add-up").result == "found"


def test_readiness_probe_of_a_sidecar_matches_the_health_check() -> None:
    check = (
        "default: {config: {type: GRPC, grpcHealthCheck: {port: 50051}}}, targetRef: {kind: Service, name: s}"
    )
    text = (
        manifest("networking.gke.io/v1", "HealthCheckPolicy", check)
        + manifest("v1", "Service", "selector: {app: a}", name="s")
        + workload(pod=SIDE.format("readinessProbe: {grpc: {port: 50051}}"))
    )
    assert outcome(text, "health-check-is-readiness").result == "clean"
