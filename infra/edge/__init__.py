"""The Cloudflare zone in front of the gateway: the third cache layer and the firewall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_cloudflare as cloudflare

from infra.component import Component, Environment
from infra.edge.cache import EdgeCache, EdgeCacheArgs
from infra.edge.load_balancer import EdgeBalancer, EdgeBalancerArgs
from infra.edge.origin import Origin
from infra.edge.rulesets import EdgeRules, EdgeRulesArgs
from infra.settings.platform import EdgeSettings
from infra.settings.service import WorkloadSettings
from infra.settings.shutdown_timing import Termination

# Certificate authorities for the host name: Google for the gateway and the edge, two more for Cloudflare's
# edge.
AUTHORITIES = ("pki.goog", "letsencrypt.org", "ssl.com")


@dataclass(frozen=True, slots=True)
class EdgeArgs:
    """The environment, the origin, the zone's settings, the workload's settings, and the paging address."""

    environment: Environment
    origin: Origin
    settings: EdgeSettings
    workload: WorkloadSettings
    page: str


class Edge(Component):
    """Zone settings, DNS, rules, cache and the load balancer over origins."""

    def __init__(self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:edge:Edge", name, opts)
        settings = args.settings
        declared: dict[str, pulumi.Resource] = {}
        for setting, value in zone_settings(settings).items():
            first = [declared["polish"]] if setting == "webp" else []
            declared[setting] = cloudflare.ZoneSetting(
                f"{name}-{setting.replace('_', '-')}",
                zone_id=settings.zone,
                setting_id=setting,
                value=value,
                opts=self.child(depends_on=first),
            )
        # Rules match the normalized path, as the service does, so `/v1/%2e%2e/` does not bypass them.
        cloudflare.UrlNormalizationSettings(
            name, zone_id=settings.zone, type="cloudflare", scope="both", opts=self.child()
        )
        # Connections to the origin carry Cloudflare's client certificate.
        cloudflare.AuthenticatedOriginPullsSettings(
            name, zone_id=settings.zone, enabled=True, opts=self.child()
        )
        self._names(args)
        EdgeRules(f"{name}-rules", EdgeRulesArgs(settings), self.child())
        EdgeCache(f"{name}-cache", EdgeCacheArgs(settings), self.child())
        EdgeBalancer(
            f"{name}-balancer",
            EdgeBalancerArgs(
                args.environment,
                args.origin.address,
                settings,
                args.workload.affinity_seconds,
                Termination.of(args.workload),
                args.page,
            ),
            self.child(),
        )
        self.url = settings.url
        self.register_outputs({"url": self.url, "plan": settings.plan.value})

    def _names(self, args: EdgeArgs) -> None:
        settings, origin = args.settings, args.origin
        # The load balancer of the same name takes precedence; this record is used when it is disabled.
        cloudflare.DnsRecord(
            self.name,
            zone_id=settings.zone,
            name=settings.hostname,
            type="A",
            content=origin.address,
            proxied=True,  # the origin's address is not published, and every rule applies
            ttl=1,  # automatic: the only value that a proxied record accepts
            opts=self.child(),
        )
        cloudflare.DnsRecord(
            f"{self.name}-certificate",
            zone_id=settings.zone,
            name=origin.challenge.name,
            type=origin.challenge.type,
            content=origin.challenge.content,
            proxied=False,  # Google must resolve the record itself
            ttl=300,
            opts=self.child(),
        )
        for authority in AUTHORITIES:
            # Other certificate authorities must refuse to issue a certificate for the name.
            cloudflare.DnsRecord(
                f"{self.name}-issuer-{authority.replace('.', '-')}",
                zone_id=settings.zone,
                name=settings.hostname,
                type="CAA",
                data={"flags": 0, "tag": "issue", "value": authority},
                ttl=3600,
                opts=self.child(),
            )
        # DNSSEC: a resolver detects a forged address. Cloudflare reports `pending` until the registrar has
        # the DS record; that is not a change to apply.
        cloudflare.ZoneDnssec(
            self.name, zone_id=settings.zone, status="active", opts=self.child(ignore_changes=["status"])
        )


def zone_settings(settings: EdgeSettings) -> dict[str, Any]:
    """Zone settings by id, as Cloudflare names them.

    `polish` precedes `webp`, which Cloudflare refuses without it (error 1020).
    """
    return {
        # The origin's certificate is verified, so traffic to the origin cannot be intercepted.
        "ssl": "strict",
        "min_tls_version": "1.2",  # older versions have known vulnerabilities
        "tls_1_3": "on",  # forward secrecy for clients that support it
        "0rtt": "off",  # early data can be replayed, so a POST could be processed twice
        "always_use_https": "on",  # a plain HTTP request gets a redirect, never content
        "automatic_https_rewrites": "on",  # images of a page are fetched over TLS
        "opportunistic_encryption": "on",
        "http3": "on",
        "brotli": "on",
        "websockets": "off",  # not used; open connections are not rate limited
        "browser_check": "on",  # blocks requests with headers that browsers and apps do not send
        "email_obfuscation": "off",  # it rewrites response bodies, which breaks an API
        # Images lose their metadata (location included) and are recompressed without loss.
        "polish": "lossless" if settings.image_formats else "off",
        "webp": "on" if "webp" in settings.image_formats else "off",
        "security_header": {
            "strict_transport_security": {
                # Browsers use HTTPS only, after their first visit.
                "enabled": settings.hsts_seconds > 0,
                "max_age": settings.hsts_seconds,
                "include_subdomains": True,  # cookies cannot be read through an unencrypted subdomain
                "nosniff": True,  # an upload is not interpreted as a script
                "preload": False,
            }
        },
    }
