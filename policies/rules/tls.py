"""TLS: connections are encrypted, and certificates are verified."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Final

from pulumi_policy import Severity

from policies.model.connection_urls import lines_of, urls_in, weakness
from policies.model.pods import DOCUMENTATION, POD_TYPES, pod_templates
from policies.model.property_tree import Finding, Node
from policies.model.stack import Object, Resource, Stack, objects_of
from policies.pack.rule import Settings, rule

CONCERN: Final = "tls"
_TAGS: Final = ("SOC2:CC6.7", "SEC1")


@rule(
    "tls-redis",
    "Redis must use in-transit encryption and AUTH. "
    "Sessions and cached responses cross the network in plain text otherwise.",
    concern=CONCERN,
    types=r"gcp:(redis|memorystore)/\w+:(Instance|Cluster)",
    remediation="Set transitEncryptionMode to SERVER_AUTHENTICATION and authEnabled to true.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def redis(resource: Resource, _: Settings) -> Iterator[Finding]:
    node = resource.node
    mode = node["transitEncryptionMode"]
    if mode.is_not_one_of("SERVER_AUTHENTICATION", "TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION"):
        yield mode.finding("must be SERVER_AUTHENTICATION, or connections are not encrypted")
    if resource.type == "gcp:redis/instance:Instance":
        if node["authEnabled"].is_not_one_of(True):
            yield node["authEnabled"].finding("must be true, or any pod can read every session")
    elif node["authorizationMode"].is_not_one_of("IAM_AUTH", "AUTH_MODE_IAM_AUTH"):
        yield node["authorizationMode"].finding("must be IAM_AUTH")


@rule(
    "tls-atlas",
    "The database must require TLS 1.2 or later. Earlier versions have known attacks.",
    concern=CONCERN,
    types=r"mongodbatlas:index/(advancedCluster:AdvancedCluster|cluster:Cluster)",
    remediation="Set advancedConfiguration.minimumEnabledTlsProtocol to TLS1_2 or TLS1_3.",
    severity=Severity.HIGH,
    tags=_TAGS,
)
def atlas(resource: Resource, _: Settings) -> Iterator[Finding]:
    protocol = resource.node.at("advancedConfiguration", "minimumEnabledTlsProtocol")
    if protocol.is_not_one_of("TLS1_2", "TLS1_3"):
        yield protocol.finding("must be TLS1_2 or TLS1_3")


@rule(
    "tls-gateway",
    "Every listener of a Gateway must terminate TLS, or redirect to HTTPS. "
    "Content is served over plain HTTP otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation=(
        "Use protocol HTTPS with a certificate on each listener; on port 80, attach only redirects to HTTPS."
    ),
    severity=Severity.CRITICAL,
    tags=_TAGS,
    url="https://gateway-api.sigs.k8s.io/guides/http-redirect-rewrite/",
)
def gateway(stack: Stack, _: Settings) -> Iterator[Finding]:
    routes: dict[tuple[str, str], list[tuple[Object, Node]]] = {}
    for route in stack.of_kind("HTTPRoute", "GRPCRoute"):
        for parent in route.node.at("spec", "parentRefs").items():
            key = parent["namespace"].text() or route.namespace, parent["name"].text()
            routes.setdefault(key, []).append((route, parent))
    for item in stack.of_kind("Gateway"):
        if item.group != "gateway.networking.k8s.io":
            continue
        # GKE also takes certificates from a map that an annotation of the gateway names.
        mapped = item.node.at("metadata", "annotations", "networking.gke.io/certmap")
        for listener in item.node.at("spec", "listeners").items():
            if listener["protocol"].is_one_of(_MUTUAL_TLS):
                continue
            if listener["protocol"].is_not_one_of("HTTPS", "TLS"):
                attached = routes.get((item.namespace, item.name), ())
                with item.node.track_unknowns() as unknown:
                    redirects = listener["protocol"].is_one_of("HTTP") and _only_redirects(listener, attached)
                if not redirects and not unknown:
                    yield listener["protocol"].finding(
                        _WITHOUT_TLS.get(listener["protocol"].text(), _NO_HTTPS)
                    )
            elif listener.at("tls", "mode").is_one_of(None, "Terminate"):
                named = listener.at("tls", "certificateRefs")
                if (
                    named.is_one_of(None, [])
                    and listener.at("tls", "options").is_one_of(None, {})
                    and mapped.is_one_of(None)
                ):
                    yield named.finding("the listener names no certificate")


_NO_HTTPS: Final = "must be HTTPS"
_WITHOUT_TLS: Final = {
    name: f"{name} is not encrypted by the gateway: use TLS, or HTTPS" for name in ("TCP", "UDP")
}
# The protocol of Istio's waypoints: HTTP CONNECT over mutual TLS, with certificates of the mesh
# (https://istio.io/latest/docs/ambient/architecture/hbone/).
_MUTUAL_TLS: Final = "HBONE"


def _only_redirects(listener: Node, attached: Iterable[tuple[Object, Node]]) -> bool:
    """Whether all routes of a listener, at least one, only redirect to HTTPS."""
    own = [
        route
        for route, parent in attached
        if parent["sectionName"].is_one_of(None, listener["name"].raw)
        and parent["port"].is_one_of(None, listener["port"].raw)
    ]
    return bool(own) and all(_is_redirect(route) for route in own)


def _is_redirect(route: Object) -> bool:
    rules = list(route.node.at("spec", "rules").items())
    return bool(rules) and all(
        any(entry.at("requestRedirect", "scheme").is_one_of("https") for entry in found["filters"].items())
        for found in rules
    )


@rule(
    "tls-ingress",
    "Every host of an Ingress must terminate TLS, and plain HTTP must be off. "
    "Traffic can be read and changed on its way otherwise.",
    concern=CONCERN,
    types=r"kubernetes:(networking\.k8s\.io|extensions)/\w+:Ingress(List)?",
    remediation=(
        'Name a certificate in spec.tls; set the annotation kubernetes.io/ingress.allow-http to "false".'
    ),
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def ingress(resource: Resource, _: Settings) -> Iterator[Finding]:
    for item in objects_of(resource):
        if item.kind == "Ingress":
            annotations = item.node.at("metadata", "annotations")
            if annotations[_MERGEABLE].is_one_of("minion"):
                item.node.at("spec", "tls").mark_unevaluated(
                    "is not proven: the master of its host terminates TLS"
                )
            elif _is_of_class(item.node, _ALWAYS_TLS):
                continue
            elif not _tls_by_annotation(annotations):
                yield from _hosts_without_tls(item.node["spec"])
                yield from _alb_without_https(item.node["spec"], annotations)
            yield from _plain_http(item.node["spec"], annotations)
            if _is_of_class(item.node, "contour"):
                yield from _plain_http_of_contour(item.node["spec"], annotations)


# Tailscale's operator serves an Ingress only over HTTPS, under one name that it does not take from the rules
# (https://tailscale.com/docs/kubernetes-operator/reference/limitations).
_ALWAYS_TLS: Final = "tailscale"


def _is_of_class(node: Node, name: str) -> bool:
    """Whether an Ingress names a class; without one, its controller is unknown."""
    annotation = node.at("metadata", "annotations", "kubernetes.io/ingress.class")
    return any(found.is_one_of(name) for found in (annotation, node.at("spec", "ingressClassName")))


# Mergeable Ingresses of the NGINX Ingress Controller: minions have paths of a host, and their master has its
# certificate.
_MERGEABLE: Final = "nginx.org/mergeable-ingress-type"
# Annotations that name a certificate, or pass TLS through to the pods, for controllers that need no spec.tls.
_CERTIFICATES: Final = frozenset(
    {
        "alb.ingress.kubernetes.io/certificate-arn", "appgw.ingress.kubernetes.io/appgw-ssl-certificate",
        "haproxy.org/ssl-passthrough", "haproxy-ingress.github.io/ssl-passthrough",
        "ingress.gcp.kubernetes.io/pre-shared-cert", "ingress.kubernetes.io/ssl-passthrough",
        "networking.gke.io/managed-certificates", "networking.gke.io/pre-shared-certs",
        "nginx.ingress.kubernetes.io/ssl-passthrough", "route.openshift.io/termination",
        "service.beta.kubernetes.io/aws-load-balancer-ssl-cert", "traefik.ingress.kubernetes.io/router.tls",
        "traefik.ingress.kubernetes.io/router.tls.certresolver",
    }
)  # fmt: skip
_LISTEN_PORTS: Final = "alb.ingress.kubernetes.io/listen-ports"
_ENTRY_POINTS: Final = "traefik.ingress.kubernetes.io/router.entrypoints"
_FRONTEND: Final = "networking.gke.io/v1beta1.FrontendConfig"
# Annotations that control the redirect to HTTPS, by suffix after the controller's prefix.
_REDIRECTS: Final = frozenset({"ssl-redirect", "redirect-to-https", "https-redirect"})


def _tls_by_annotation(annotations: Node) -> bool:
    """Whether the controller gets a certificate without spec.tls; an unknown annotation counts as one."""
    if not annotations.known():
        return True
    for key, value in annotations.entries():
        if key in _CERTIFICATES and (not value.known() or value.raw not in ("", "false", None)):
            return True
    for key, value in annotations.entries():
        if key == _ENTRY_POINTS and "websecure" in _names(value):
            value.mark_unevaluated(
                "is not proven: TLS depends on the configuration of the entry point websecure"
            )
            return True
        # The load balancer of AWS finds certificates by host name.
        if key == _LISTEN_PORTS and (not value.known() or "HTTPS" in value.text()):
            return True
    return False


def _alb_without_https(spec: Node, annotations: Node) -> Iterator[Finding]:
    """Yield an entry of tls that the AWS Load Balancer Controller does not use.

    It looks for the certificates of its hosts only for a listener of HTTPS, and without a certificate-arn its
    listeners are [{"HTTP": 80}] (guide/ingress/cert_discovery and annotations.md#listen-ports of its
    documentation). Annotations of another Ingress of the same group may declare that listener.
    """
    named = (annotations["kubernetes.io/ingress.class"], spec["ingressClassName"])
    if not any(name.is_one_of("alb") for name in named) or annotations[_LISTEN_PORTS].present:
        return
    if not list(spec["tls"].items()):
        return  # already reported as an Ingress without a certificate
    if annotations["alb.ingress.kubernetes.io/group.name"].present:
        spec["tls"].mark_unevaluated(
            "is not proven: another Ingress of the group may add a listener of HTTPS"
        )
        return
    yield spec["tls"].finding(
        f"has no effect without {_LISTEN_PORTS} of HTTPS or a certificate-arn: plain HTTP is served"
    )


def _hosts_without_tls(spec: Node) -> Iterator[Finding]:
    tls = spec["tls"]
    if not tls.known():
        return
    entries = list(tls.items())
    if not entries:
        yield tls.finding("names no certificate: every host is served over plain HTTP")
        return
    covered: set[str] = set()
    for entry in entries:
        hosts = entry["hosts"]
        names = list(hosts.items())
        # An entry without hosts applies to every host.
        if not hosts.known() or not names or [name for name in names if not name.known()]:
            return
        covered |= {name.text().lower() for name in names}
    other = "serves hosts that are in no entry of tls over plain HTTP"
    for backend in (spec["defaultBackend"], spec["backend"]):
        if backend.present and backend.known() and "*" not in covered:
            yield backend.finding(other)
    for rule_ in spec["rules"].items():
        host = rule_["host"]
        if not host.known():
            continue
        if host.raw in (None, "") and "*" not in covered:
            yield rule_.finding(f"has no host, so it {other}")
        name = host.text().lower()
        wildcard = f"*.{name.partition('.')[2]}"
        if name and name not in covered and wildcard not in covered and "*" not in covered:
            yield host.finding(f"{host.raw} is in no entry of tls, so it is served over plain HTTP")


def _plain_http(spec: Node, annotations: Node) -> Iterator[Finding]:
    """Yield annotations that keep plain HTTP on, and on GKE the absence of the one that disables it."""
    named = (annotations["kubernetes.io/ingress.class"], spec["ingressClassName"])
    on_gke = any(name.text().startswith("gce") for name in named)
    elsewhere = not on_gke and any(name.present for name in named)
    plain = annotations["kubernetes.io/ingress.allow-http"]
    if on_gke and annotations[_FRONTEND].present and plain.is_not_one_of("false"):
        plain.mark_unevaluated("depends on the redirect of the FrontendConfig")
    elif on_gke and plain.is_not_one_of("false"):
        yield plain.finding('must be "false"')
    elif not elsewhere and plain.present and plain.is_not_one_of("false"):
        yield plain.finding('must be "false": it allows plain HTTP')
    forced = any(
        key.endswith("/force-ssl-redirect") and value.is_one_of("true", True)
        for key, value in annotations.entries()
    )
    for key, value in annotations.entries():
        name = key.rpartition("/")[2]
        if name in _REDIRECTS and value.is_one_of(*_FALSE, False) and not forced:
            yield value.finding('must not be "false": plain HTTP is then served without a redirect')
        elif key == _ENTRY_POINTS and value.known():
            if "web" in _names(value):
                yield value.finding("serves plain HTTP: it names the entry point web")
        elif key == "konghq.com/protocols" and value.known():
            redirected = annotations["konghq.com/https-redirect-status-code"].present
            if "http" in _names(value) and not redirected:
                yield value.finding("serves plain HTTP: it names the protocol http")
        elif key == _LISTEN_PORTS and value.known():
            redirected = any(
                other.endswith("/ssl-redirect") or _redirects(other, action)
                for other, action in annotations.entries()
            )
            if re.search(r'"HTTP"', value.text()) and not redirected:
                yield value.finding("serves plain HTTP: it names a port for HTTP and no ssl-redirect")


def _plain_http_of_contour(spec: Node, annotations: Node) -> Iterator[Finding]:
    """Yield the absence of the annotations without which Contour serves plain HTTP beside TLS.

    Source: ``HTTPAllowed`` and ``TLSRequired``, internal/annotation/annotations.go of Contour.
    """
    plain = annotations["kubernetes.io/ingress.allow-http"]
    forced = annotations["ingress.kubernetes.io/force-ssl-redirect"]
    if list(spec["tls"].items()) and plain.is_not_one_of("false") and forced.is_not_one_of("true"):
        yield plain.finding('must be "false", or ingress.kubernetes.io/force-ssl-redirect "true"')


# Values that Go parses as false (``strconv.ParseBool``).
_FALSE: Final = ("false", "False", "FALSE", "f", "F", "0")
_TO_HTTPS: Final = re.compile(r'"protocol"\s*:\s*"HTTPS"', re.IGNORECASE)


def _redirects(key: str, value: Node) -> bool:
    """Whether an annotation declares an action of the AWS load balancer that redirects to HTTPS."""
    return key.startswith("alb.ingress.kubernetes.io/actions.") and bool(_TO_HTTPS.search(value.text()))


def _names(value: Node) -> list[str]:
    """Return the items of a comma-separated text."""
    return value.text().replace(" ", "").split(",")


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
    "Edge settings must require modern TLS and verify the origin's certificate. "
    "Visitors or the origin can be impersonated otherwise.",
    concern=CONCERN,
    types=r"cloudflare:index/(zoneSetting:ZoneSetting|ruleset:Ruleset|pageRule:PageRule)",
    remediation="Set ssl to strict, min_tls_version to 1.2 or later, tls_1_3 and always_use_https to on.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def edge_setting(resource: Resource, _: Settings) -> Iterator[Finding]:
    setting = resource.node["settingId"]
    allowed, reason = _EDGE.get(setting.text(), ((), ""))
    if allowed and resource.node["value"].is_not_one_of(*allowed):
        yield resource.node["value"].finding(f"{setting.raw} {reason}")
    # A rule may override the zone's setting for some requests.
    rules = [entry["actionParameters"] for entry in resource.node["rules"].items()]
    for parameters in (*rules, resource.node["actions"]):
        if parameters["ssl"].is_not_one_of(None, "strict"):
            yield parameters["ssl"].finding(f"ssl {_EDGE['ssl'][1]}")
        for key in ("automaticHttpsRewrites", "alwaysUseHttps"):
            if parameters[key].is_one_of(False, "off"):
                yield parameters[key].finding("must be on")


@rule(
    "tls-hsts",
    "HSTS must be enabled. A browser can be downgraded to plain HTTP otherwise.",
    concern=CONCERN,
    types=r"cloudflare:index/zoneSetting:ZoneSetting",
    remediation="Enable strict_transport_security with a max_age of at least the configured days.",
    severity=Severity.HIGH,
    tags=_TAGS,
    settings={
        "days": {"type": "integer", "default": 180, "minimum": 0, "description": "Minimum max_age, in days."}
    },
)
def hsts(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if not resource.node["settingId"].is_one_of("security_header"):
        return
    value = resource.node["value"]
    header = value["strict_transport_security"]
    if not header.present:
        header = value["strictTransportSecurity"]
    if header["enabled"].is_not_one_of(True):
        yield header["enabled"].finding("must be true")
    age = header["max_age"] if header["max_age"].present else header["maxAge"]
    if age.known() and age.number() < settings["days"] * 86400:
        yield age.finding(f"{int(age.number())} seconds is less than {int(settings['days'])} days")


@rule(
    "tls-edge",
    "Every Cloudflare zone must set a minimum TLS version and strict origin verification. "
    "The defaults accept TLS 1.0 and any certificate of the origin.",
    concern=CONCERN,
    scope="stack",
    remediation="Declare a ZoneSetting for each of " + ", ".join(_EDGE_NEEDED) + " in the zone.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def edge(stack: Stack, _: Settings) -> Iterator[Finding]:
    settings: dict[str, set[str]] = {}
    for resource in stack.of_type("cloudflare:index/zoneSetting:ZoneSetting"):
        if resource.node["settingId"].known():
            settings.setdefault(resource.node["zoneId"].text(), set()).add(resource.node["settingId"].text())
        else:
            settings[""] = set()  # with an unknown id, it may be any setting
    seen: set[str] = set()
    # Sorted, so that the finding names the same resource in every order of creation.
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


@rule(
    "tls-gateway-policy",
    "Gateways must have a modern SSL policy. "
    "The load balancer accepts old protocol versions and weak ciphers otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation=(
        "Target it with a GCPGatewayPolicy whose sslPolicy has profile MODERN and at least TLS_1_2."
    ),
    severity=Severity.HIGH,
    tags=_TAGS,
    platform_specific=True,
)
def gateway_policy(stack: Stack, _: Settings) -> Iterator[Finding]:
    for resource in stack.of_type(
        "gcp:compute/sSLPolicy:SSLPolicy", "gcp:compute/regionSslPolicy:RegionSslPolicy"
    ):
        if resource.node["minTlsVersion"].is_not_one_of("TLS_1_2", "TLS_1_3"):
            yield resource.node["minTlsVersion"].finding("must be TLS_1_2 or TLS_1_3")
        if resource.node["profile"].is_not_one_of("MODERN", "RESTRICTED", "CUSTOM"):
            yield resource.node["profile"].finding("must be MODERN or RESTRICTED")
    policies: dict[tuple[str, str], Node] = {}
    for item in stack.of_kind("GCPGatewayPolicy"):
        if not item.node.at("spec", "targetRef", "name").known():
            return
        target = item.node.at("spec", "targetRef", "name").text()
        policies[(item.namespace, target)] = item.node.at("spec", "default", "sslPolicy")
    # An object with an unknown name may be the missing policy, or a gateway with one.
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
    "Health checks of the edge must use HTTPS and verify the certificate. "
    "An origin can be impersonated otherwise.",
    concern=CONCERN,
    types=r"cloudflare:index/loadBalancerMonitor:LoadBalancerMonitor",
    remediation="Set type to https and allowInsecure to false.",
    severity=Severity.HIGH,
    tags=_TAGS,
)
def monitors(resource: Resource, _: Settings) -> Iterator[Finding]:
    if resource.node["type"].is_one_of("http", None):
        yield resource.node["type"].finding("must be https")
    if resource.node["allowInsecure"].is_not_one_of(None, False):
        yield resource.node["allowInsecure"].finding("must be false")


@rule(
    "tls-uptime-check",
    "Uptime checks must use TLS and validate the certificate. "
    "An expired certificate goes unnoticed otherwise.",
    concern=CONCERN,
    types=r"gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig",
    remediation="Set httpCheck.useSsl and httpCheck.validateSsl to true.",
    severity=Severity.MEDIUM,
    tags=_TAGS,
)
def uptime_check(resource: Resource, _: Settings) -> Iterator[Finding]:
    check = resource.node["httpCheck"]
    for key in ("useSsl", "validateSsl"):
        if check.present and check[key].is_not_one_of(True):
            yield check[key].finding("must be true")


@rule(
    "tls-bucket-origins",
    "Buckets must allow only HTTPS origins. "
    "A page served over plain HTTP can be changed on its way and then read the bucket.",
    concern=CONCERN,
    types=r"gcp:storage/bucket:Bucket",
    remediation="List only https origins in cors.",
    severity=Severity.MEDIUM,
    tags=_TAGS,
)
def bucket_origins(resource: Resource, _: Settings) -> Iterator[Finding]:
    for entry in resource.node["cors"].items():
        for origin in entry["origins"].items():
            if origin.known() and not str(origin.raw).startswith(("https://", "http://localhost")):
                yield origin.finding(f"{origin.raw!r} is not an HTTPS origin")


@rule(
    "tls-urls",
    "URLs in environment variables, arguments and configuration must use TLS. "
    "The connection is in plain text otherwise.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation=(
        "Use the TLS scheme (https, rediss, mongodb+srv, tls=true); allow a host only when it has no TLS."
    ),
    severity=Severity.HIGH,
    tags=_TAGS,
    settings={
        "hosts": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Hosts to which unencrypted URLs are allowed.",
        }
    },
)
def urls(resource: Resource, settings: Settings) -> Iterator[Finding]:
    allowed = tuple(settings["hosts"])
    for item in objects_of(resource):
        if item.kind in ("ConfigMap", "Secret"):
            for part in ("data", "stringData"):
                encoded = item.kind == "Secret" and part == "data"
                for key, value in item.node[part].entries():
                    if key == DOCUMENTATION:
                        continue
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
    """Return the decoded `data` of a Secret if it is text."""
    try:
        return base64.b64decode(text, validate=True).decode() if isinstance(text, str) else None
    except ValueError:
        return None


def _weak(node: Node, allowed: tuple[str, ...], text: str | None = None) -> Iterator[Finding]:
    """Yield a finding at `node` for each weakness of the URLs in `text`, or in the value itself."""
    if not node.known() or not isinstance(node.raw, str):
        return
    whole = node.raw if text is None else text
    found: dict[str, list[str]] = {}
    for url in urls_in(whole):
        reason = weakness(url, allowed)
        if reason is not None:
            found.setdefault(reason, []).append(url)
    for reason, weak in found.items():
        lines = lines_of(weak, whole) if "\n" in whole.strip() else []
        numbers = ", ".join(map(str, lines))
        where = f", in line{'s' if len(lines) > 1 else ''} {numbers} of the text" if lines else ""
        yield node.finding(reason + where)
