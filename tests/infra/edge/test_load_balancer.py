"""LBA1 to LBA5 as the gateway declares them: algorithm, health, outliers, stickiness, draining."""

from __future__ import annotations

from typing import Any

from infra.settings.loader import parse
from infra.settings.types import Algorithm
from infra.workload.gateway import distribution
from tests.infra.rehearsal import Declared, configuration


def test_stickiness_is_a_cookie_that_every_algorithm_honours(declared: Declared) -> None:
    policy = declared.one("GCPTrafficDistributionPolicy")["spec"]["default"]
    settings = configuration(declared.stack)["kingdom:workload"]
    assert policy["sessionAffinity"]["type"] == "STRONG_COOKIE_AFFINITY"
    assert policy["sessionAffinity"]["cookie"]["ttl"] == f"{settings['affinitySeconds']}s"
    assert "sessionAffinity" not in declared.one("GCPBackendPolicy")["spec"]["default"]


def test_a_zone_of_sick_replicas_is_taken_out_as_a_whole(declared: Declared) -> None:
    policy = declared.one("GCPTrafficDistributionPolicy")["spec"]["default"]
    assert policy["autoCapacityDrain"] == {"enableAutoCapacityDrain": True}


def test_a_leaving_replica_keeps_its_connections_until_it_has_finished(declared: Declared) -> None:
    default = declared.one("GCPBackendPolicy")["spec"]["default"]
    pod = declared.one("Deployment", "api")["spec"]["template"]["spec"]
    drain = default["connectionDraining"]["drainingTimeoutSec"]
    assert default["timeoutSec"] <= drain < pod["terminationGracePeriodSeconds"]


def test_probes_time_out_later_than_the_dependency_checks_of_the_service(declared: Declared) -> None:
    check = float(declared.one("ConfigMap", "configuration")["data"]["KINGDOM_DEPENDENCY_SECONDS"])
    health = declared.one("HealthCheckPolicy")["spec"]["default"]
    assert check < health["timeoutSec"] <= health["checkIntervalSec"]
    for role in ("api", "worker"):
        pod = declared.one("Deployment", role)["spec"]["template"]["spec"]
        probe = pod["containers"][0]["readinessProbe"]
        assert check < probe["timeoutSeconds"] <= probe["periodSeconds"]
        assert (probe["timeoutSeconds"], probe["periodSeconds"], probe["failureThreshold"]) == (
            health["timeoutSec"],
            health["checkIntervalSec"],
            health["unhealthyThreshold"],
        )


def test_each_algorithm_of_the_settings_reaches_the_balancer() -> None:
    values: dict[str, Any] = configuration("prod")
    found = {}
    for algorithm in Algorithm:
        values["kingdom:workload"]["algorithm"] = algorithm.value
        policy = distribution(parse("prod", values).workload)
        found[algorithm] = (policy["localityLbAlgorithm"], "customMetrics" in policy)
    assert found == {
        Algorithm.ROUND_ROBIN: ("ROUND_ROBIN", False),
        Algorithm.LEAST_REQUEST: ("LEAST_REQUEST", False),
        Algorithm.WEIGHTED: ("WEIGHTED_ROUND_ROBIN", True),
    }
