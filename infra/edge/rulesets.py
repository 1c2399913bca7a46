"""Cloudflare rulesets: one for each phase, and a stable ref for each rule."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_cloudflare as cloudflare

from infra.component import Component
from infra.settings.platform import EdgeSettings, RateRule
from infra.workload.gateway import ROUTED

Rule = cloudflare.RulesetRuleArgsDict

# Cloudflare's own rulesets have the same id in every account.
# https://developers.cloudflare.com/waf/managed-rules/reference/
MANAGED = "efb7b8c949ac4650a09736fc376e9aee"
OWASP = "4814384a9e5d4991b9815dcfc25d2f1f"
OWASP_SCORE = "6179ae15870a4bb7b2d480d4843b323c"  # the rule that adds the others up and acts
OWASP_THRESHOLD = 40  # Cloudflare's "medium"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

METHOD_NOT_ALLOWED = json.dumps(
    {
        "type": "about:blank",
        "title": "Method not allowed",
        "status": 405,
        "detail": f"Use {', '.join(METHODS)}.",
    }
)

HEADERS = {
    "x-content-type-options": "nosniff",  # a browser does not guess that an upload is a script
    "x-frame-options": "DENY",  # the pages cannot be framed to steal clicks
    "referrer-policy": "no-referrer",  # signed links do not leak to other sites
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
    "x-permitted-cross-domain-policies": "none",
}
# Headers that reveal the software behind the edge.
HIDDEN = ("x-powered-by", "x-envoy-upstream-service-time", "endpoint-load-metrics")


@dataclass(frozen=True, slots=True)
class EdgeRulesArgs:
    """The settings of the zone."""

    settings: EdgeSettings


class EdgeRules(Component):
    """Firewall, managed firewall, rate limits, cache and headers. A second ruleset a phase would be refused.

    Requests meet them in Cloudflare's order of phases, whatever the order here.
    """

    def __init__(self, name: str, args: EdgeRulesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:edge:EdgeRules", name, opts)
        self._zone = args.settings.zone
        self._ruleset("firewall", "http_request_firewall_custom", "WAF custom rules", firewall())
        self._ruleset("managed", "http_request_firewall_managed", "Known attacks", managed())
        self._ruleset(
            "rates",
            "http_ratelimit",
            "Per-IP rate limits",
            [rate_rule(ref, rule) for ref, rule in args.settings.rates.items()],
        )
        self._ruleset(
            "cache",
            "http_request_cache_settings",
            "Cache rules for public content",
            [cache_rule(ref, path) for ref, path in args.settings.cache.items()],
        )
        self._ruleset("headers", "http_response_headers_transform", "Security response headers", [headers()])
        self.register_outputs({})

    def _ruleset(self, key: str, phase: str, title: str, rules: list[Rule]) -> None:
        cloudflare.Ruleset(
            f"{self.name}-{key}",
            zone_id=self._zone,
            name=title,
            kind="zone",
            phase=phase,
            rules=rules,
            opts=self.child(),
        )


def below(path: str) -> str:
    """Rule expression for everything below a path prefix."""
    return f'starts_with(http.request.uri.path, "{path}")'


def routed() -> str:
    """Rule expression for what the gateway routes, as it does: the path itself, or whole segments below."""
    return " or ".join(f'http.request.uri.path eq "{path}" or {below(path + "/")}' for path in ROUTED)


def firewall() -> list[Rule]:
    """Refused before anything else looks at it: it costs the origin nothing."""
    methods = " ".join(f'"{method}"' for method in METHODS)
    return [
        {
            "ref": "methods",
            "description": "Methods that the API does not have (TRACE shows a client's own headers)",
            "expression": f"not http.request.method in {{{methods}}}",
            "action": "block",
            "action_parameters": {
                "response": {
                    "status_code": 405,
                    "content_type": "application/json",
                    "content": METHOD_NOT_ALLOWED,
                }
            },
        },
        {
            "ref": "unrouted",
            "description": "Paths that lead nowhere: scanners look for them",
            "expression": f"not ({routed()})",
            "action": "block",
        },
    ]


def managed() -> list[Rule]:
    """Cloudflare's rules against known holes, and OWASP's score for what looks like an attack."""
    return [
        {
            "ref": "managed",
            "description": "Cloudflare's managed rules, as they are updated",
            "expression": "true",
            "action": "execute",
            "action_parameters": {"id": MANAGED},
        },
        {
            "ref": "owasp",
            "description": "OWASP core rules",
            "expression": "true",
            "action": "execute",
            "action_parameters": {
                "id": OWASP,
                "overrides": {
                    # Level 1 only: the stricter levels block users' texts as attacks.
                    "categories": [
                        {"category": f"paranoia-level-{level}", "enabled": False} for level in (2, 3, 4)
                    ],
                    "rules": [{"id": OWASP_SCORE, "action": "block", "score_threshold": OWASP_THRESHOLD}],
                },
            },
        },
    ]


def cache_rule(ref: str, path: str) -> Rule:
    """Return the rule that caches responses below a path by their own Cache-Control; others are not cached.

    A response to a signed URL must not outlive the signature: only the service knows its end.
    """
    return {
        "ref": ref,
        "description": f"Cache {path}",
        "expression": below(path),
        "action": "set_cache_settings",
        "action_parameters": {
            "cache": True,
            "edge_ttl": {"mode": "bypass_by_default"},  # a response without Cache-Control may be private
            "browser_ttl": {"mode": "respect_origin"},
            # A stale image is better than an error while the origin is fetched again.
            "serve_stale": {"disable_stale_while_updating": False},
        },
    }


def rate_rule(ref: str, rule: RateRule) -> Rule:
    """Refuse an address for a while when it sends more than its share below a path."""
    return {
        "ref": ref,
        "description": f"At most {rule.requests} in {rule.period_seconds} s below {rule.path}",
        "expression": below(rule.path),
        "action": "block",
        "ratelimit": {
            # Counted in each data center, as Cloudflare requires.
            "characteristics": ["ip.src", "cf.colo.id"],
            "period": rule.period_seconds,
            "requests_per_period": rule.requests,
            "mitigation_timeout": rule.block_seconds,
        },
    }


def headers() -> Rule:
    """Return the rule that sets security headers on every response, the edge's own errors included."""
    return {
        "ref": "headers",
        "description": "Security headers; nothing about what runs behind",
        "expression": "true",
        "action": "rewrite",
        "action_parameters": {
            "headers": {
                **{name: {"operation": "set", "value": value} for name, value in HEADERS.items()},
                **{name: {"operation": "remove"} for name in HIDDEN},
            }
        },
    }
