"""TLS: every connection of the platform is encrypted and checked."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from pulumi_policy import Severity

from policies.model.pods import POD_TYPES, pod_templates
from policies.model.property_tree import Finding, Node
from policies.model.stack import Resource, Stack, objects_of
from policies.pack.rule import Settings, rule, stack_rule

_TAGS: Final = ("SOC2:CC6.7", "SEC1")


@rule(
    "tls-redis",
    "Sessions and cached answers do not cross the network in the clear, and Redis asks who is there.",
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
        # GKE takes certificates from a map named on the gateway, too.
        mapped = item.node.at("metadata", "annotations", "networking.gke.io/certmap")
        for listener in item.node.at("spec", "listeners").items():
            if listener["protocol"].unlike("HTTPS", "TLS"):
                yield listener["protocol"].finding("must be HTTPS")
            elif listener.at("tls", "mode").like(None, "Terminate"):
                named = listener.at("tls", "certificateRefs")
                if (
                    named.like(None, [])
                    and listener.at("tls", "options").like(None, {})
                    and mapped.like(None)
                ):
                    yield named.finding("the listener names no certificate")


@rule(
    "tls-ingress",
    "Every host of an Ingress ends TLS, and plain HTTP is off.",
    types=r"kubernetes:networking\.k8s\.io/\w+:Ingress",
    steps='Name a certificate in spec.tls; set the annotation kubernetes.io/ingress.allow-http to "false".',
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def ingress(resource: Resource, _: Settings) -> Iterator[Finding]:
    for item in objects_of(resource):
        annotations = item.node.at("metadata", "annotations")
        tls = item.node.at("spec", "tls")
        managed = any("certificate" in key or "pre-shared-cert" in key for key, _ in annotations.entries())
        if tls.known() and not list(tls.items()) and not managed:
            yield tls.finding("names no certificate")
        on_gke = annotations["kubernetes.io/ingress.class"].text().startswith("gce") or item.node.at(
            "spec", "ingressClassName"
        ).text().startswith("gce")
        plain = annotations["kubernetes.io/ingress.allow-http"]
        if on_gke and plain.unlike("false"):
            yield plain.finding('must be "false"')


_EDGE: Final = {
    "ssl": (("strict",), "must be strict: anything less trusts any certificate of the origin, or none"),
    "min_tls_version": (("1.2", "1.3"), "must be 1.2 or 1.3"),
    "tls_1_3": (("on", "zrt"), "must be on"),
    "always_use_https": (("on",), "must be on, so that plain requests are redirected"),
    "automatic_https_rewrites": (("on",), "must be on"),
}
_EDGE_NEEDED: Final = ("ssl", "min_tls_version", "always_use_https", "security_header")


@rule(
    "tls-edge-setting",
    "The edge talks modern TLS to visitors and checks the origin's certificate.",
    types=r"cloudflare:index/(zoneSetting:ZoneSetting|ruleset:Ruleset|pageRule:PageRule)",
    steps="Set ssl to strict, min_tls_version to 1.2 or later, tls_1_3 and always_use_https to on.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def edge_setting(resource: Resource, _: Settings) -> Iterator[Finding]:
    setting = resource.node["settingId"]
    allowed, reason = _EDGE.get(setting.text(), ((), ""))
    if allowed and resource.node["value"].unlike(*allowed):
        yield resource.node["value"].finding(f"{setting.raw} {reason}")
    # A rule may take back for some requests what the zone says for all.
    rules = [entry["actionParameters"] for entry in resource.node["rules"].items()]
    for parameters in (*rules, resource.node["actions"]):
        if parameters["ssl"].unlike(None, "strict"):
            yield parameters["ssl"].finding(f"ssl {_EDGE['ssl'][1]}")
        for key in ("automaticHttpsRewrites", "alwaysUseHttps"):
            if parameters[key].like(False, "off"):
                yield parameters[key].finding("must be on")


@rule(
    "tls-hsts",
    "A browser that came once never speaks plain HTTP again.",
    types=r"cloudflare:index/zoneSetting:ZoneSetting",
    steps="Enable strict_transport_security with a max_age of at least the configured days.",
    severity=Severity.HIGH,
    tags=_TAGS,
    settings={
        "days": {"type": "integer", "default": 180, "minimum": 0, "description": "Shortest max_age, in days."}
    },
)
def hsts(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if not resource.node["settingId"].like("security_header"):
        return
    value = resource.node["value"]
    header = value["strict_transport_security"]
    if not header.present:
        header = value["strictTransportSecurity"]
    if header["enabled"].unlike(True):
        yield header["enabled"].finding("must be true")
    age = header["max_age"] if header["max_age"].present else header["maxAge"]
    if age.known() and age.number() < settings["days"] * 86400:
        yield age.finding(f"{int(age.number())} seconds is less than {int(settings['days'])} days")


@stack_rule(
    "tls-edge",
    "No zone is left at Cloudflare's defaults, which accept TLS 1.0 and any certificate of the origin.",
    steps="Declare a ZoneSetting for each of " + ", ".join(_EDGE_NEEDED) + " in the zone.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def edge(stack: Stack, _: Settings) -> Iterator[Finding]:
    settings: dict[str, set[str]] = {}
    for resource in stack.of_type("cloudflare:index/zoneSetting:ZoneSetting"):
        if resource.node["settingId"].known():
            settings.setdefault(resource.node["zoneId"].text(), set()).add(resource.node["settingId"].text())
        else:
            settings[""] = set()  # it may set anything in any zone
    seen: set[str] = set()
    # In an order of their own, so that the same resource is named whichever was made first.
    for resource in (
        *sorted(stack.of_type("cloudflare:index/loadBalancer:LoadBalancer"), key=lambda item: item.urn),
        *sorted(stack.of_type("cloudflare:index/dnsRecord:DnsRecord"), key=lambda item: item.urn),
    ):
        zone = resource.node["zoneId"]
        if not zone.known() or zone.text() in seen:
            continue
        seen.add(zone.text())
        missing = [name for name in _EDGE_NEEDED if name not in settings.get(zone.text(), set())]
        if missing and "" not in settings:
            yield zone.finding(f"the zone sets no {', '.join(missing)}")


@stack_rule(
    "tls-gateway-policy",
    "The load balancer refuses old protocol versions and weak ciphers: gateways name a modern SSL policy.",
    steps="Target it with a GCPGatewayPolicy whose sslPolicy has profile MODERN and at least TLS_1_2.",
    severity=Severity.HIGH,
    tags=_TAGS,
    house=True,
)
def gateway_policy(stack: Stack, _: Settings) -> Iterator[Finding]:
    for resource in stack.of_type(
        "gcp:compute/sSLPolicy:SSLPolicy", "gcp:compute/regionSslPolicy:RegionSslPolicy"
    ):
        if resource.node["minTlsVersion"].unlike("TLS_1_2", "TLS_1_3"):
            yield resource.node["minTlsVersion"].finding("must be TLS_1_2 or TLS_1_3")
        if resource.node["profile"].unlike("MODERN", "RESTRICTED", "CUSTOM"):
            yield resource.node["profile"].finding("must be MODERN or RESTRICTED")
    policies: dict[tuple[str, str], Node] = {}
    for item in stack.of_kind("GCPGatewayPolicy"):
        if not item.node.at("spec", "targetRef", "name").known():
            return
        target = item.node.at("spec", "targetRef", "name").text()
        policies[(item.namespace, target)] = item.node.at("spec", "default", "sslPolicy")
    # What is not known by name yet may be the policy that is missed, or the gateway that has it.
    if [item for item in stack.of_kind("GCPGatewayPolicy", "Gateway") if not item.identified]:
        return
    for item in stack.of_kind("Gateway"):
        if not item.node.at("spec", "gatewayClassName").text().startswith("gke-l7"):
            continue
        policy = policies.get((item.namespace, item.name))
        if policy is None or not policy.present:
            yield item.node.finding(f"no GCPGatewayPolicy gives {item.label} an SSL policy")


@rule(
    "tls-load-balancer",
    "The edge's health checks and origins speak TLS, and check whom they speak to.",
    types=r"cloudflare:index/loadBalancerMonitor:LoadBalancerMonitor",
    steps="Set type to https and allowInsecure to false.",
    severity=Severity.HIGH,
    tags=_TAGS,
)
def monitors(resource: Resource, _: Settings) -> Iterator[Finding]:
    if resource.node["type"].like("http", None):
        yield resource.node["type"].finding("must be https")
    if resource.node["allowInsecure"].unlike(None, False):
        yield resource.node["allowInsecure"].finding("must be false")


@rule(
    "tls-uptime-check",
    "Uptime checks see what visitors see: TLS, with a certificate that is valid.",
    types=r"gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig",
    steps="Set httpCheck.useSsl and httpCheck.validateSsl to true.",
    severity=Severity.MEDIUM,
    tags=_TAGS,
)
def uptime_check(resource: Resource, _: Settings) -> Iterator[Finding]:
    check = resource.node["httpCheck"]
    for key in ("useSsl", "validateSsl"):
        if check.present and check[key].unlike(True):
            yield check[key].finding("must be true")


@rule(
    "tls-bucket-origins",
    "Only pages that came over TLS may talk to a bucket.",
    types=r"gcp:storage/bucket:Bucket",
    steps="List only https origins in cors.",
    severity=Severity.MEDIUM,
    tags=_TAGS,
)
def bucket_origins(resource: Resource, _: Settings) -> Iterator[Finding]:
    for entry in resource.node["cors"].items():
        for origin in entry["origins"].items():
            if origin.known() and not str(origin.raw).startswith(("https://", "http://localhost")):
                yield origin.finding(f"{origin.raw!r} is no https origin")


_URL: Final = re.compile(r"\b([a-z][a-z0-9+.-]*)://[^\s\"'<>]+", re.IGNORECASE)
_PLAIN: Final = frozenset(
    {
        "http",
        "ws",
        "redis",
        "amqp",
        "mqtt",
        "ldap",
        "ftp",
        "smtp",
        "imap",
        "pop3",
        "nats",
        "stomp",
        "tcp",
        "grpc",
    }
)
_NEEDS_OPTION: Final = frozenset(
    {"mongodb", "postgres", "postgresql", "mysql", "mariadb", "kafka", "memcached"}
)
_OPTIONS: Final = frozenset(
    {
        ("tls", "true"), ("ssl", "true"), ("sslmode", "require"), ("sslmode", "verify-ca"),
        ("sslmode", "verify-full"), ("ssl_mode", "required"), ("ssl-mode", "required"),
        ("security.protocol", "ssl"),
    }
)  # fmt: skip
# Options that keep TLS but switch its checks off.
_UNCHECKED: Final = frozenset(
    {
        ("tlsinsecure", "true"), ("tlsallowinvalidcertificates", "true"),
        ("tlsallowinvalidhostnames", "true"), ("ssl_cert_reqs", "none"), ("sslmode", "disable"),
        ("sslmode", "allow"), ("sslmode", "prefer"), ("tls", "false"), ("ssl", "false"),
        ("verify", "false"), ("insecure", "true"),
    }
)  # fmt: skip


# Hosts that are this machine, and those whose URLs only name a vocabulary.
_HERE: Final = (
    *("localhost", "127.0.0.1", "::1", "0.0.0.0"),  # noqa: S104 (compared with, not bound to)
    *("metadata.google.internal", "169.254.169.254"),
)
_NAMES: Final = ("www.w3.org", "json-schema.org", "schemas.xmlsoap.org")


def weakness(url: str, allowed: tuple[str, ...] = ()) -> str | None:
    """Why a URL's connection is not protected; None when it is, or when its host is allowed."""
    scheme, _, rest = url.partition("://")
    query = {
        (key.lower(), value.lower()) for key, value in parse_qsl(rest.partition("#")[0].partition("?")[2])
    }
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""  # a placeholder, such as [host]
    if host in (*_HERE, *_NAMES, *allowed):
        return None
    scheme = scheme.lower()
    if scheme not in ("mongodb+srv", "http+unix"):
        scheme = scheme.partition("+")[0]  # the driver after it says nothing of the connection
    off = query & _UNCHECKED
    if off:
        key, value = min(off)
        return f"{key}={value} gives up the protection of TLS"
    if scheme in _PLAIN:
        return f"{scheme}:// sends everything in the clear"
    if scheme in _NEEDS_OPTION and not query & _OPTIONS:
        return f"{scheme}:// without a TLS option sends everything in the clear"
    return None


@rule(
    "tls-urls",
    "The service is never told to speak in the clear: URLs in its environment and configuration use TLS.",
    types=POD_TYPES + r"|kubernetes:core/v1:(ConfigMap|Secret)",
    steps="Use the TLS scheme (https, rediss, mongodb+srv, tls=true); allow a host only when it has no TLS.",
    severity=Severity.HIGH,
    tags=_TAGS,
    settings={
        "hosts": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Hosts that may be spoken to in the clear.",
        }
    },
)
def urls(resource: Resource, settings: Settings) -> Iterator[Finding]:
    allowed = tuple(settings["hosts"])
    for item in objects_of(resource):
        if item.kind in ("ConfigMap", "Secret"):
            for part in ("data", "stringData"):
                encoded = item.kind == "Secret" and part == "data"
                for _, value in item.node[part].entries():
                    yield from _weak(value, allowed, _decoded(value.raw) if encoded else None)
    for pod in pod_templates(resource):
        for container in pod.containers():
            for variable in container["env"].items():
                if variable["value"].present:
                    yield from _weak(variable["value"], allowed)
            for part in ("command", "args"):
                for argument in container[part].items():
                    yield from _weak(argument, allowed)


def _decoded(text: object) -> str | None:
    """What a Secret's `data` holds, where that is text."""
    try:
        return base64.b64decode(text, validate=True).decode() if isinstance(text, str) else None
    except ValueError:
        return None


def _weak(node: Node, allowed: tuple[str, ...], text: str | None = None) -> Iterator[Finding]:
    """Findings at `node` for the URLs in `text`, or else in the value itself."""
    if not node.known() or not isinstance(node.raw, str):
        return
    for match in _URL.finditer(node.raw if text is None else text):
        reason = weakness(match.group(0), allowed)
        if reason is not None:
            yield node.finding(reason)
