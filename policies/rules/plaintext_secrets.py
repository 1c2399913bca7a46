"""Secret values: nothing that opens a door is written where manifests and previews show it.

(Not `secrets.py`: the pack's folder comes first on the path of its process, and the standard library has a
module of that name.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pulumi_policy import Severity

from policies.model.pods import POD_TYPES, pod_templates, title
from policies.model.property_tree import Finding, Node
from policies.model.stack import Resource, objects_of
from policies.pack.rule import Settings, rule

_TAGS: Final = ("SOC2:CC6.1", "CIS-GKE:5.4.1", "SEC1")
# What such values look like; each with the name that a finding uses. The value itself is never repeated.
_SHAPES: Final = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "a Google service account key": re.compile(r'"type"\s*:\s*"service_account"'),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{60,})\b"),
    "a Slack token": re.compile(r"\bxox[abpors]-[0-9A-Za-z-]{10,}"),
    "a Stripe key": re.compile(r"\b[rs]k_live_[0-9A-Za-z]{16,}\b"),
    "a JSON web token": re.compile(r"\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}"),
    "a password in a URL": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@$]*:(?!\$)[^\s/:@${}]+@", re.IGNORECASE),
}
_NAME: Final = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|ACCESS_KEY|CREDENTIALS?|AUTH_STRING)(?:$|_)",
    re.IGNORECASE,
)
# A variable with such a name that only says where the secret is, or of what kind.
_POINTER: Final = re.compile(
    r"_(?:FILE|DIR|DIRECTORY|PATH|NAME|ID|URL|URI|HOST|PORT|TTL|SECONDS|EXPIRY|HEADER|ISSUER|AUDIENCE|SCOPES?"
    r"|ROUNDS|LENGTH|SIZE|COUNT|LIMIT|MIN|MAX|ENABLED|REQUIRED|ALGORITHM|TYPE|VERSION|MODE|POLICY)$",
    re.IGNORECASE,
)
# ``--password=…``; a value that is looked up elsewhere (``$(NAME)``) is none.
_ARGUMENT: Final = re.compile(r"-{1,2}(?P<name>[\w.-]+)[= ](?P<value>[^\s$].*)")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")  # between the words of camelCase
# Types whose very purpose is to carry secrets; their providers mark these inputs as secret.
_CARRIERS: Final = re.compile(
    r"gcp:secretmanager/secretVersion:SecretVersion|kubernetes:core/v1:Secret|pulumi:.*|random:.*|tls:.*"
)


def recognised(text: str) -> str | None:
    """What kind of secret `text` contains, for a person; None when it looks harmless."""
    for name, shape in _SHAPES.items():
        if shape.search(text):
            return name
    return None


@rule(
    "no-secret-values",
    "No key, token or password stands in plain inputs, where previews, states and manifests show it.",
    types=r"(?!pulumi:).*",
    steps="Put the value into Secret Manager and mount it; reference it by name.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def no_secret_values(resource: Resource, _: Settings) -> Iterator[Finding]:
    if _CARRIERS.fullmatch(resource.type):
        return
    # Whether an unknown value will be a secret is not this rule's question: it looks at what is written.
    for leaf in _written(resource.node):
        kind = recognised(leaf.raw)
        if kind is not None:
            yield leaf.finding(f"looks like {kind}")


def _written(node: Node) -> Iterator[Node]:
    for leaf in node.fresh().leaves():
        if isinstance(leaf.raw, str) and len(leaf.raw) >= 12:
            yield leaf


@rule(
    "no-secret-variables",
    "No password comes with the manifest: variables that name a secret take it from a mounted file.",
    types=POD_TYPES + r"|kubernetes:core/v1:ConfigMap(List)?",
    steps="Mount the secret with the Secret Manager driver and point the service at its file.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def no_secret_variables(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for container in pod.containers():
            for variable in container["env"].items():
                name = variable["name"].text()
                if _names_secret(name) and variable["value"].unlike(None, ""):
                    yield variable["value"].finding(f"{title(container)} has {name} in plain text")
            for argument in (*container["command"].items(), *container["args"].items()):
                given = _ARGUMENT.fullmatch(argument.text())
                if given is not None and _names_secret(given["name"]):
                    yield argument.finding(f"{title(container)} has {given['name']} in plain text")
    for item in objects_of(resource):
        if item.kind == "ConfigMap":
            for key, value in item.node["data"].entries():
                if _names_secret(key) and value.unlike(None, ""):
                    yield value.finding("a config map is no place for a secret")


def _names_secret(name: str) -> bool:
    spelt = _HUMP.sub("_", name).replace("-", "_").replace(".", "_")
    return _NAME.search(spelt) is not None and _POINTER.search(spelt) is None


@rule(
    "no-kubernetes-secrets",
    "The cluster's store holds no copy of a secret: pods mount them from Secret Manager.",
    types=r"kubernetes:core/v1:Secret(List)?",
    steps="Use a SecretProviderClass of the Secret Manager driver instead of a Secret.",
    severity=Severity.HIGH,
    tags=_TAGS,
    house=True,
)
def no_kubernetes_secrets(resource: Resource, _: Settings) -> Iterator[Finding]:
    for item in objects_of(resource):
        if item.kind == "Secret" and (item.node["data"].present or item.node["stringData"].present):
            yield Finding(f"{item.label} carries its content in the manifest")


@rule(
    "no-secret-environment",
    "Secrets do not end up in crash dumps and child processes: they are mounted as files, not as variables.",
    types=POD_TYPES,
    steps="Replace secretKeyRef and secretRef by a mounted volume.",
    severity=Severity.MEDIUM,
    tags=_TAGS,
    house=True,
)
def no_secret_environment(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for container in pod.containers():
            for variable in container["env"].items():
                if variable.at("valueFrom", "secretKeyRef").present and variable.known():
                    yield variable.finding(f"{title(container)} takes a secret as a variable")
            for source in container["envFrom"].items():
                if source["secretRef"].present and source.known():
                    yield source.finding(f"{title(container)} takes a whole Secret as variables")
