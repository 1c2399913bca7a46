"""One resource of each kind that the host emulates, declared without SDKs, whose import takes seconds.

A cache and a bucket depend on some small resources each, and the pods on both, so that an `up` can be
interrupted at many points. The settings cause updates, a replacement, a rollout and scaling.
"""

from __future__ import annotations

import base64
from typing import Any

import pulumi

settings = pulumi.Config()
GENERATION = settings.require_int("generation")
REPLICAS = settings.require_int("replicas")
BROKEN = settings.require("broken")
PATIENCE = settings.require_int("patience")
CONTAINER_PORT = 8080


def declare(type_: str, name: str, props: dict[str, Any], *after: pulumi.Resource) -> pulumi.CustomResource:
    return pulumi.CustomResource(type_, name, props, pulumi.ResourceOptions(depends_on=list(after)))


def kubernetes(
    group: str, kind: str, name: str, rest: dict[str, Any], *after: pulumi.Resource
) -> pulumi.CustomResource:
    """An object of the API `group`, called `name`, in the default namespace."""
    api = group.removeprefix("core/")
    metadata = {"name": name, "namespace": "default"}
    props = {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}
    return declare(f"kubernetes:{group}:{kind}", f"{name}-{kind.lower()}", props, *after)


words = [
    declare("random:index/randomPet:RandomPet", f"word-{number}", {"length": 1 + (GENERATION + number) % 3})
    for number in range(12)
]
cache = declare(
    "gcp:redis/instance:Instance",
    "cache",
    {
        "name": "little",
        "memorySizeGb": 1 + GENERATION % 2,
        "authEnabled": True,
        "transitEncryptionMode": "SERVER_AUTHENTICATION",
    },
    *words[:3],
)
media = declare("gcp:storage/bucket:Bucket", "media", {"name": "little-media", "location": "EU"}, *words[3:6])
configuration = kubernetes("core/v1", "ConfigMap", "little", {"data": {"generation": str(GENERATION)}})
hidden = base64.b64encode(f"hidden {GENERATION}".encode()).decode()
secret = kubernetes("core/v1", "Secret", "little", {"data": {"word": pulumi.Output.secret(hidden)}})
container = {
    "name": "api",
    "image": "none",
    "command": ["python", "serve.py"],
    "env": [
        {"name": "PORT", "value": str(CONTAINER_PORT)},
        {"name": "HERE", "value": "/etc/little"},
        {"name": "HIDDEN", "value": "/etc/hidden/word"},
        {"name": "GENERATION", "value": str(GENERATION)},
        {"name": "BROKEN", "value": BROKEN},
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ],
    "ports": [{"containerPort": CONTAINER_PORT}],
    "readinessProbe": {
        "httpGet": {"path": "/ready", "port": CONTAINER_PORT},
        "periodSeconds": 1,
        "failureThreshold": 1,
    },
    "volumeMounts": [
        {"name": "little", "mountPath": "/etc/little"},
        {"name": "hidden", "mountPath": "/etc/hidden"},
    ],
}
template = {
    "metadata": {"labels": {"role": "api"}},
    "spec": {
        "containers": [container],
        "terminationGracePeriodSeconds": 5,
        "volumes": [
            {"name": "little", "configMap": {"name": "little"}},
            {"name": "hidden", "secret": {"secretName": "little"}},
        ],
    },
}
deployment = kubernetes(
    "apps/v1",
    "Deployment",
    "api",
    {
        "spec": {
            "replicas": REPLICAS,
            "progressDeadlineSeconds": PATIENCE,
            "selector": {"matchLabels": {"role": "api"}},
            "template": template,
        }
    },
    *(cache, media, configuration, secret),
)
service = kubernetes(
    "core/v1",
    "Service",
    "api",
    {"spec": {"selector": {"role": "api"}, "ports": [{"port": 80, "targetPort": CONTAINER_PORT}]}},
    deployment,
)
gateway = kubernetes(
    "gateway.networking.k8s.io/v1",
    "Gateway",
    "little",
    {
        "spec": {
            "gatewayClassName": "any",
            "listeners": [{"name": "https", "port": 443, "protocol": "HTTPS"}],
        }
    },
)
kubernetes(
    "gateway.networking.k8s.io/v1",
    "HTTPRoute",
    "little",
    {
        "spec": {
            "parentRefs": [{"name": "little"}],
            "rules": [
                {
                    "backendRefs": [{"name": "api", "port": 80}],
                    "sessionPersistence": {
                        "sessionName": "little-replica",
                        "type": "Cookie",
                        "cookieConfig": {"lifetimeType": "Permanent"},
                        "absoluteTimeout": "3600s",
                    },
                }
            ],
        }
    },
    *(service, gateway),
)
