"""The third cache layer and the outer wall: the Cloudflare zone in front of the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_cloudflare as cloudflare

from infra.component import Component
from infra.origin import Origin
from infra.platform_settings import EdgeSettings, RateRule


@dataclass(frozen=True, slots=True)
class EdgeArgs:
    """What the edge stands in front of, and its settings."""

    origin: Origin
    settings: EdgeSettings


class Edge(Component):
    """Zone settings, DNS, and one ruleset for each phase: a second one for a phase would be refused."""

    def __init__(self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        settings, origin = args.settings, args.origin

        for setting, value in zone_settings(settings).items():
            cloudflare.ZoneSetting(
                f"{name}-{setting.replace('_', '-')}",
                zone_id=settings.zone,
                setting_id=setting,
                value=value,
                opts=self.child(),
            )
        cloudflare.DnsRecord(
            name,
            zone_id=settings.zone,
            name=settings.hostname,
            type="A",
            content=origin.address,
            proxied=True,  # the origin's address stays unknown, and every rule below applies
            ttl=1,  # automatic: the only value a proxied record may have
            opts=self.child(),
        )
        cloudflare.DnsRecord(
            f"{name}-certificate",
            zone_id=settings.zone,
            name=origin.challenge.name,
            type=origin.challenge.type,
            content=origin.challenge.content,
            proxied=False,  # Google must see the record itself
            ttl=300,
            opts=self.child(),
        )
        cloudflare.Ruleset(
            f"{name}-cache",
            zone_id=settings.zone,
            name="Cache what is public",
            kind="zone",
            phase="http_request_cache_settings",
            rules=[cache_rule(ref, path) for ref, path in settings.cache.items()],
            opts=self.child(),
        )
        cloudflare.Ruleset(
            f"{name}-rates",
            zone_id=settings.zone,
            name="Requests an address may send",
            kind="zone",
            phase="http_ratelimit",
            rules=[rate_rule(ref, rule) for ref, rule in settings.rates.items()],
            opts=self.child(),
        )
        self.url = settings.url
        self.register_outputs({"url": self.url})


def zone_settings(settings: EdgeSettings) -> dict[str, Any]:
    """Zone settings by id, as Cloudflare names them."""
    return {
        "ssl": "strict",  # the origin's certificate is checked: nobody can stand between edge and origin
        "min_tls_version": "1.2",  # older versions have known breaks
        "tls_1_3": "on",
        "always_use_https": "on",  # a plain request is answered with a redirect, never with content
        "automatic_https_rewrites": "on",
        "http3": "on",
        "brotli": "on",
        "security_header": {
            "strict_transport_security": {
                "enabled": settings.hsts_seconds
                > 0,  # a browser that came once never speaks plain HTTP again
                "max_age": settings.hsts_seconds,
                "include_subdomains": True,
                "nosniff": True,
                "preload": False,
            }
        },
    }


def below(path: str) -> str:
    """Rule expression for everything below a path prefix."""
    return f'starts_with(http.request.uri.path, "{path}")'


def cache_rule(ref: str, path: str) -> cloudflare.RulesetRuleArgsDict:
    """Keep answers below a path as long as they say themselves; what says nothing is not kept.

    An answer to a signed link must not outlive the signature: only the service knows when that ends. The
    stable ref keeps the rule's identity when others come and go.
    """
    return {
        "ref": ref,
        "description": f"Keep {path}",
        "expression": below(path),
        "action": "set_cache_settings",
        "action_parameters": {
            "cache": True,
            "edge_ttl": {"mode": "bypass_by_default"},
            "browser_ttl": {"mode": "respect_origin"},
            # A stale picture beats an error while the origin is asked again.
            "serve_stale": {"disable_stale_while_updating": False},
        },
    }


def rate_rule(ref: str, rule: RateRule) -> cloudflare.RulesetRuleArgsDict:
    """Refuse an address for a while when it sends more than its share below a path."""
    return {
        "ref": ref,
        "description": f"At most {rule.requests} in {rule.period_seconds} s below {rule.path}",
        "expression": below(rule.path),
        "action": "block",
        "ratelimit": {
            "characteristics": [
                "ip.src",
                "cf.colo.id",
            ],  # counted in each data centre, as Cloudflare requires
            "period": rule.period_seconds,
            "requests_per_period": rule.requests,
            "mitigation_timeout": rule.block_seconds,
        },
    }
