"""ConfigMaps, Secrets and Secret Manager versions that pods refer to, and label selectors."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.desired_state import Desired, DesiredStore
from rehearsal.host.kubernetes.references import (
    SECRET_VERSION,
    MissingError,
    config_map,
    provided_secrets,
    secret,
    secret_version,
    selects,
)
from tests.rehearsal.host.kubernetes.objects import NAMESPACE, declared, store_of


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def version(number: int, data: str | None, **inputs: Any) -> Desired:
    name = f"projects/p/secrets/token/versions/{number}"
    urn = f"urn:pulumi:local::k::{SECRET_VERSION}::v{number}"
    return Desired(
        urn, SECRET_VERSION, name, {"secret": "projects/p/secrets/token", "secretData": data} | inputs
    )


@pytest.fixture
def store(tmp_path: Path) -> DesiredStore:
    files = "secrets: [{resourceName: projects/p/secrets/token/versions/latest, path: a/token}]"
    return store_of(
        tmp_path,
        declared("ConfigMap", data={"a": "1"}, binaryData={"b": encoded("2")}, name="settings"),
        declared("Secret", data={"a": encoded("1")}, stringData={"b": "2"}, name="keys"),
        declared("Secret", data={"a": "not base64!"}, name="damaged"),
        declared("SecretProviderClass", {"parameters": {"secrets": files[9:]}}, name="files"),
        version(1, "first"),
        version(2, encoded("second"), isSecretDataBase64=True),
    )


def test_data_of_config_maps_and_secrets_is_decoded(store: DesiredStore) -> None:
    assert config_map(store, NAMESPACE, "settings") == {"a": b"1", "b": b"2"}
    assert secret(store, NAMESPACE, "keys") == {"a": b"1", "b": b"2"}


def test_absent_and_damaged_objects_are_named(store: DesiredStore) -> None:
    with pytest.raises(MissingError, match="ConfigMap other/settings does not exist"):
        config_map(store, "other", "settings")
    with pytest.raises(MissingError, match="Secret kingdom/settings does not exist"):
        secret(store, NAMESPACE, "settings")
    with pytest.raises(MissingError, match="Secret kingdom/damaged holds data that is not base64"):
        secret(store, NAMESPACE, "damaged")
    with pytest.raises(MissingError, match="SecretProviderClass kingdom/other does not exist"):
        provided_secrets(store, NAMESPACE, "other")


@pytest.mark.parametrize(("number", "data"), [("1", b"first"), ("2", b"second"), ("latest", b"second")])
def test_version_of_a_secret_is_found_by_number(store: DesiredStore, number: str, data: bytes) -> None:
    assert secret_version(store, f"projects/p/secrets/token/versions/{number}") == data


@pytest.mark.parametrize(
    "name",
    [
        "projects/p/secrets/token/versions/3",
        "projects/p/secrets/other/versions/latest",
        "token",
        "a/b/c/d/e/f",
    ],
)
def test_other_versions_are_missing(store: DesiredStore, name: str) -> None:
    with pytest.raises(MissingError):
        secret_version(store, name)


def test_version_without_data_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="Secret Manager holds no"):
        secret_version(store_of(tmp_path, version(1, None)), "projects/p/secrets/token/versions/1")


def test_files_of_a_provider_class_are_secret_versions(store: DesiredStore) -> None:
    assert provided_secrets(store, NAMESPACE, "files") == {"a/token": b"second"}


LABELS = {"app": "api", "tier": "web"}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({"matchLabels": {"app": "api"}}, True),
        ({"matchLabels": {"app": "api", "tier": "db"}}, False),
        ({"app": "api"}, True),
        ({"app": "worker"}, False),
        ({}, False),
        ({"matchLabels": {}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["api"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["api"]}]}, False),
        ({"matchExpressions": [{"key": "other", "operator": "NotIn", "values": ["api"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "other", "operator": "DoesNotExist"}]}, True),
        (
            {
                "matchLabels": {"app": "api"},
                "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}],
            },
            False,
        ),
    ],
)
def test_selector_selects_labels(selector: dict[str, Any], selected: bool) -> None:
    assert selects(selector, LABELS) == selected
