"""The gateway and the policies of the load balancer behind it: LBA1 to LBA5, routes and TLS."""

from __future__ import annotations

from typing import Any

from app.application import PUBLIC
from infra.settings.loader import parse
from infra.settings.types import Algorithm
from infra.workload.deployment import METRICS_PATH, READINESS_PATH
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


def test_a_terminating_replica_retains_its_connections_until_it_has_finished(declared: Declared) -> None:
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


def test_the_health_check_is_the_readiness_probe(declared: Declared) -> None:
    pod = declared.one("Deployment", "api")["spec"]["template"]["spec"]
    probe = pod["containers"][0]["readinessProbe"]["httpGet"]
    check = declared.one("HealthCheckPolicy")["spec"]["default"]["config"]["httpHealthCheck"]
    assert check["requestPath"] == probe["path"]
    assert check["port"] == pod["containers"][0]["ports"][0]["containerPort"]


def test_no_route_takes_longer_than_the_load_balancer_waits(declared: Declared) -> None:
    max_seconds = parse(declared.stack, configuration(declared.stack)).workload.request_seconds
    routes = [endpoint for part in PUBLIC for endpoint in part.endpoints]
    assert not {route.path for route in routes if route.seconds >= max_seconds}


def test_the_gateway_listens_for_tls_on_the_host_name_only(declared: Declared) -> None:
    hostname = configuration(declared.stack)["kingdom:edge"]["hostname"]
    (listener,) = declared.one("Gateway")["spec"]["listeners"]
    assert (listener["protocol"], listener["port"], listener["hostname"]) == ("HTTPS", 443, hostname)
    assert listener["allowedRoutes"]["namespaces"] == {"from": "Same"}
    route = declared.one("HTTPRoute")["spec"]
    assert route["hostnames"] == [hostname]
    (parent,) = route["parentRefs"]
    assert (parent["name"], parent["sectionName"]) == ("gateway", listener["name"])


def test_health_and_metrics_of_the_service_are_not_routed(declared: Declared) -> None:
    (rule,) = declared.one("HTTPRoute")["spec"]["rules"]
    prefixes = [match["path"]["value"] for match in rule["matches"]]
    paths = {READINESS_PATH, METRICS_PATH, "/livez", "/startupz", "/"}
    assert not {path for path in paths for prefix in prefixes if path.startswith(prefix)}


def test_the_gateway_has_the_address_certificate_and_tls_policy_of_the_origin(declared: Declared) -> None:
    gateway = declared.one("Gateway")
    assert gateway["spec"]["addresses"] == [
        {"type": "NamedAddress", "value": declared.one("GlobalAddress", "origin")["name"]}
    ]
    assert gateway["metadata"]["annotations"] == {
        "networking.gke.io/certmap": declared.one("CertificateMap")["name"]
    }
    policy = declared.one("GCPGatewayPolicy")["spec"]
    assert policy["default"] == {"sslPolicy": declared.one("SSLPolicy")["name"]}
    assert policy["targetRef"]["kind"] == "Gateway"


def test_the_service_is_reachable_inside_the_cluster_only(declared: Declared) -> None:
    service = declared.one("core/v1:Service", "api")["spec"]
    assert service["type"] == "ClusterIP"
    template = declared.one("Deployment", "api")["spec"]["template"]
    assert service["selector"].items() <= template["metadata"]["labels"].items()
    assert service["ports"][0]["targetPort"] == template["spec"]["containers"][0]["ports"][0]["name"]


def test_backend_policies_apply_to_the_routed_service(declared: Declared) -> None:
    name = declared.one("core/v1:Service", "api")["metadata"]["name"]
    (rule,) = declared.one("HTTPRoute")["spec"]["rules"]
    assert [each["name"] for each in rule["backendRefs"]] == [name]
    targets = [
        declared.one("HealthCheckPolicy")["spec"]["targetRef"],
        declared.one("GCPBackendPolicy")["spec"]["targetRef"],
        *declared.one("GCPTrafficDistributionPolicy")["spec"]["targetRefs"],
    ]
    assert [(each["kind"], each["name"]) for each in targets] == [("Service", name)] * 3


def test_weights_are_the_load_that_replicas_report(varied: Declared) -> None:
    policy = varied.one("GCPTrafficDistributionPolicy")["spec"]["default"]
    assert policy["localityLbAlgorithm"] == "WEIGHTED_ROUND_ROBIN"
    assert policy["customMetrics"] == [{"name": "orca.cpu_utilization", "dryRun": False}]
