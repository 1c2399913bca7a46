"""The gateway's static address, its certificate and its Cloud Armor policy."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import certificatemanager, compute

from infra.component import Component, Environment
from infra.edge.address_ranges import CLOUDFLARE

MAX_BODY_BYTES = 26 * 1024 * 1024
CLIENT_REQUESTS = 6_000  # per minute and address; the service allows 1,200
RANGES = 10  # maximum number of address ranges in one rule of Cloud Armor


@dataclass(frozen=True, slots=True)
class OriginArgs:
    """The environment and the host name of the certificate."""

    environment: Environment
    hostname: str


@dataclass(frozen=True, slots=True)
class Challenge:
    """The DNS record that proves control of the host name to Google."""

    name: pulumi.Output[str]
    type: pulumi.Output[str]
    content: pulumi.Output[str]


class Origin(Component):
    """Global address and a Google-managed certificate.

    The certificate is validated over DNS, so it exists before traffic arrives.
    """

    def __init__(self, name: str, args: OriginArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:edge:Origin", name, opts)
        labels = args.environment.label("origin")
        address = compute.GlobalAddress(
            name,
            name="kingdom-gateway",
            address_type="EXTERNAL",
            labels=labels,
            opts=self.child(protect=args.environment.protect),
        )
        proof = certificatemanager.DnsAuthorization(
            name, name="kingdom", domain=args.hostname, labels=labels, opts=self.child()
        )
        certificate = certificatemanager.Certificate(
            name,
            name="kingdom",
            managed={"domains": [args.hostname], "dns_authorizations": [proof.id]},
            labels=labels,
            opts=self.child(),
        )
        certificates = certificatemanager.CertificateMap(
            name, name="kingdom", labels=labels, opts=self.child()
        )
        certificatemanager.CertificateMapEntry(
            name,
            name="kingdom",
            map=certificates.name,
            certificates=[certificate.id],
            hostname=args.hostname,
            labels=labels,
            opts=self.child(),
        )
        tls = compute.SSLPolicy(
            name,
            name="kingdom",
            # Cloudflare uses TLS 1.3; clients with older versions bypass the edge.
            min_tls_version="TLS_1_2",
            profile="RESTRICTED",  # forward secrecy and authenticated encryption only
            opts=self.child(),
        )
        self.security_policy = self._security_policy(name, labels)
        record = proof.dns_resource_records[0]
        self.address = address.address
        self.address_name = address.name
        self.tls_policy = tls.name
        self.certificate_map = certificates.name
        self.challenge = Challenge(
            record.name.apply(without_dot), record.type.apply(str), record.data.apply(without_dot)
        )
        self.register_outputs({"address": self.address})

    def _security_policy(self, name: str, labels: dict[str, str]) -> pulumi.Output[str]:
        """Create the Cloud Armor policy that admits Cloudflare only: direct requests get 403."""
        batches = [CLOUDFLARE[start : start + RANGES] for start in range(0, len(CLOUDFLARE), RANGES)]
        return compute.SecurityPolicy(
            name,
            name="kingdom-edge-only",
            type="CLOUD_ARMOR",
            description="Allow only Cloudflare to reach the origin",
            rules=[
                {
                    # Evaluated before requests of the edge are admitted: Log4Shell and variants
                    # (CVE-2021-44228), in case a dependency logs with Java while the edge's own rules are
                    # off.
                    "action": "deny(403)",
                    "priority": 500,
                    "description": "Deny Log4Shell (JNDI lookup) payloads",
                    "match": {"expr": {"expression": "evaluatePreconfiguredWaf('cve-canary')"}},
                },
                {
                    # The largest upload of any plan is 25 MiB: a longer body is rejected before it is read.
                    # Cloud Armor can deny with 403, 404 or 502, not with 413.
                    "action": "deny(403)",
                    "priority": 600,
                    "description": "Deny bodies larger than the largest upload",
                    "match": {
                        "expr": {
                            "expression": "has(request.headers['content-length']) && "
                            f"int(request.headers['content-length']) > {MAX_BODY_BYTES}"
                        }
                    },
                },
                *(
                    {
                        # Higher than the edge's limits: one client cannot use all connections to the
                        # replicas, even while the edge's limits are off.
                        "action": "throttle",
                        "rate_limit_options": {
                            "conform_action": "allow",
                            "exceed_action": "deny(429)",
                            "enforce_on_key": "HTTP_HEADER",
                            "enforce_on_key_name": "CF-Connecting-IP",
                            "rate_limit_threshold": {"count": CLIENT_REQUESTS, "interval_sec": 60},
                        },
                        "priority": 1000 + number,
                        "description": f"Cloudflare, part {number + 1}",
                        "match": {"versioned_expr": "SRC_IPS_V1", "config": {"src_ip_ranges": list(batch)}},
                    }
                    for number, batch in enumerate(batches)
                ),
                {
                    "action": "deny(403)",
                    "priority": 2_147_483_647,
                    "description": "Default deny",
                    "match": {"versioned_expr": "SRC_IPS_V1", "config": {"src_ip_ranges": ["*"]}},
                },
            ],
            # JSON bodies are inspected too, and the log of a denied request names the rule.
            advanced_options_config={"json_parsing": "STANDARD", "log_level": "VERBOSE"},
            labels=labels,
            opts=self.child(),
        ).name


def without_dot(name: str) -> str:
    """Return a host name without its trailing dot.

    Google writes names with one and Cloudflare stores them without, so that every update would change the
    record again (terraform-provider-cloudflare#7286).
    """
    return name.removesuffix(".")
