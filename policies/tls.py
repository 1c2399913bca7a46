"""TLS: every connection of the platform is encrypted and checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pulumi_policy import Severity

from policies.nodes import Finding
from policies.rules import Settings, rule
from policies.stack import Resource, objects_of

_TAGS: Final = ("SOC2:CC6.7", "SEC1")


@rule(
    "tls-redis",
    "Sessions and cached answers do not cross the network in the clear, and Redis asks for a password.",
    types=r"gcp:(redis|memorystore)/\w+:(Instance|Cluster)",
    steps="Set transitEncryptionMode to SERVER_AUTHENTICATION and authEnabled to true.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def redis(resource: Resource, _: Settings) -> Iterator[Finding]:
    node = resource.node
    mode = node["transitEncryptionMode"]
    if mode.unlike("SERVER_AUTHENTICATION", "TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION"):
        yield mode.finding("must be SERVER_AUTHENTICATION: without it Redis speaks plain text")
    if resource.type == "gcp:redis/instance:Instance":
        if node["authEnabled"].unlike(True):
            yield node["authEnabled"].finding("must be true: without it any pod can read every session")
    elif node["authorizationMode"].unlike("IAM_AUTH", "AUTH_MODE_IAM_AUTH"):
        yield node["authorizationMode"].finding("must be IAM_AUTH")


@rule(
    "tls-atlas",
    "The database refuses protocol versions with known breaks.",
    types=r"mongodbatlas:index/(advancedCluster:AdvancedCluster|cluster:Cluster)",
    steps="Set advancedConfiguration.minimumEnabledTlsProtocol to TLS1_2 or TLS1_3.",
    severity=Severity.HIGH,
    tags=_TAGS,
)
def atlas(resource: Resource, _: Settings) -> Iterator[Finding]:
    protocol = resource.node.at("advancedConfiguration", "minimumEnabledTlsProtocol")
    if protocol.unlike("TLS1_2", "TLS1_3"):
        yield protocol.finding("must be TLS1_2 or TLS1_3")


@rule(
    "tls-gateway",
    "Every listener of a gateway ends TLS; none hands out content in the clear.",
    types=r"kubernetes:gateway\.networking\.k8s\.io/\w+:Gateway",
    steps="Use protocol HTTPS with a certificate on each listener; the edge redirects port 80.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def gateway(resource: Resource, _: Settings) -> Iterator[Finding]:
    for item in objects_of(resource):
        for listener in item.node.at("spec", "listeners").items():
            if listener["protocol"].unlike("HTTPS", "TLS"):
                yield listener["protocol"].finding("must be HTTPS")
            elif listener.at("tls", "mode").unlike(None, "Terminate"):
                continue  # passed through: the service behind ends TLS
            elif (
                not listener.at("tls", "certificateRefs").present
                and not listener.at("tls", "options").present
            ):
                yield listener.at("tls", "certificateRefs").finding("the listener names no certificate")


_EDGE: Final = {
    "ssl": (("strict",), "must be strict: anything less trusts any certificate of the origin, or none"),
    "min_tls_version": (("1.2", "1.3"), "must be 1.2 or 1.3"),
    "tls_1_3": (("on", "zrt"), "must be on"),
    "always_use_https": (("on",), "must be on, so that plain requests are redirected"),
    "automatic_https_rewrites": (("on",), "must be on"),
}


@rule(
    "tls-edge-setting",
    "The edge talks modern TLS to visitors and checks the origin's certificate.",
    types=r"cloudflare:index/zoneSetting:ZoneSetting",
    steps="Set ssl to strict, min_tls_version to 1.2 or later, tls_1_3 and always_use_https to on.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def edge_setting(resource: Resource, _: Settings) -> Iterator[Finding]:
    setting = resource.node["settingId"]
    allowed, reason = _EDGE.get(setting.text(), ((), ""))
    if allowed and resource.node["value"].unlike(*allowed):
        yield resource.node["value"].finding(f"{setting.raw} {reason}")
