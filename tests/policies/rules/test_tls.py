"""Ingresses and Gateways: which hosts and listeners serve plain HTTP."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.manifests import manifest, outcome

TLS = "[{hosts: [a.example], secretName: s}]"
BACKEND = "{service: {name: s, port: {number: 80}}}"
ALB = "alb.ingress.kubernetes.io"
BOTH_PORTS = (
    f"""{ALB}/certificate-arn: "arn:aws:acm:x", {ALB}/listen-ports: \'[{{"HTTP": 80}}, {{"HTTPS": 443}}]\'"""
)
HTTPS_PORT = f"""{ALB}/listen-ports: '[{{"HTTPS": 443}}]'"""
ACTION = (
    f"""{ALB}/actions.ssl-redirect: \'{{"Type": "redirect", "RedirectConfig": {{"Protocol": "HTTPS"}}}}\'"""
)
ENTRY_POINTS = "traefik.ingress.kubernetes.io/router.entrypoints"
RESOLVER = "traefik.ingress.kubernetes.io/router.tls.certresolver: le"


def _ingress(
    annotations: str = "", *, tls: str = TLS, hosts: Sequence[str] = ("a.example",), default: bool = False
) -> str:
    paths = f"http: {{paths: [{{path: /, pathType: Prefix, backend: {BACKEND}}}]}}"
    names = [f"host: '{host}', " if host else "" for host in hosts]
    rules = ", ".join(f"{{{name}{paths}}}" for name in names)
    spec = f"ingressClassName: c, rules: [{rules}]"
    spec += f", tls: {tls}" if tls else ""
    spec += f", defaultBackend: {BACKEND}" if default else ""
    return manifest("networking.k8s.io/v1", "Ingress", spec, more=f"annotations: {{{annotations}}}")


def _nginx(value: str) -> str:
    return _ingress(f'nginx.ingress.kubernetes.io/ssl-redirect: "{value}"')


INGRESSES = {
    "covered": (_ingress(), "clean"),
    "wildcard": (_ingress(tls='[{hosts: ["*.example"]}]'), "clean"),
    "wildcard of another level": (_ingress(tls='[{hosts: ["*.example"]}]', hosts=("a.b.example",)), "found"),
    "wildcard host": (_ingress(hosts=("*.example",)), "found"),
    "rule without a host": (_ingress(hosts=("a.example", "")), "found"),
    "rule without a host, TLS for all": (_ingress(tls="[{secretName: s}]", hosts=("",)), "clean"),
    "default backend": (_ingress(default=True), "found"),
    "default backend, TLS for all": (_ingress(tls="[{secretName: s}]", default=True), "clean"),
    **{f"redirect {value}": (_nginx(value), "found") for value in ("false", "False", "FALSE", "f", "0")},
    "redirect true": (_nginx("true"), "clean"),
    "minion": (_ingress("nginx.org/mergeable-ingress-type: minion", tls=""), "unproven"),
    "master": (_ingress("nginx.org/mergeable-ingress-type: master", tls=""), "found"),
    "both ports": (_ingress(BOTH_PORTS, tls=""), "found"),
    "both ports, action that redirects": (_ingress(f"{BOTH_PORTS}, {ACTION}", tls=""), "clean"),
    **{
        f"load balancer of AWS, {name}": (
            _ingress(annotations, tls=tls).replace("Name: c", "Name: alb"),
            expected,
        )
        for name, annotations, tls, expected in (
            ("tls only", "", TLS, "found"),
            ("nothing", "", "", "found"),
            ("tls and HTTPS", HTTPS_PORT, TLS, "clean"),
            ("HTTPS by host", HTTPS_PORT, "", "clean"),
            ("certificate", f'{ALB}/certificate-arn: "arn:aws:acm:x"', "", "clean"),
            ("tls in a group", f"{ALB}/group.name: g", TLS, "unproven"),
        )
    },
    "certificate resolver": (_ingress(RESOLVER, tls=""), "clean"),
    "entry point websecure with a router of TLS": (
        _ingress(f"{ENTRY_POINTS}: websecure, traefik.ingress.kubernetes.io/router.tls: 'true'", tls=""),
        "clean",
    ),
    **{
        f"Tailscale, {name}": (
            _ingress(tls=tls, hosts=("",), default=True).replace("Name: c", f"Name: {kind}"),
            expected,
        )
        for name, tls, kind, expected in (
            ("name of the machine", "[{hosts: [a]}]", "tailscale", "clean"),
            ("nothing", "", "tailscale", "clean"),
            ("another class", "[{hosts: [a]}]", "tailscale-2", "found"),
        )
    },
    **{
        f"Contour, {name}": (_ingress(annotations, tls=tls).replace("Name: c", "Name: contour"), expected)
        for name, annotations, tls, expected in (
            ("tls only", "", TLS, "found"),
            ("plain HTTP", 'kubernetes.io/ingress.allow-http: "true"', TLS, "found"),
            ("no plain HTTP", 'kubernetes.io/ingress.allow-http: "false"', TLS, "clean"),
            ("redirect", 'ingress.kubernetes.io/force-ssl-redirect: "true"', TLS, "clean"),
            ("no redirect", 'ingress.kubernetes.io/force-ssl-redirect: "false"', TLS, "found"),
            ("nothing", "", "", "found"),
        )
    },
    "entry point websecure": (_ingress(f"{ENTRY_POINTS}: websecure", tls=""), "unproven"),
    "entry points web and websecure": (_ingress(f"{ENTRY_POINTS}: 'web, websecure'"), "found"),
}


@pytest.mark.parametrize("name", INGRESSES)
def test_hosts_with_plain_http_are_found(name: str) -> None:
    text, expected = INGRESSES[name]
    assert outcome(text, "tls-ingress").result == expected


API = "gateway.networking.k8s.io/v1"
HTTPS = "{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: c}]}}"
HTTP = "{name: http, port: 80, protocol: HTTP}"
REDIRECT = "filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]"
SERVED = "backendRefs: [{name: s, port: 80}]"
GATEWAY = manifest(API, "Gateway", f"gatewayClassName: c, listeners: [{HTTPS}, {HTTP}]", name="g")


def _route(rule: str, listener: str = "http", name: str = "r") -> str:
    parent = f"{{name: g{f', sectionName: {listener}' if listener else ''}}}"
    return manifest(API, "HTTPRoute", f"parentRefs: [{parent}], rules: [{{{rule}}}]", name=name)


GATEWAYS = {
    "no route": (GATEWAY, "found"),
    "redirect": (GATEWAY + _route(REDIRECT), "clean"),
    "redirect, and a route on HTTPS": (
        GATEWAY + _route(REDIRECT) + _route(SERVED, "https", "app"),
        "clean",
    ),
    "redirect, and a route on every listener": (
        GATEWAY + _route(REDIRECT) + _route(SERVED, "", "app"),
        "found",
    ),
    "redirect that keeps the scheme": (
        GATEWAY + _route("filters: [{type: RequestRedirect, requestRedirect: {hostname: b.example}}]"),
        "found",
    ),
    "another Gateway": (
        manifest("networking.istio.io/v1", "Gateway", "listeners: [{protocol: HTTP}]"),
        "clean",
    ),
    "waypoint of Istio": (
        manifest(
            API,
            "Gateway",
            "gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]",
        ),
        "clean",
    ),
}


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_findings_on_other_protocols_name_the_protocol(protocol: str) -> None:
    text = manifest(API, "Gateway", f"listeners: [{{name: a, port: 53, protocol: {protocol}}}]", name="g")
    (found,) = outcome(text, "tls-gateway").findings
    assert f"{protocol} is not encrypted by the gateway: use TLS, or HTTPS" in found


@pytest.mark.parametrize("name", GATEWAYS)
def test_listeners_with_plain_http_are_found(name: str) -> None:
    text, expected = GATEWAYS[name]
    assert outcome(text, "tls-gateway").result == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("# see http://www.apache.org/licenses/LICENSE-2.0\\nport 1\\n", "clean"),
        ("<a xmlns='http://maven.apache.org/POM/4.0.0'\\n/>", "clean"),
        ("url = http://backend.example\\n", "found"),
        ("app\\n --url=http://backend.example\\n", "found"),
    ],
)
def test_urls_in_comments_and_namespaces_are_not_connections(content: str, expected: str) -> None:
    text = f'---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{file: "{content}"}}\n'
    assert outcome(text, "tls-urls").result == expected


def test_documentation_of_a_config_map_has_no_connections() -> None:
    text = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {KEY: 'http://a.example'}\n"
    assert outcome(text, "tls-urls").result == "found"
    assert outcome(text.replace("KEY", "_example"), "tls-urls").result == "clean"


def test_a_url_in_a_file_has_its_line() -> None:
    data = 'data: {a.conf: "x\\nhttp://a\\n# http://a\\nhttp://b\\nmongodb://c\\n", b: "http://d"}'
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\n{data}\n"
    assert list(outcome(text, "tls-urls").findings) == [
        "http:// is not encrypted",
        "http:// is not encrypted, in lines 2, 4 of the text",
        "mongodb:// without a TLS option is not encrypted, in line 5 of the text",
    ]
