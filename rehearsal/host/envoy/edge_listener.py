"""The Cloudflare zone as the outer listener of Envoy: TLS, cache, rate limits, rules, headers.

Declared rules are translated one by one; a rule that is not supported here is reported in the notes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.host.component import LOCAL_NAMES
from rehearsal.host.desired_state import DesiredStore
from rehearsal.host.envoy import edge_filters, gateway_listener, oversized_bodies, response_cache
from rehearsal.host.envoy.certificate_authority import Leaf
from rehearsal.host.envoy.cloudflare_zone import Rule, hostnames, rules_of, settings_of, unsupported_phases
from rehearsal.host.envoy.process import (
    BUFFER_BYTES,
    PROBLEM_FORMAT,
    Resource,
    connection_manager,
    downstream_tls,
    seconds,
    socket_address,
    static_endpoints,
    typed,
    watched,
)

NAME = "edge"
SECURITY_POLICY = "gcp:compute/securityPolicy:SecurityPolicy"
_CONTENT_LENGTH = re.compile(r"int\(request\.headers\['content-length'\]\) > (\d+)")
# Fixed limits of Cloudflare that no resource declares.
_HEADER_SECONDS = 10.0
_MAX_HEADERS_KIB = 96  # above the 16 KiB at which the service responds with 431
_MAX_STREAMS = 100
_CONNECTION_WINDOW_BYTES = 1024 * 1024
_MAX_CONNECTIONS = 16_384
_FILTER_CONFIG = "envoy.config.route.v3.FilterConfig"
_CONTENT_TOO_LARGE: dict[str, Any] = {"status": 413, "body": {"inline_string": ""}}


@dataclass
class Edge:
    """Listener and routes of the declared zone, with notes about what is not enforced."""

    listener: Resource
    routes: Resource
    notes: list[str] = field(default_factory=list)


def edge(store: DesiredStore, port: int, leaf: Leaf, routes_file: Path, cache: Path) -> Edge:
    """Return the edge on `port`; without a declared zone it only terminates TLS. `cache` is a folder."""
    notes: list[str] = []
    settings = settings_of(store)
    headers = rules_of(store, "http_response_headers_transform", notes)
    filters = [
        edge_filters.response_headers(settings, headers, notes),
        *edge_filters.firewall(rules_of(store, "http_request_firewall_custom", notes), notes),
        *edge_filters.rate_limits(rules_of(store, "http_ratelimit", notes), notes),
        *edge_filters.compression(settings),
        *response_cache.filters(cache),
    ]
    manager = _manager(filters, routes_file, _max_request_seconds(store))
    minimum = {"1.3": "TLSv1_3"}.get(str(settings.get("min_tls_version")), "TLSv1_2")
    declared = [
        _two_hosts(),
        *_oversized(store),
        *_block_routes(rules_of(store, "http_request_firewall_custom", notes)),
        *_routes(rules_of(store, "http_request_cache_settings", notes), notes),
    ]
    routes = {
        "name": NAME,
        "virtual_hosts": _virtual_hosts(hostnames(store), declared),
        "ignore_port_in_host_matching": True,
    }
    notes += [f"Cloudflare phase {phase}: stored, not enforced here" for phase in unsupported_phases(store)]
    if settings.get("http3") == "on":
        notes.append("HTTP/3 is declared; the local edge serves HTTP/1.1 and HTTP/2")
    return Edge(_listener(port, leaf, minimum, manager), routes, notes)


def _manager(filters: Sequence[Resource], routes_file: Path, max_request_seconds: float) -> Resource:
    """Return the connection manager, with Cloudflare's limits of a request."""
    return connection_manager(
        NAME,
        {"rds": {"route_config_name": NAME, "config_source": watched(routes_file)}},
        filters,
        use_remote_address=True,
        # Cloudflare normalizes paths before it evaluates rules.
        normalize_path=True,
        merge_slashes=True,
        stream_idle_timeout="300s",
        # Limits how long a slow client can hold a stream (slowloris).
        request_headers_timeout=seconds(_HEADER_SECONDS),
        request_timeout=seconds(max_request_seconds),
        max_request_headers_kb=_MAX_HEADERS_KIB,
        common_http_protocol_options={
            "idle_timeout": "900s",
            "max_headers_count": 100,
            # Bounds the lifetime of a client connection, so that connections are rebalanced between workers.
            "max_connection_duration": "3600s",
        },
        # Unknown HTTP/1.1 methods reach the rules, which reject them as for HTTP/2.
        http_protocol_options={"allow_custom_methods": True},
        http2_protocol_options={
            "max_concurrent_streams": _MAX_STREAMS,
            "initial_stream_window_size": BUFFER_BYTES,
            "initial_connection_window_size": _CONNECTION_WINDOW_BYTES,
        },
        local_reply_config=_local_replies(),
    )


def _listener(port: int, leaf: Leaf, minimum: str, manager: Resource) -> Resource:
    """Return the listener on `port` with TLS of at least the version `minimum`."""
    limit = {
        "name": "connections",
        "typed_config": typed(
            "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
            stat_prefix="edge_connections",
            max_connections=_MAX_CONNECTIONS,
        ),
    }
    return {
        "name": NAME,
        "address": socket_address(port),
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "filter_chains": [
            {
                "filters": [limit, manager],
                "transport_socket": downstream_tls(leaf, alpn=("h2", "http/1.1"), minimum=minimum),
                "transport_socket_connect_timeout": "10s",
            }
        ],
    }


def _max_request_seconds(store: DesiredStore) -> float:
    """Return the request timeout in seconds: the longest timeout of the declared backends."""
    declared = [
        float((item.spec.get("default") or {}).get("timeoutSec") or gateway_listener.DEFAULT_TIMEOUT)
        for item in store.of_kind("GCPBackendPolicy")
    ]
    return max(declared, default=gateway_listener.DEFAULT_TIMEOUT)


def _virtual_hosts(names: Sequence[str], routes: list[Resource]) -> list[Resource]:
    """Return the virtual host of the zone's names and the one of all others; without names, one for all.

    Cloudflare refuses names that are not in the zone.
    """
    if not names:
        return [{"name": NAME, "domains": ["*"], "routes": routes}]
    local = [f"[{name}]" if ":" in name else name for name in LOCAL_NAMES]
    misdirected = {
        "match": {"prefix": "/"},
        "direct_response": {
            "status": 421,
            "body": {"inline_string": "The zone has no record of this host name."},
        },
        "typed_per_filter_config": response_cache.disabled(),
    }
    return [
        {"name": NAME, "domains": list(dict.fromkeys((*local, *names))), "routes": routes},
        {"name": "other-hosts", "domains": ["*"], "routes": [_two_hosts(), misdirected]},
    ]


def _two_hosts() -> Resource:
    """Return the route that rejects repeated Host headers, which Envoy joins with a comma.

    A proxy may use either one (RFC 9112, section 3.2); Cloudflare rejects them too.
    """
    return {
        "match": {"prefix": "/", "headers": [{"name": ":authority", "string_match": {"contains": ","}}]},
        "direct_response": {
            "status": 400,
            "body": {"inline_string": "The request must have exactly one Host header."},
        },
        "typed_per_filter_config": response_cache.disabled(),
    }


def _oversized(store: DesiredStore) -> list[Resource]:
    """Return routes that reject bodies by the size limit of the Cloud Armor rule; no pod gets them."""
    found: list[Resource] = []
    for policy in store.of_type(SECURITY_POLICY):
        for rule in policy.inputs.get("rules") or []:
            expression = ((rule.get("match") or {}).get("expr") or {}).get("expression") or ""
            length = _CONTENT_LENGTH.search(str(expression))
            if length is None:
                continue
            unread = {
                "match": _longer_than(oversized_bodies.MAX_BYTES),
                "direct_response": _CONTENT_TOO_LARGE,
            }
            read = {
                "match": _longer_than(int(length[1])),
                "route": {
                    "cluster": oversized_bodies.NAME,
                    "timeout": seconds(gateway_listener.DEFAULT_TIMEOUT),
                },
                "typed_per_filter_config": response_cache.disabled(),
            }
            found += [unread, read]
    return found


def _longer_than(size: int) -> Resource:
    """Match requests whose Content-Length exceeds `size` bytes."""
    matcher = {"name": "content-length", "range_match": {"start": size + 1, "end": 2**62}}
    return {"prefix": "/", "headers": [matcher]}


def _block_routes(rules: Sequence[Rule]) -> list[Resource]:
    """Return routes of rules that block with a custom response; the firewall filter has the others."""
    return [
        {
            "match": {"prefix": "/", "headers": matchers},
            "direct_response": {
                "status": int(response["statusCode"]),
                "body": {"inline_string": str(response.get("content") or "")},
            },
            "response_headers_to_add": [
                {
                    "header": {"key": "content-type", "value": str(response["contentType"])},
                    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                }
            ],
        }
        for rule in rules
        if rule.action == "block" and (response := rule.parameters.get("response"))
        for matchers in rule.when
    ]


def _local_replies() -> Resource:
    """Return the format of errors that Envoy generates: problem details, as the service returns."""
    # Envoy rejects QUERY without a content type before it evaluates rules.
    unknown_method = {
        "filter": {
            "and_filter": {
                "filters": [
                    {"header_filter": {"header": {"name": ":method", "string_match": {"exact": "QUERY"}}}},
                    {
                        "status_code_filter": {
                            "comparison": {"op": "EQ", "value": {"default_value": 400, "runtime_key": "none"}}
                        }
                    },
                ]
            }
        },
        "status_code": 405,
    }
    # The start page is a direct response, which would be reformatted as an error.
    start_page = {
        "filter": {
            "status_code_filter": {
                "comparison": {"op": "EQ", "value": {"default_value": 200, "runtime_key": "none"}}
            }
        },
        "body_format_override": {
            "text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"},
            "content_type": "text/html; charset=utf-8",
        },
    }
    return {"mappers": [unknown_method, start_page], "body_format": PROBLEM_FORMAT}


def _routes(rules: Sequence[Rule], notes: list[str]) -> list[Resource]:
    """Return one route per alternative of a cache rule, the last rule first because it takes precedence."""
    routes = []
    for rule in reversed(rules):
        if rule.action != "set_cache_settings":
            continue
        for matchers in rule.when:
            match = {"prefix": "/", "headers": matchers}
            if rule.parameters.get("cache") is False:
                routes.append(_route(match, cached=False))
            else:
                # Envoy 1.40 does not end the response with a range of a copy that is not its last part.
                part = {"prefix": "/", "headers": [*matchers, {"name": "range", "present_match": True}]}
                routes.append(_route(part, cached=False))
                routes.append(_route(match, cached=True, times=_times(rule)))
    return [*routes, _route({"prefix": "/"}, cached=False)]


def _times(rule: Rule) -> Resource:
    """Return the TTLs in seconds for the edge and the browser; {} uses the origin's headers."""
    times: Resource = {}
    edge_ttl, browser_ttl = rule.parameters.get("edgeTtl") or {}, rule.parameters.get("browserTtl") or {}
    if edge_ttl.get("mode") == "override_origin":
        times["edge"] = str(int(edge_ttl["default"]))
    if browser_ttl.get("mode") == "override_origin":
        times["browser"] = str(int(browser_ttl["default"]))
    elif browser_ttl.get("mode") == "bypass":
        times["browser"] = "0"
    return times


def _route(match: Resource, *, cached: bool, times: Resource | None = None) -> Resource:
    # The gateway sets the timeout.
    route: Resource = {"match": match, "route": {"cluster": gateway_listener.NAME, "timeout": "0s"}}
    if cached:
        return route | response_cache.enabled(times)
    return route | {"typed_per_filter_config": response_cache.disabled()}


def add_web_app(routes: Resource, prefix: str, cluster: str) -> None:
    """Route `prefix` to the local web app, before all declared routes and without the zone's firewall.

    The zone covers the API only. In deployed environments the app has a separate host; locally, a shared
    origin avoids a second certificate and CORS.
    """
    off = typed(_FILTER_CONFIG, disabled=True)
    routes["virtual_hosts"][0]["routes"].insert(
        0,
        {
            "match": {"path_separated_prefix": prefix},
            "route": {"cluster": cluster, "timeout": "30s"},
            "typed_per_filter_config": {**response_cache.disabled(), "firewall": off},
        },
    )


def local_cluster(name: str, port: int) -> Resource:
    """Return the cluster of a server of this machine that the edge reaches without the gateway."""
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": static_endpoints(name, [port]),
    }


def filters_requests(store: DesiredStore) -> bool:
    """Return whether the zone has firewall rules, which reject paths that the service does not have."""
    return bool(rules_of(store, "http_request_firewall_custom", []))
