"""Routes of the Gateway API and policies of GKE as the configuration of Envoy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.desired_state import Desired, DesiredStore
from rehearsal.host.envoy.backends import Backend
from rehearsal.host.envoy.gateway_listener import Routing, assignment, cluster, health_port, routing
from tests.rehearsal.host.kubernetes.objects import NAMESPACE, declared, store_of

GATEWAY_API, GKE = "gateway.networking.k8s.io/v1", "networking.gke.io/v1"
API = Backend(NAMESPACE, "api", 80)
TO_API = [{"name": "api", "port": 80}]


def gateway(*listeners: dict[str, Any], name: str = "edge") -> Desired:
    return declared("Gateway", {"listeners": list(listeners) or [{"name": "https"}]}, name, api=GATEWAY_API)


def route(*rules: dict[str, Any], name: str = "it", **spec: Any) -> Desired:
    given = {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": TO_API} | rule for rule in rules]}
    return declared("HTTPRoute", given | spec, name, api=GATEWAY_API)


def policy(kind: str, **default: Any) -> Desired:
    target = {"kind": "Service", "name": "api"}
    return declared(kind, {"targetRef": target, "default": default}, "p", api=GKE)


def routes_of(tmp_path: Path, *objects: Desired) -> tuple[Routing, list[dict[str, Any]]]:
    """The routing of these objects and one gateway, and the routes of its only host."""
    result = routing(store_of(tmp_path, gateway(), *objects))
    (host,) = result.routes["virtual_hosts"]
    return result, host["routes"]


def only(tmp_path: Path, *objects: Desired) -> dict[str, Any]:
    """The route for methods that are not safe."""
    return routes_of(tmp_path, *objects)[1][-1]


# -- hosts ------------------------------------------------------------------------------------------------


def test_without_a_route_every_request_gets_503(tmp_path: Path) -> None:
    (host,) = routing(store_of(tmp_path, gateway())).routes["virtual_hosts"]
    assert host["domains"] == ["*"]
    assert host["routes"][0]["direct_response"]["status"] == 503


@pytest.mark.parametrize(
    ("listeners", "spec", "domains"),
    [
        ([{"name": "https"}], {}, [["*"]]),
        (
            [{"name": "https", "hostname": "a.studio"}],
            {},
            [["a.studio", "a.studio:*", "localhost", "localhost:*", "127.0.0.1", "127.0.0.1:*"]],
        ),
        # The route's own names come before those of its listener.
        (
            [{"name": "https", "hostname": "*.studio"}],
            {"hostnames": ["localhost"]},
            [["localhost", "localhost:*"]],
        ),
        (
            [{"name": "https", "hostname": "*.studio"}],
            {"hostnames": ["*.studio", "*"]},
            [["*.studio"], ["*"]],
        ),
        # Only the named listener of the parent counts.
        (
            [{"name": "a", "hostname": "a.studio"}, {"name": "b", "hostname": "*"}],
            {"parentRefs": [{"name": "edge", "sectionName": "b"}]},
            [["*"]],
        ),
    ],
)
def test_hosts_are_those_of_the_route_or_of_its_listeners(
    tmp_path: Path, listeners: list[dict[str, Any]], spec: dict[str, Any], domains: list[list[str]]
) -> None:
    found = routing(store_of(tmp_path, gateway(*listeners), route({}, **spec)))
    assert [host["domains"] for host in found.routes["virtual_hosts"]] == domains
    assert found.notes == []


@pytest.mark.parametrize(
    "parent",
    [{"name": "other"}, {"name": "edge", "namespace": "other"}, {"name": "edge", "sectionName": "missing"}],
)
def test_route_without_a_declared_parent_is_noted_and_has_no_effect(
    tmp_path: Path, parent: dict[str, Any]
) -> None:
    found = routing(store_of(tmp_path, gateway(), route({}, parentRefs=[parent])))
    assert found.notes == [
        f"HTTPRoute {NAMESPACE}/it: parentRefs match no declared Gateway; the route has no effect"
    ]
    assert found.backends == []
    assert found.routes["virtual_hosts"][0]["name"] == "none"


# -- matches ----------------------------------------------------------------------------------------------


def path(value: str, kind: str = "PathPrefix", **more: Any) -> dict[str, Any]:
    return {"matches": [{"path": {"type": kind, "value": value}, **more}]}


def test_exact_paths_come_first_then_longer_ones_then_methods_and_headers(tmp_path: Path) -> None:
    header = {"headers": [{"name": "X-Version", "value": "2"}]}
    _, routes = routes_of(
        tmp_path,
        route(path("/.*", "RegularExpression"), path("/"), path("/v1/"), path("/v1", method="POST")),
        route(path("/v1/feed", "Exact"), path("/v1", **header), name="second"),
    )
    # Each route has a variant for safe methods, which comes first.
    assert [_safe(each) for each in routes] == [True, False] * 6
    assert [_short(each["match"]) for each in routes if not _safe(each)] == [
        ("path", "/v1/feed", []),
        ("path_separated_prefix", "/v1", [":method"]),
        ("path_separated_prefix", "/v1", ["x-version"]),
        # Declared with a slash at its end, which does not count.
        ("path_separated_prefix", "/v1", []),
        ("prefix", "/", []),
        ("safe_regex", "/.*", []),
    ]


def _safe(found: dict[str, Any]) -> bool:
    return any("GET|HEAD" in str(header) for header in found["match"].get("headers", []))


def _short(match: dict[str, Any]) -> tuple[str, str, list[str]]:
    (key,) = [key for key in match if key not in {"headers", "query_parameters"}]
    value = match[key]["regex"] if key == "safe_regex" else match[key]
    return key, value, [header["name"] for header in match.get("headers", [])]


def test_only_safe_methods_are_retried_after_the_request_was_sent(tmp_path: Path) -> None:
    _, routes = routes_of(tmp_path, route(path("/v1")))
    assert [_safe(each) for each in routes] == [True, False]
    safe, unsafe = (each["route"]["retry_policy"]["retry_on"].split(",") for each in routes)
    assert set(safe) - set(unsafe) == {"reset"}
    assert "reset-before-request" in unsafe
    assert routes[0]["route"]["retry_policy"]["num_retries"] == 3


def test_query_parameters_and_expressions_are_matched(tmp_path: Path) -> None:
    match = path(
        "/v1", queryParams=[{"name": "q", "value": "1"}],
        headers=[{"name": "X-A", "type": "RegularExpression", "value": "a+"}],
    )  # fmt: skip
    found = only(tmp_path, route(match))["match"]
    assert found["query_parameters"] == [{"name": "q", "string_match": {"exact": "1"}}]
    assert found["headers"] == [{"name": "x-a", "string_match": {"safe_regex": {"regex": "a+"}}}]


# -- actions ----------------------------------------------------------------------------------------------


def test_weights_divide_requests_and_no_weight_is_a_500(tmp_path: Path) -> None:
    both = [{"name": "api", "port": 80, "weight": 9}, {"name": "canary", "port": 80, "namespace": "other"}]
    found = only(tmp_path / "a", route({"backendRefs": both}))
    assert found["route"]["weighted_clusters"]["clusters"] == [
        {"name": API.cluster, "weight": 9},
        {"name": Backend("other", "canary", 80).cluster, "weight": 1},
    ]
    for number, none in enumerate((list[Any](), [{"name": "api", "port": 80, "weight": 0}])):
        refused = only(tmp_path / f"b{number}", route({"backendRefs": none}))
        assert refused["direct_response"]["status"] == 500
    result, _ = routes_of(tmp_path / "c", route({}, path("/a")))
    assert result.backends == [API]


@pytest.mark.parametrize(
    ("rule", "default", "timeout"),
    [
        ({}, None, "30s"),
        ({}, {"timeoutSec": 45}, "45s"),
        ({"timeouts": {"request": "1m30s"}}, {"timeoutSec": 45}, "90s"),
        ({"timeouts": {"backendRequest": "5s"}}, None, "30s"),
    ],
)
def test_timeout_is_that_of_the_rule_then_of_the_policy(
    tmp_path: Path, rule: dict[str, Any], default: dict[str, Any] | None, timeout: str
) -> None:
    policies = list[Any]() if default is None else [policy("GCPBackendPolicy", **default)]
    assert only(tmp_path, route(rule), *policies)["route"]["timeout"] == timeout


@pytest.mark.parametrize(
    ("redirect", "expected"),
    [
        ({}, {"response_code": "FOUND"}),
        (
            {"statusCode": 301, "scheme": "https"},
            {"response_code": "MOVED_PERMANENTLY", "scheme_redirect": "https"},
        ),
        (
            {"statusCode": 308, "hostname": "a.studio", "port": 8443},
            {"response_code": "PERMANENT_REDIRECT", "host_redirect": "a.studio", "port_redirect": 8443},
        ),
        (
            {"statusCode": 307, "path": {"type": "ReplaceFullPath", "replaceFullPath": "/b"}},
            {"response_code": "TEMPORARY_REDIRECT", "path_redirect": "/b"},
        ),
        (
            {"statusCode": 303, "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/c"}},
            {"response_code": "SEE_OTHER", "prefix_rewrite": "/c"},
        ),
    ],
)
def test_redirect_has_the_declared_parts(
    tmp_path: Path, redirect: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = only(tmp_path, route({"filters": [{"type": "RequestRedirect", "requestRedirect": redirect}]}))
    assert found["redirect"] == expected
    assert "route" not in found


def test_headers_are_changed_and_paths_rewritten(tmp_path: Path) -> None:
    changes = {"set": [{"name": "a", "value": "1"}], "add": [{"name": "b", "value": "2"}], "remove": ["c"]}
    rewrite = {"hostname": "internal", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v2"}}
    filters = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": changes},
        {"type": "URLRewrite", "urlRewrite": rewrite},
    ]
    found = only(tmp_path / "a", route({"filters": filters}))
    added = [(each["header"]["key"], each["append_action"]) for each in found["request_headers_to_add"]]
    assert added == [("a", "OVERWRITE_IF_EXISTS_OR_ADD"), ("b", "APPEND_IF_EXISTS_OR_ADD")]
    assert found["request_headers_to_remove"] == ["c"]
    assert (found["route"]["host_rewrite_literal"], found["route"]["prefix_rewrite"]) == ("internal", "/v2")
    whole = {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/x"}}
    response = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["server"]}}
    found = only(tmp_path / "b", route({"filters": [{"type": "URLRewrite", "urlRewrite": whole}, response]}))
    assert found["route"]["regex_rewrite"]["substitution"] == "/x"
    assert (found["response_headers_to_add"], found["response_headers_to_remove"]) == ([], ["server"])


def test_filter_without_an_emulation_is_noted(tmp_path: Path) -> None:
    result, routes = routes_of(tmp_path, route({"filters": [{"type": "RequestMirror"}]}))
    assert result.notes == [
        f"HTTPRoute {NAMESPACE}/it: the filter RequestMirror is not supported on this host"
    ]
    assert routes[0]["route"]["cluster"] == API.cluster


# -- clusters ---------------------------------------------------------------------------------------------


def cluster_of(tmp_path: Path, *objects: Desired) -> dict[str, Any]:
    return cluster(API, store_of(tmp_path, *objects), tmp_path / "endpoints.json")


@pytest.mark.parametrize(
    ("objects", "algorithm"),
    [
        ([], "ROUND_ROBIN"),
        ([policy("GCPBackendPolicy", localityLbPolicy="LEAST_REQUEST")], "LEAST_REQUEST"),
        (
            [
                policy("GCPBackendPolicy", localityLbPolicy="LEAST_REQUEST"),
                policy("GCPTrafficDistributionPolicy", localityLbAlgorithm="RANDOM"),
            ],
            "RANDOM",
        ),
        ([policy("GCPTrafficDistributionPolicy", localityLbAlgorithm="WEIGHTED_MAGLEV")], "ROUND_ROBIN"),
        # Affinity by address needs a consistent hash.
        ([policy("GCPBackendPolicy", sessionAffinity={"type": "CLIENT_IP"})], "MAGLEV"),
    ],
)
def test_algorithm_is_that_of_the_policies(tmp_path: Path, objects: list[Desired], algorithm: str) -> None:
    found = cluster_of(tmp_path, *objects)
    assert found["lb_policy"] == algorithm
    assert "load_balancing_policy" not in found


def test_weighted_round_robin_uses_the_reported_load(tmp_path: Path) -> None:
    weighted = policy("GCPTrafficDistributionPolicy", localityLbAlgorithm="WEIGHTED_ROUND_ROBIN")
    (found,) = cluster_of(tmp_path, weighted)["load_balancing_policy"]["policies"]
    assert "ClientSideWeightedRoundRobin" in found["typed_extension_config"]["typed_config"]["@type"]


def test_backend_without_a_healthy_endpoint_gets_no_request_and_5xx_ejects_none(tmp_path: Path) -> None:
    found = cluster_of(tmp_path)
    assert found["common_lb_config"]["healthy_panic_threshold"]["value"] == 0
    assert found["outlier_detection"]["enforcing_consecutive_5xx"] == 0
    assert found["outlier_detection"]["enforcing_consecutive_local_origin_failure"] == 100
    assert "health_checks" not in found


@pytest.mark.parametrize(
    ("protocol", "port", "h2"),
    [("HTTP2", 80, True), ("kubernetes.io/h2c", 80, True), ("HTTP", 80, False), ("HTTP2", 81, False)],
)
def test_protocol_is_that_of_the_port_of_the_service(
    tmp_path: Path, protocol: str, port: int, h2: bool
) -> None:
    service = declared("Service", {"ports": [{"port": port, "appProtocol": protocol}]}, "api")
    (options,) = cluster_of(tmp_path, service)["typed_extension_protocol_options"].values()
    assert ("http2_protocol_options" in options["explicit_http_config"]) == h2


def endpoints(store: DesiredStore, *ports: int) -> list[dict[str, Any]]:
    """The endpoints of pods, whose container port 8081 is the host port of 80 plus 1,000."""

    @dataclass
    class Pod:
        port: int

        def host_port(self, wanted: int) -> int | None:
            return self.port + 1000 if wanted == 8081 else None

    pods: list[Any] = [(Pod(port), port) for port in ports]
    found = assignment(API, pods, store)
    assert found["cluster_name"] == API.cluster
    listed: list[dict[str, Any]] = [each["endpoint"] for each in found["endpoints"][0]["lb_endpoints"]]
    return listed


@pytest.mark.parametrize(
    ("check", "port"),
    [
        ({"httpHealthCheck": {"port": 8081}}, 8081),
        ({"tcpHealthCheck": {"port": 8081}}, 8081),
        ({"httpHealthCheck": {"requestPath": "/readyz"}}, None),
        ({}, None),
    ],
)
def test_health_is_checked_on_the_declared_port(
    tmp_path: Path, check: dict[str, Any], port: int | None
) -> None:
    store = store_of(tmp_path, policy("HealthCheckPolicy", config=check))
    assert health_port(store, API) == port
    checked = [each.get("health_check_config") for each in endpoints(store, 18_001, 18_002)]
    assert checked == ([None, None] if port is None else [{"port_value": 19_001}, {"port_value": 19_002}])
    assert "health_checks" in cluster(API, store, tmp_path / "e.json")


def test_ready_pods_are_the_endpoints(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    found = [each["address"]["socket_address"]["port_value"] for each in endpoints(store, 18_001, 18_002)]
    assert found == [18_001, 18_002]
    assert endpoints(store) == []
