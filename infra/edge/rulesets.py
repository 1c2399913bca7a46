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
OWASP_SCORE = "6179ae15870a4bb7b2d480d4843b323c"  # the rule that sums the scores and blocks
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
    "x-frame-options": "DENY",  # protection from clickjacking
    "referrer-policy": "no-referrer",  # signed URLs do not leak to other sites
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
    """Firewall, managed firewall, rate limits, cache and headers: Cloudflare accepts one ruleset per phase.

    Cloudflare applies them in its own order of phases, not in the order of declaration.
    """

    def __init__(self, name: str, args: EdgeRulesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:edge:EdgeRules", name, opts)
        self._zone = args.settings.zone
        self._ruleset("firewall", "http_request_firewall_custom", "WAF custom rules", firewall())
        self._ruleset("managed", "http_request_firewall_managed", "Managed WAF rules", managed())
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
    """Return the rule expression for every path below a prefix."""
    return f'starts_with(http.request.uri.path, "{path}")'


def routed() -> str:
    """Return the rule expression for a path and its subpaths, as the gateway matches it."""
    return " or ".join(f'http.request.uri.path eq "{path}" or {below(path + "/")}' for path in ROUTED)


def firewall() -> list[Rule]:
    """Return the rules that block a request before all others, without a request to the origin."""
    methods = " ".join(f'"{method}"' for method in METHODS)
    return [
        {
            "ref": "methods",
            "description": "Methods that the API does not use",
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
            "description": "Paths that only scanners request",
            "expression": f"not ({routed()})",
            "action": "block",
        },
    ]


def managed() -> list[Rule]:
    """Return Cloudflare's managed rules and the OWASP rules, which sum the scores of a request."""
    return [
        {
            "ref": "managed",
            "description": "Cloudflare managed ruleset",
            "expression": "true",
            "action": "execute",
            "action_parameters": {"id": MANAGED},
        },
        {
            "ref": "owasp",
            "description": "OWASP core ruleset",
            "expression": "true",
            "action": "execute",
            "action_parameters": {
                "id": OWASP,
                "overrides": {
                    # Level 1 only: stricter levels block texts of users as attacks.
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
            # Serve a stale image while it is fetched again.
            "serve_stale": {"disable_stale_while_updating": False},
        },
    }


def rate_rule(ref: str, rule: RateRule) -> Rule:
    """Return the rule that blocks an address for a period after it exceeds its rate below a path."""
    return {
        "ref": ref,
        "description": f"At most {rule.requests} in {rule.period_seconds} s below {rule.path}",
        "expression": below(rule.path),
        "action": "block",
        "ratelimit": {
            # Counted per data center, as Cloudflare requires.
            "characteristics": ["ip.src", "cf.colo.id"],
            "period": rule.period_seconds,
            "requests_per_period": rule.requests,
            "mitigation_timeout": rule.block_seconds,
        },
    }


def headers() -> Rule:
    """Return the rule that sets security headers on every response, including the edge's own errors."""
    return {
        "ref": "headers",
        "description": "Set security headers; remove headers that reveal the software",
        "expression": "true",
        "action": "rewrite",
        "action_parameters": {
            "headers": {
                **{name: {"operation": "set", "value": value} for name, value in HEADERS.items()},
                **{name: {"operation": "remove"} for name in HIDDEN},
            }
        },
    }
