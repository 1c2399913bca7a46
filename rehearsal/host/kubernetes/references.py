"""Look up ConfigMaps, Secrets and Secret Manager versions in the declared objects, and match selectors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import yaml

from rehearsal.host.desired_state import Desired, DesiredStore

SECRET_VERSION = "gcp:secretmanager/secretVersion:SecretVersion"  # noqa: S105 (a resource type)


class MissingError(Exception):
    """An object that a pod refers to is absent; the message names it."""


def config_map(store: DesiredStore, namespace: str, name: str) -> dict[str, bytes]:
    """Return the data of a ConfigMap. Raises MissingError."""
    found = store.find("ConfigMap", namespace, name)
    if found is None:
        raise MissingError(f"ConfigMap {namespace}/{name} does not exist")
    data = {key: str(value).encode() for key, value in (found.inputs.get("data") or {}).items()}
    binary = {key: _decoded(value, found) for key, value in (found.inputs.get("binaryData") or {}).items()}
    return data | binary


def secret(store: DesiredStore, namespace: str, name: str) -> dict[str, bytes]:
    """Return the decoded data of a Kubernetes Secret. Raises MissingError."""
    found = store.find("Secret", namespace, name)
    if found is None:
        raise MissingError(f"Secret {namespace}/{name} does not exist")
    data = {key: _decoded(value, found) for key, value in (found.inputs.get("data") or {}).items()}
    return data | {key: str(value).encode() for key, value in (found.inputs.get("stringData") or {}).items()}


def _decoded(value: str, holder: Desired) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MissingError(f"{holder.label} holds data that is not base64") from error


def provided_secrets(store: DesiredStore, namespace: str, name: str) -> dict[str, bytes]:
    """Return the files of a SecretProviderClass of the Secret Manager driver. Raises MissingError."""
    found = store.find("SecretProviderClass", namespace, name)
    if found is None:
        raise MissingError(f"SecretProviderClass {namespace}/{name} does not exist")
    listed = yaml.safe_load(str((found.spec.get("parameters") or {}).get("secrets") or "[]")) or []
    return {
        str(item.get("path") or item.get("fileName")): secret_version(store, str(item["resourceName"]))
        for item in listed
    }


def secret_version(store: DesiredStore, resource: str) -> bytes:
    """Return the payload of ``projects/P/secrets/NAME/versions/latest|N``. Raises MissingError."""
    parts = resource.split("/")
    if len(parts) != 6 or parts[2] != "secrets" or parts[4] != "versions":
        raise MissingError(f"{resource!r} is not of the form projects/P/secrets/NAME/versions/latest")
    name, version = parts[3], parts[5]
    versions = [
        desired
        for desired in store.of_type(SECRET_VERSION)
        if str(desired.inputs.get("secret", "")).rsplit("/", 1)[-1] == name
    ]
    numbered = [desired for desired in versions if desired.id.rsplit("/", 1)[-1] == version]
    chosen = versions[-1:] if version == "latest" else numbered
    if not chosen or chosen[0].inputs.get("secretData") is None:
        raise MissingError(f"Secret Manager holds no {resource}")
    data = str(chosen[0].inputs["secretData"])
    return base64.b64decode(data) if chosen[0].inputs.get("isSecretDataBase64") else data.encode()


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Return whether a LabelSelector (or a Service's plain map) selects `labels`.

    An empty one selects nothing.
    """
    plain = selector.get("matchLabels")
    expressions = selector.get("matchExpressions") or []
    if plain is None and not expressions:
        plain = selector
    if not plain and not expressions:
        return False
    if any(labels.get(key) != value for key, value in (plain or {}).items()):
        return False
    return all(_matches(expression, labels) for expression in expressions)


def _matches(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None
