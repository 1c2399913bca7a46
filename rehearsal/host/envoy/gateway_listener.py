"""Translate Gateway API routes and GKE policies to the inner listener of Envoy.

Covers routing, load balancing, health checks and session affinity. Sources: Gateway API v1 (precedence of
matches), GKE's HealthCheckPolicy, GCPBackendPolicy and GCPTrafficDistributionPolicy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rehearsal.host.desired_state import Desired, DesiredStore
from rehearsal.host.envoy.backends import Backend, attached, duration
from rehearsal.host.envoy.health_checks import health_check
from rehearsal.host.envoy.process import (
    BUFFER_BYTES,
    PROBLEM_FORMAT,
    Resource,
    connection_manager,
    seconds,
    socket_address,
    typed,
    watched,
)
from rehearsal.host.envoy.session_affinity import affinity, filters, route_options
from rehearsal.host.kubernetes.pods import Pod

NAME = "gateway"
DEFAULT_TIMEOUT = 30.0  # seconds; the default of Google's load balancer
_RETRIES = "connect-failure,refused-stream,reset-before-request"
_IS_ERROR: Resource = {
    "status_code_filter": {"comparison": {"op": "GE", "value": {"default_value": 400, "runtime_key": "none"}}}
}
_ALGORITHMS = {
    "ROUND_ROBIN": "ROUND_ROBIN",
    "LEAST_REQUEST": "LEAST_REQUEST",
    "RANDOM": "RANDOM",
    "RING_HASH": "RING_HASH",
    "MAGLEV": "MAGLEV",
}


@dataclass
class Routing:
    """Route configuration of the declared HTTPRoutes, with the backends they refer to."""

    routes: Resource
    backends: list[Backend] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def routing(store: DesiredStore) -> Routing:
    """Return the route configuration of all HTTPRoutes whose parent is a declared Gateway."""
    result = Routing({"name": NAME, "virtual_hosts": []})
    by_host: dict[str, list[tuple[tuple[int, ...], Resource]]] = {}
    for route in store.of_kind("HTTPRoute"):
        listener_hosts = _listener_hosts(route, store)
        if listener_hosts is None:
            result.notes.append(
                f"{route.label}: parentRefs match no declared Gateway; the route has no effect"
            )
            continue
        hosts = route.spec.get("hostnames") or listener_hosts or ["*"]
        for rule in route.spec.get("rules") or []:
            for entry in _rule(route, rule, store, result):
                for host in hosts:
                    by_host.setdefault(str(host), []).append(entry)
    for host, entries in by_host.items():
        entries.sort(key=lambda entry: entry[0])
        result.routes["virtual_hosts"].append(
            {"name": host, "domains": _domains(host), "routes": [entry for _, entry in entries]}
        )
    _add_local_domains(result.routes["virtual_hosts"])
    if not by_host:
        result.routes["virtual_hosts"] = [{"name": "none", "domains": ["*"], "routes": [_NOTHING_YET]}]
    return result


_NOTHING_YET: Resource = {
    "match": {"prefix": "/"},
    "direct_response": {"status": 503, "body": {"inline_string": "no route is configured yet\n"}},
}


def _listener_hosts(route: Desired, store: DesiredStore) -> list[str] | None:
    """Return the hostnames of the route's parent listeners ([]: any host); None without a parent Gateway."""
    hosts: list[str] = []
    found = False
    for parent in route.spec.get("parentRefs") or []:
        gateway = store.find("Gateway", parent.get("namespace") or route.namespace, str(parent.get("name")))
        if parent.get("kind", "Gateway") != "Gateway" or gateway is None:
            continue
        for listener in gateway.spec.get("listeners") or []:
            if parent.get("sectionName") in {None, listener.get("name")}:
                found = True
                hosts += [listener["hostname"]] if listener.get("hostname") else []
    return hosts if found else None


def _domains(host: str) -> list[str]:
    """Return the Envoy domains of a host name with and without a port."""
    return ["*"] if host == "*" else [host, f"{host}:*"] if not host.startswith("*") else [host]


def _add_local_domains(hosts: list[Resource]) -> None:
    """Serve the first host at `localhost` as well, so that /etc/hosts does not need an entry."""
    taken = {domain for host in hosts for domain in host["domains"]}
    if hosts and "*" not in taken and "localhost" not in taken:
        hosts[0]["domains"] += ["localhost", "localhost:*", "127.0.0.1", "127.0.0.1:*"]


def _rule(
    route: Desired, rule: dict[str, Any], store: DesiredStore, result: Routing
) -> Iterable[tuple[tuple[int, ...], Resource]]:
    """Yield Envoy routes of one rule with their sort key: exact path, longest prefix, method."""
    action = _action(route, rule, store, result)
    for match in rule.get("matches") or [{}]:
        matcher, order = _matcher(match)
        if "route" not in action:
            yield order, {"match": matcher, **action}
            continue
        # Safe methods are retried after any reset; other methods only if the request was not sent.
        for methods, retries in (("GET|HEAD|OPTIONS", f"{_RETRIES},reset"), (None, _RETRIES)):
            chosen = matcher if methods is None else _with_method(matcher, methods)
            own = {**action["route"], "retry_policy": _retry_policy(retries)}
            yield (*order, methods is None), {"match": chosen, **action, "route": own}


def _retry_policy(on: str) -> Resource:
    return {
        "retry_on": on,
        "num_retries": 3,
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
        "host_selection_retry_max_attempts": 3,
        "retry_host_predicate": [
            {
                "name": "previous_hosts",
                "typed_config": typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
            }
        ],
    }


def _with_method(matcher: Resource, methods: str) -> Resource:
    header = {"name": ":method", "string_match": {"safe_regex": {"regex": methods}}}
    return {**matcher, "headers": [*matcher.get("headers", []), header]}


def _matcher(match: dict[str, Any]) -> tuple[Resource, tuple[int, ...]]:
    path = match.get("path") or {"type": "PathPrefix", "value": "/"}
    kind, value = path.get("type", "PathPrefix"), str(path.get("value", "/"))
    if kind == "Exact":
        matcher: Resource = {"path": value}
    elif kind == "RegularExpression":
        matcher = {"safe_regex": {"regex": value}}
    else:
        value = value.rstrip("/")  # a trailing slash changes neither the match nor its precedence
        matcher = {"path_separated_prefix": value} if value else {"prefix": "/"}
    headers = [_valued(item, item["name"].lower()) for item in match.get("headers") or []]
    if match.get("method"):
        headers.append({"name": ":method", "string_match": {"exact": match["method"]}})
    queries = [
        {"name": item["name"], "string_match": _string(item)} for item in match.get("queryParams") or []
    ]
    if headers:
        matcher["headers"] = headers
    if queries:
        matcher["query_parameters"] = queries
    rank = {"Exact": 0, "PathPrefix": 1}.get(kind, 2)
    return matcher, (rank, -len(value), not match.get("method"), -len(headers), -len(queries))


def _valued(item: dict[str, Any], name: str) -> Resource:
    return {"name": name, "string_match": _string(item)}


def _string(item: dict[str, Any]) -> Resource:
    if item.get("type") == "RegularExpression":
        return {"safe_regex": {"regex": item["value"]}}
    return {"exact": item["value"]}


def _action(route: Desired, rule: dict[str, Any], store: DesiredStore, result: Routing) -> Resource:
    action: Resource = {}
    rewriting: Resource = {}
    for item in rule.get("filters") or []:
        match item.get("type"):
            case "RequestRedirect":
                return {"redirect": _redirect(item["requestRedirect"])}
            case "RequestHeaderModifier":
                action |= _header_changes("request", item["requestHeaderModifier"])
            case "ResponseHeaderModifier":
                action |= _header_changes("response", item["responseHeaderModifier"])
            case "URLRewrite":
                rewriting = _rewrite(item["urlRewrite"])
            case other:
                result.notes.append(f"{route.label}: the filter {other} is not supported on this host")
    weighted = []
    for reference in rule.get("backendRefs") or []:
        namespace = reference.get("namespace") or route.namespace
        backend = Backend(namespace, str(reference["name"]), reference.get("port"))
        if backend not in result.backends:
            result.backends.append(backend)
        weighted.append((backend, int(reference.get("weight", 1))))
    if not any(weight for _, weight in weighted):
        return {"direct_response": {"status": 500, "body": {"inline_string": "no backend\n"}}}
    first = weighted[0][0]
    policy = attached(store, "GCPBackendPolicy", first)
    timeout = float(policy.get("timeoutSec", DEFAULT_TIMEOUT))
    if (rule.get("timeouts") or {}).get("request"):
        timeout = duration(rule["timeouts"]["request"])
    target: Resource = {"timeout": seconds(timeout), **rewriting}
    if len(weighted) == 1:
        target["cluster"] = first.cluster
    else:
        target["weighted_clusters"] = {
            "clusters": [{"name": backend.cluster, "weight": weight} for backend, weight in weighted]
        }
    sticky = affinity(rule, store, first)
    if sticky.get("hash_policy"):
        target["hash_policy"] = sticky["hash_policy"]
    if sticky.get("cookie"):
        action |= route_options(sticky["cookie"])
    return {"route": target, **action}


def _redirect(declared: dict[str, Any]) -> Resource:
    codes = {301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER", 307: "TEMPORARY_REDIRECT"}
    redirect: Resource = {"response_code": codes.get(declared.get("statusCode", 302), "PERMANENT_REDIRECT")}
    if declared.get("scheme"):
        redirect["scheme_redirect"] = declared["scheme"]
    if declared.get("hostname"):
        redirect["host_redirect"] = declared["hostname"]
    if declared.get("port"):
        redirect["port_redirect"] = declared["port"]
    path = declared.get("path") or {}
    if path.get("type") == "ReplaceFullPath":
        redirect["path_redirect"] = path["replaceFullPath"]
    elif path.get("type") == "ReplacePrefixMatch":
        redirect["prefix_rewrite"] = path["replacePrefixMatch"]
    return redirect


def _rewrite(declared: dict[str, Any]) -> Resource:
    rewriting: Resource = {}
    if declared.get("hostname"):
        rewriting["host_rewrite_literal"] = declared["hostname"]
    path = declared.get("path") or {}
    if path.get("type") == "ReplacePrefixMatch":
        rewriting["prefix_rewrite"] = path["replacePrefixMatch"]
    elif path.get("type") == "ReplaceFullPath":
        rewriting["regex_rewrite"] = {
            "pattern": {"regex": r"^[^?]*"},
            "substitution": path["replaceFullPath"],
        }
    return rewriting


def _header_changes(side: str, declared: dict[str, Any]) -> Resource:
    changes = [(item, "OVERWRITE_IF_EXISTS_OR_ADD") for item in declared.get("set") or []]
    changes += [(item, "APPEND_IF_EXISTS_OR_ADD") for item in declared.get("add") or []]
    return {
        f"{side}_headers_to_add": [
            {"header": {"key": item["name"], "value": item["value"]}, "append_action": action}
            for item, action in changes
        ],
        f"{side}_headers_to_remove": declared.get("remove") or [],
    }


# -- policies ---------------------------------------------------------------------------------------------


def cluster(backend: Backend, store: DesiredStore, endpoints: Any) -> Resource:
    """Return the cluster of a Service: load-balancing algorithm, health checks and outlier detection."""
    health = attached(store, "HealthCheckPolicy", backend)
    distribution = attached(store, "GCPTrafficDistributionPolicy", backend)
    policy = attached(store, "GCPBackendPolicy", backend)
    algorithm = str(
        distribution.get("localityLbAlgorithm") or policy.get("localityLbPolicy") or "ROUND_ROBIN"
    )
    if affinity({}, store, backend).get("hash_policy"):
        algorithm = "MAGLEV"
    result: Resource = {
        "name": backend.cluster,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": watched(endpoints)},
        "connect_timeout": "2s",
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "lb_policy": _ALGORITHMS.get(algorithm, "ROUND_ROBIN"),
        # A removed endpoint receives no more requests, even if its health check still passes.
        "ignore_health_on_host_removal": True,
        # As in Google's load balancer: 503 without a healthy endpoint, instead of sending to unhealthy ones.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": 100_000,
                    "max_pending_requests": 100_000,
                    "max_requests": 100_000,
                    "max_retries": 1000,
                }
            ]
        },
        "outlier_detection": {
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": 5,
            "enforcing_consecutive_local_origin_failure": 100,
            # Google's load balancer does not eject endpoints that respond with errors.
            "enforcing_consecutive_5xx": 0,
            "enforcing_consecutive_gateway_failure": 0,
            "enforcing_success_rate": 0,
            "enforcing_local_origin_success_rate": 0,
            "interval": "1s",
            "base_ejection_time": "5s",
            "max_ejection_percent": 50,
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _protocol(store, backend)
        },
    }
    if algorithm == "WEIGHTED_ROUND_ROBIN":
        result["load_balancing_policy"] = _weighted_round_robin()
    if health:
        result["health_checks"] = [health_check(health)]
    return result


def _protocol(store: DesiredStore, backend: Backend) -> Resource:
    service = store.find("Service", backend.namespace, backend.service)
    ports = (service.spec.get("ports") or []) if service else []
    declared = next((p.get("appProtocol") for p in ports if p.get("port") == backend.port), None)
    h2 = declared in {"HTTP2", "kubernetes.io/h2c", "grpc"}
    options: Resource = {"http2_protocol_options": {}} if h2 else {"http_protocol_options": {}}
    return typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config=options,
        # Shorter than the servers' keep-alive timeout, so that no request is sent on a closing connection.
        common_http_protocol_options={"idle_timeout": "10s"},
    )


def _weighted_round_robin() -> Resource:
    """Return a policy weighted by the load that endpoints report (ORCA); round robin without reports."""
    name = "envoy.load_balancing_policies.client_side_weighted_round_robin"
    type_ = (
        "envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3."
        "ClientSideWeightedRoundRobin"
    )
    return {"policies": [{"typed_extension_config": {"name": name, "typed_config": typed(type_)}}]}


def health_port(store: DesiredStore, backend: Backend) -> int | None:
    """Return the container port that the declared health check sets; None if it sets none."""
    config = attached(store, "HealthCheckPolicy", backend).get("config") or {}
    for name in ("httpHealthCheck", "httpsHealthCheck", "http2HealthCheck", "tcpHealthCheck"):
        if (config.get(name) or {}).get("port"):
            return int(config[name]["port"])
    return None


def assignment(backend: Backend, ready: Sequence[tuple[Pod, int]], store: DesiredStore) -> Resource:
    """Return the load assignment of a backend: one endpoint per ready pod."""
    checked = health_port(store, backend)
    endpoints = []
    for pod, port in ready:
        endpoint: Resource = {"address": socket_address(port)}
        other = pod.host_port(checked) if checked else None
        if other is not None and other != port:
            endpoint["health_check_config"] = {"port_value": other}
        endpoints.append({"endpoint": endpoint})
    return {"cluster_name": backend.cluster, "endpoints": [{"lb_endpoints": endpoints}]}


def listener(routes: Any) -> Resource:
    """Return the internal listener to which the edge forwards requests."""
    manager = connection_manager(
        NAME,
        {"rds": {"route_config_name": NAME, "config_source": watched(routes)}},
        filters(),
        use_remote_address=False,
        # Only the edge connects to this listener, so its client address headers are trusted.
        xff_num_trusted_hops=0,
        skip_xff_append=True,
        stream_idle_timeout="300s",
        local_reply_config={"mappers": [{"filter": _IS_ERROR, "body_format_override": PROBLEM_FORMAT}]},
    )
    return {
        "name": NAME,
        "internal_listener": {},
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "filter_chains": [{"filters": [manager]}],
    }


def inner_cluster() -> Resource:
    """Return the cluster by which the edge reaches the internal listener."""
    endpoint = {"address": {"envoy_internal_address": {"server_listener_name": NAME}}}
    return {
        "name": NAME,
        "type": "STATIC",
        "connect_timeout": "5s",
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "load_assignment": {"cluster_name": NAME, "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000}
            ]
        },
        "transport_socket": {
            "name": "internal_upstream",
            "typed_config": typed(
                "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport",
                transport_socket={
                    "name": "raw_buffer",
                    "typed_config": typed("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"),
                },
            ),
        },
    }
