"""HTTP filters of the edge, from the zone's settings and rules: firewall, rate limits, headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rehearsal.host.envoy.cloudflare_expressions import UnsupportedError
from rehearsal.host.envoy.cloudflare_zone import Rule
from rehearsal.host.envoy.process import Resource, seconds, typed


def response_headers(settings: dict[str, Any], rules: Sequence[Rule], notes: list[str]) -> Resource:
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


def compression(settings: dict[str, Any]) -> list[Resource]:
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


def firewall(rules: Sequence[Rule], notes: list[str]) -> list[Resource]:
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


def rate_limits(rules: Sequence[Rule], notes: list[str]) -> list[Resource]:
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
