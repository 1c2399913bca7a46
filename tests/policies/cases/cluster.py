"""Gateways, network policies, services, secrets, and their consistency with each other."""

from __future__ import annotations

import base64
from typing import Any

from policies.testing import DROP, ResourceFixture, changed
from tests.policies.cases import Break, Case, breaking
from tests.policies.cases.clouds import A_CLUSTER
from tests.policies.cases.pods import DEPLOYMENT
from tests.policies.cases.scale import HERE, NAMESPACE


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


GATEWAY: dict[str, Any] = {
    "metadata": {"name": "gateway", **HERE},
    "spec": {
        "gatewayClassName": "gke-l7-global-external-managed",
        "listeners": [{"name": "https", "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "c"}]}}],
    },
}
A_GATEWAY = ResourceFixture("kubernetes:gateway.networking.k8s.io/v1:Gateway", GATEWAY, "gateway")
GATEWAY_POLICY = ResourceFixture(
    "kubernetes:networking.gke.io/v1:GCPGatewayPolicy",
    {
        "metadata": {"name": "tls", **HERE},
        "spec": {"default": {"sslPolicy": "modern"}, "targetRef": {"kind": "Gateway", "name": "gateway"}},
    },
)
SSL = ResourceFixture("gcp:compute/sSLPolicy:SSLPolicy", {"minTlsVersion": "TLS_1_2", "profile": "MODERN"})
INGRESS = ResourceFixture(
    "kubernetes:networking.k8s.io/v1:Ingress",
    {
        "metadata": {"annotations": {"kubernetes.io/ingress.allow-http": "false"}},
        "spec": {"ingressClassName": "gce", "tls": [{"secretName": "c"}]},
    },
)
DENY = ResourceFixture(
    "kubernetes:networking.k8s.io/v1:NetworkPolicy",
    {"metadata": {"name": "deny", **HERE}, "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}},
)
OPEN = ResourceFixture(
    "kubernetes:networking.k8s.io/v1:NetworkPolicy",
    {
        "metadata": {"name": "some", **HERE},
        "spec": {
            "ingress": [{"from": [{"ipBlock": {"cidr": "35.191.0.0/16"}}]}],
            "egress": [
                {
                    "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}],
                    "ports": [{"port": 443}],
                }
            ],
        },
    },
)
SERVICE = ResourceFixture(
    "kubernetes:core/v1:Service",
    {"metadata": {"name": "api", **HERE}, "spec": {"type": "ClusterIP", "selector": {"app": "x"}}},
    "service",
)
API = ResourceFixture(
    "kubernetes:apps/v1:Deployment",
    changed(
        DEPLOYMENT,
        {
            "spec.template.spec.terminationGracePeriodSeconds": 60,
            "spec.template.spec.containers[0].env": [
                {"name": "KINGDOM_DRAIN_SECONDS", "value": "15"},
                {"name": "KINGDOM_DEPENDENCY_SECONDS", "value": "0.8"},
            ],
        },
    ),
    "api",
)
HEALTH = ResourceFixture(
    "kubernetes:networking.gke.io/v1:HealthCheckPolicy",
    {
        "metadata": {"name": "api", **HERE},
        "spec": {
            "targetRef": {"kind": "Service", "name": "api"},
            "default": {
                "checkIntervalSec": 5,
                "unhealthyThreshold": 2,
                "config": {"type": "HTTP", "httpHealthCheck": {"port": 8080, "requestPath": "/readyz"}},
            },
        },
    },
    "health",
)
BACKEND = ResourceFixture(
    "kubernetes:networking.gke.io/v1:GCPBackendPolicy",
    {
        "metadata": {"name": "api", **HERE},
        "spec": {"targetRef": {"kind": "Service", "name": "api"}, "default": {"timeoutSec": 30}},
    },
    "backend",
)
ROUTE = ResourceFixture(
    "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
    {"metadata": {"name": "api", **HERE}, "spec": {"rules": [{"backendRefs": [{"name": "api"}]}]}},
    "route",
)
CHECK = "spec.default.config.httpHealthCheck"

CASES = (
    Case(
        "tls-gateway",
        (A_GATEWAY,),
        breaking(
            ("spec.listeners[0].protocol", "HTTP"),
            ("spec.listeners[0].tls", DROP, "names no certificate"),
        ),
        passes=({"spec.listeners[0].tls": DROP, 'metadata.annotations["networking.gke.io/certmap"]': "map"},),
    ),
    Case(
        "tls-gateway-policy",
        (A_GATEWAY, GATEWAY_POLICY, SSL),
        (
            Break({"spec.targetRef.name": "other"}, "no GCPGatewayPolicy", index=1),
            Break({"minTlsVersion": "TLS_1_0"}, "minTlsVersion", index=2),
            Break({"profile": "COMPATIBLE"}, "profile", index=2),
        ),
    ),
    Case(
        "tls-ingress",
        (INGRESS,),
        breaking(("spec.tls", []), ('metadata.annotations["kubernetes.io/ingress.allow-http"]', "true")),
    ),
    Case(
        "tls-urls",
        (ResourceFixture("kubernetes:core/v1:ConfigMap", {"data": {"url": "rediss://redis:6379"}}),),
        breaking(("data.url", "redis://redis:6379"), ("data.url", "postgresql+asyncpg://db/x")),
        passes=({"data.url": "see http://www.w3.org/2000/svg"},),
    ),
    Case(
        "tls-urls",
        (ResourceFixture("kubernetes:core/v1:Secret", {"data": {"url": encoded("rediss://redis:6379")}}),),
        breaking(("data.url", encoded("redis://redis:6379"))),
    ),
    Case(
        "private-nodes-have-nat",
        (ResourceFixture("gcp:compute/routerNat:RouterNat", {}), A_CLUSTER),
        (Break({}, "no RouterNat gives them egress", become="gcp:compute/router:Router"),),
    ),
    Case(
        "default-deny",
        (DENY, NAMESPACE),
        (
            Break({"spec.policyTypes": ["Ingress"]}, "does not deny Egress"),
            Break({"spec.podSelector": {"matchLabels": {"a": "b"}}}, "does not deny Egress and Ingress"),
            Break({"spec.egress": [{}]}, "does not deny Egress"),
        ),
        passes=({"spec.podSelector": {"matchLabels": {}}},),
    ),
    Case(
        "network-policy-open",
        (OPEN,),
        breaking(
            ("spec.ingress[0].from[0].ipBlock.cidr", "0.0.0.0/0"),
            ("spec.ingress[0].from", DROP, "spec.ingress[0]"),
            ("spec.egress[0].ports", DROP, "spec.egress[0].to[0].ipBlock.cidr"),
            ("spec.egress[0].to[0].ipBlock.except", DROP, "spec.egress[0].to[0].ipBlock.cidr"),
        ),
    ),
    Case(
        "service-exposed",
        (SERVICE,),
        breaking(("spec.type", "LoadBalancer"), ("spec.type", "NodePort")),
        passes=({"spec.type": "LoadBalancer", "spec.loadBalancerSourceRanges": ["10.0.0.0/8"]},),
    ),
    Case(
        "no-secret-variables",
        (ResourceFixture("kubernetes:core/v1:ConfigMap", {"data": {"LOG_LEVEL": "info"}}),),
        breaking(("data.API_KEY", "abc"), ("data.dbPassword", "abc"), ("data.MONGO_PWD", "abc")),
    ),
    Case(
        "no-kubernetes-secrets",
        (ResourceFixture("kubernetes:core/v1:Secret", {"metadata": {"name": "s"}}),),
        (Break({"stringData": {"a": "b"}}, "in the manifest"),),
    ),
    Case(
        "health-check-is-readiness",
        (HEALTH, SERVICE, API),
        (
            *breaking((f"{CHECK}.requestPath", "/"), (f"{CHECK}.port", 9090)),
            Break(
                {"spec.template.spec.containers[0].readinessProbe": DROP},
                "no readiness probe that is an HTTP request",
                index=2,
            ),
        ),
    ),
    Case(
        "routed-service-has-health-check",
        (HEALTH, ROUTE, A_GATEWAY),
        (Break({"spec.targetRef.name": "other"}, "no HealthCheckPolicy"),),
    ),
    Case(
        "probe-timeout-exceeds-checks",
        (API, SERVICE, HEALTH),
        (
            Break({"spec.template.spec.containers[0].env[1].value": "2"}, "a dependency check after 2 s"),
            Break({"spec.template.spec.containers[0].env[1].value": "30"}, "a dependency check of"),
            Break({"spec.default.timeoutSec": 6}, "the next one starts after 5 s", index=2),
        ),
    ),
    Case(
        "termination-grace-period",
        (API, SERVICE, HEALTH, BACKEND),
        (
            Break({"spec.template.spec.terminationGracePeriodSeconds": 10}, "than the drain"),
            Break({"spec.template.spec.terminationGracePeriodSeconds": 40}, "is killed after 40 s"),
            Break({"spec.template.spec.containers[0].env[0].value": "5"}, "drains for 5 s, but"),
            Break({"spec.template.spec.containers[0].env": []}, "drains for 0 s, but"),
            Break({"spec.default.timeoutSec": 60}, "take longer", index=3),
        ),
    ),
)
