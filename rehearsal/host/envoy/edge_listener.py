"""The Cloudflare zone as the outer listener of Envoy: TLS, cache, rate limits, rules, headers.

Declared rules are translated one by one; a rule that is not supported here is reported in the notes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.host.desired_state import DesiredStore
from rehearsal.host.envoy import gateway_listener, oversized_bodies
from rehearsal.host.envoy.certificate_authority import Leaf
from rehearsal.host.envoy.cloudflare_expressions import Alternatives, UnsupportedError, alternatives
from rehearsal.host.envoy.process import (
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
RULESET = "cloudflare:index/ruleset:Ruleset"
SETTING = "cloudflare:index/zoneSetting:ZoneSetting"
RECORD = "cloudflare:index/dnsRecord:DnsRecord"
SECURITY_POLICY = "gcp:compute/securityPolicy:SecurityPolicy"
_CONTENT_LENGTH = re.compile(r"int\(request\.headers\['content-length'\]\) > (\d+)")
# Fixed limits of Cloudflare that no resource declares.
_HEADER_SECONDS = 10.0
_MAX_HEADERS_KIB = 96  # above the 16 KiB at which the service responds with 431
_MAX_STREAMS = 100
_MAX_CONNECTIONS = 16_384
_FILTER_CONFIG = "envoy.config.route.v3.FilterConfig"
_CONTENT_TOO_LARGE: dict[str, Any] = {"status": 413, "body": {"inline_string": ""}}
_VARY = ("accept", "accept-encoding", "accept-language", "origin")

# As in Cloudflare, a cache rule applies to responses with a cacheable status and removes their cookies.
_LUA = """
local cacheable = {["200"]=true, ["203"]=true, ["204"]=true, ["206"]=true, ["300"]=true, ["301"]=true,
                   ["308"]=true, ["404"]=true, ["410"]=true}
function envoy_on_response(handle)
  local rule = handle:metadata():get("cache")
  if rule == nil then return end
  local headers = handle:headers()
  if not cacheable[headers:get(":status")] then return end
  local directives = headers:get("cache-control") or ""
  if rule["edge"] == nil then
    if directives == "" or directives:find("private") or directives:find("no%-store") then return end
  else
    local browser = rule["browser"] or rule["edge"]
    headers:replace("cache-control", "public, max-age=" .. browser .. ", s-maxage=" .. rule["edge"])
    headers:remove("expires")
    headers:remove("pragma")
  end
  headers:remove("set-cookie")
end
"""


@dataclass
class Edge:
    """Listener and routes of the declared zone, with notes about what is not enforced."""

    listener: Resource
    routes: Resource
    notes: list[str] = field(default_factory=list)


def edge(store: DesiredStore, port: int, leaf: Leaf, routes_file: Path) -> Edge:
    """Return the edge on `port`; without a declared zone it only terminates TLS."""
    notes: list[str] = []
    settings = _settings(store)
    filters = [
        _response_headers(settings, _rules(store, "http_response_headers_transform", notes), notes),
        *_firewall(_rules(store, "http_request_firewall_custom", notes), notes),
        *_rate_limits(_rules(store, "http_ratelimit", notes), notes),
        *_compression(settings),
        _cache_filter(),
        _lua_filter(),
    ]
    max_request_seconds = _max_request_seconds(store)
    manager = connection_manager(
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
        http2_protocol_options={"max_concurrent_streams": _MAX_STREAMS},
        local_reply_config=_local_replies(),
    )
    minimum = {"1.3": "TLSv1_3"}.get(str(settings.get("min_tls_version")), "TLSv1_2")
    limit = {
        "name": "connections",
        "typed_config": typed(
            "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
            stat_prefix="edge_connections",
            max_connections=_MAX_CONNECTIONS,
        ),
    }
    listener: Resource = {
        "name": NAME,
        "address": socket_address(port),
        # Bounds the memory per connection to about one stream window instead of complete bodies.
        "per_connection_buffer_limit_bytes": 1024 * 1024,
        "filter_chains": [
            {
                "filters": [limit, manager],
                "transport_socket": downstream_tls(leaf, alpn=("h2", "http/1.1"), minimum=minimum),
                "transport_socket_connect_timeout": "10s",
            }
        ],
    }
    routes = {
        "name": NAME,
        "virtual_hosts": [
            {
                "name": NAME,
                "domains": ["*"],
                "routes": [
                    _two_hosts(),
                    *_oversized(store),
                    *_block_routes(_rules(store, "http_request_firewall_custom", notes)),
                    *_routes(_rules(store, "http_request_cache_settings", notes), notes),
                ],
            }
        ],
    }
    others = {str(item.inputs.get("phase")) for item in store.of_type(RULESET)} - _SUPPORTED_PHASES
    notes += [f"Cloudflare phase {phase}: stored, not enforced here" for phase in sorted(others)]
    if settings.get("http3") == "on":
        notes.append("HTTP/3 is declared; the local edge serves HTTP/1.1 and HTTP/2")
    return Edge(listener, routes, notes)


def _max_request_seconds(store: DesiredStore) -> float:
    """Return the request timeout in seconds: the longest timeout of the declared backends."""
    declared = [
        float((item.spec.get("default") or {}).get("timeoutSec") or gateway_listener.DEFAULT_TIMEOUT)
        for item in store.of_kind("GCPBackendPolicy")
    ]
    return max(declared, default=gateway_listener.DEFAULT_TIMEOUT)


def _two_hosts() -> Resource:
    """Return the route that rejects repeated Host headers, which Envoy joins with a comma.

    A proxy may use either one (RFC 9112, section 3.2); Cloudflare rejects them too.
    """
    off = typed(_FILTER_CONFIG, disabled=True)
    return {
        "match": {"prefix": "/", "headers": [{"name": ":authority", "string_match": {"contains": ","}}]},
        "direct_response": {
            "status": 400,
            "body": {"inline_string": "The request must have exactly one Host header."},
        },
        # The cache filter responds with 404 if a route has no cluster.
        "typed_per_filter_config": {"cache": off, "lua": off},
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
                "typed_per_filter_config": {
                    name: typed(_FILTER_CONFIG, disabled=True) for name in ("cache", "lua")
                },
            }
            found += [unread, read]
    return found


def _longer_than(size: int) -> Resource:
    """Match requests whose Content-Length exceeds `size` bytes."""
    matcher = {"name": "content-length", "range_match": {"start": size + 1, "end": 2**62}}
    return {"prefix": "/", "headers": [matcher]}


def _block_routes(rules: Sequence[Rule]) -> list[Resource]:
    """Return routes of rules that block with a custom response; `_firewall` handles the others."""
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


_SUPPORTED_PHASES = frozenset(
    {
        "http_request_cache_settings",
        "http_ratelimit",
        "http_request_firewall_custom",
        "http_response_headers_transform",
    }
)


def _settings(store: DesiredStore) -> dict[str, Any]:
    """Return the zone settings by ID."""
    return {str(item.inputs.get("settingId")): item.inputs.get("value") for item in store.of_type(SETTING)}


@dataclass(frozen=True)
class Rule:
    """An enabled rule with its expression as header matchers."""

    ref: str
    declared: dict[str, Any]
    when: Alternatives

    @property
    def action(self) -> str:
        return str(self.declared.get("action"))

    @property
    def parameters(self) -> dict[str, Any]:
        return self.declared.get("actionParameters") or {}


def _rules(store: DesiredStore, phase: str, notes: list[str]) -> list[Rule]:
    """Return the enabled rules of a phase in order; unsupported ones are reported in `notes`."""
    found = []
    for ruleset in store.of_type(RULESET):
        if ruleset.inputs.get("phase") != phase:
            continue
        for number, rule in enumerate(ruleset.inputs.get("rules") or []):
            ref = str(rule.get("ref") or f"{ruleset.name}-{number}")
            if rule.get("enabled") is False:
                continue
            try:
                found.append(Rule(ref, rule, alternatives(str(rule.get("expression")))))
            except UnsupportedError as error:
                notes.append(f"Cloudflare rule {ref} of {phase} is not enforced here: {error}")
    return found


# -- cache ------------------------------------------------------------------------------------------------


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
        route["metadata"] = {"filter_metadata": {"lua": {"cache": {"on": True, **(times or {})}}}}
    else:
        off = typed(_FILTER_CONFIG, disabled=True)
        route["typed_per_filter_config"] = {"cache": off, "lua": off}
    return route


def add_web_app(routes: Resource, prefix: str, cluster: str) -> None:
    """Route `prefix` to the local web app, before all declared routes and without the zone's firewall.

    The zone covers the API only. In deployed environments the app has a separate host; locally, a shared
    origin avoids a second certificate and CORS.
    """
    off = typed(_FILTER_CONFIG, disabled=True)
    (host,) = routes["virtual_hosts"]
    host["routes"].insert(
        0,
        {
            "match": {"path_separated_prefix": prefix},
            "route": {"cluster": cluster, "timeout": "30s"},
            "typed_per_filter_config": {"cache": off, "lua": off, "firewall": off},
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


def _cache_filter() -> Resource:
    config = typed(
        "envoy.extensions.filters.http.cache.v3.CacheConfig",
        typed_config=typed("envoy.extensions.http.cache.simple_http_cache.v3.SimpleHttpCacheConfig"),
        # The service sends `Origin`, and names of headers are compared with case otherwise.
        allowed_vary_headers=[{"exact": name, "ignore_case": True} for name in _VARY],
    )
    return {"name": "cache", "typed_config": config}


def _lua_filter() -> Resource:
    config = typed("envoy.extensions.filters.http.lua.v3.Lua", default_source_code={"inline_string": _LUA})
    return {"name": "lua", "typed_config": config}


# -- rules ------------------------------------------------------------------------------------------------


def filters_requests(store: DesiredStore) -> bool:
    """Return whether the zone has firewall rules, which reject paths that the service does not have."""
    return bool(_rules(store, "http_request_firewall_custom", []))


def _firewall(rules: Sequence[Rule], notes: list[str]) -> list[Resource]:
    """Return an RBAC filter of the custom rules that block."""
    policies = {}
    for rule in rules:
        if rule.action == "block" and rule.parameters.get("response"):
            continue
        if rule.action != "block":
            notes.append(
                f"Cloudflare rule {rule.ref}: the action {rule.action} is not supported on this host"
            )
            continue
        permissions: list[Resource] = []
        for matchers in rule.when:
            every = [{"header": matcher} for matcher in matchers]
            permissions.append({"and_rules": {"rules": every}} if every else {"any": True})
        if permissions:
            policies[rule.ref] = {"permissions": permissions, "principals": [{"any": True}]}
    if not policies:
        return []
    config = typed(
        "envoy.extensions.filters.http.rbac.v3.RBAC", rules={"action": "DENY", "policies": policies}
    )
    return [{"name": "firewall", "typed_config": config}]


def _rate_limits(rules: Sequence[Rule], notes: list[str]) -> list[Resource]:
    """Return rate limits by client address or header; a limit applies until the bucket is refilled."""
    limits: list[Resource] = []
    descriptors = []
    for rule in rules:
        limit = rule.declared.get("ratelimit") or {}
        counted = [name for name in limit.get("characteristics") or [] if name != "cf.colo.id"]
        try:
            keys = [_characteristic(name) for name in counted]
        except UnsupportedError as error:
            notes.append(f"Cloudflare rule {rule.ref} of http_ratelimit is not enforced here: {error}")
            continue
        if rule.action not in {"block", "managed_challenge", "js_challenge", "challenge"}:
            continue
        for matchers in rule.when:
            matched = {
                "header_value_match": {
                    "descriptor_key": "rule",
                    "descriptor_value": rule.ref,
                    "headers": matchers or [{"name": ":path", "present_match": True}],
                }
            }
            limits.append({"actions": [matched, *(action for action, _ in keys)]})
        requests, period = int(limit["requestsPerPeriod"]), float(limit["period"])
        descriptors.append(
            {
                "entries": [{"key": "rule", "value": rule.ref}, *({"key": key} for _, key in keys)],
                "token_bucket": {
                    "max_tokens": requests,
                    "tokens_per_fill": requests,
                    "fill_interval": seconds(period),
                },
            }
        )
    if not descriptors:
        return []
    everything = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    config = typed(
        "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix="edge_rate_limit",
        # The mandatory default bucket is unlimited; only the rules' buckets apply.
        token_bucket={"max_tokens": 4_000_000_000, "fill_interval": "1s"},
        always_consume_default_token_bucket=False,
        filter_enabled=everything,
        filter_enforced=everything,
        rate_limits=limits,
        descriptors=descriptors,
        max_dynamic_descriptors=10_000,
        response_headers_to_add=[
            {
                "header": {"key": "retry-after", "value": str(min(_waits(rules)))},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
    )
    return [{"name": "rate_limits", "typed_config": config}]


def _waits(rules: Sequence[Rule]) -> list[int]:
    limits = [rule.declared.get("ratelimit") or {} for rule in rules]
    return [int(limit.get("mitigationTimeout") or limit.get("period") or 1) for limit in limits]


def _characteristic(name: str) -> tuple[Resource, str]:
    """Return the rate-limit action that identifies a client, and its descriptor key."""
    if name in {"ip.src", "cf.unique_visitor_id"}:
        return {"remote_address": {}}, "remote_address"
    if name.startswith('http.request.headers["'):
        header = name.split('"')[1].lower()
        return {"request_headers": {"header_name": header, "descriptor_key": header}}, header
    raise UnsupportedError(f"the characteristic {name} is not supported on this host")


# -- headers ----------------------------------------------------------------------------------------------


def _response_headers(settings: dict[str, Any], rules: Sequence[Rule], notes: list[str]) -> Resource:
    """Return a filter that sets HSTS and the transform rules' headers on every response, errors included."""
    mutations: list[Resource] = []
    security = (settings.get("security_header") or {}).get("strict_transport_security") or {}
    if security.get("enabled"):
        parts = [f"max-age={int(security.get('max_age') or 0)}"]
        parts += ["includeSubDomains"] if security.get("include_subdomains") else []
        parts += ["preload"] if security.get("preload") else []
        mutations.append(_set("strict-transport-security", "; ".join(parts)))
        if security.get("nosniff"):
            mutations.append(_set("x-content-type-options", "nosniff"))
    for rule in rules:
        if rule.when != [[]]:
            notes.append(
                f"Cloudflare rule {rule.ref}: conditional header transforms are not supported on this host"
            )
            continue
        for name, change in _named(rule.parameters.get("headers")):
            if change.get("operation") == "remove":
                mutations.append({"remove": name})
            elif change.get("value") is not None:
                mutations.append(_set(name, str(change["value"])))
    config = typed(
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"response_mutations": mutations},
    )
    return {"name": "headers", "typed_config": config}


def _named(declared: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return header changes by name, declared as an object or as a list."""
    if isinstance(declared, dict):
        return list(declared.items())
    return [(str(item.get("name")), item) for item in declared or []]


def _set(name: str, value: str) -> Resource:
    header = {"key": name.lower(), "value": value}
    return {"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}


def _compression(settings: dict[str, Any]) -> list[Resource]:
    """Return a Brotli filter if the zone enables it; already compressed responses are passed through."""
    if settings.get("brotli") != "on":
        return []
    library = {
        "name": "brotli",
        "typed_config": typed("envoy.extensions.compression.brotli.compressor.v3.Brotli", quality=4),
    }
    types = [
        "application/json",
        "text/html",
        "text/css",
        "text/plain",
        "application/javascript",
        "image/svg+xml",
    ]
    config = typed(
        "envoy.extensions.filters.http.compressor.v3.Compressor",
        compressor_library=library,
        response_direction_config={
            "common_config": {"min_content_length": 1024, "content_type": types},
            "disable_on_etag_header": True,
        },
    )
    return [{"name": "brotli", "typed_config": config}]


def hostnames(store: DesiredStore) -> list[str]:
    """Return the host names of the zone's proxied records."""
    return sorted(
        {str(item.inputs.get("name")) for item in store.of_type(RECORD) if item.inputs.get("proxied")}
    )
