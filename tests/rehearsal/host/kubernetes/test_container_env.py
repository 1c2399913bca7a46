"""Environment variables of containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.kubernetes.container_env import Identity, environment, expanded
from rehearsal.host.kubernetes.references import MissingError
from tests.rehearsal.host.kubernetes.objects import NAMESPACE, declared, store_of

IDENTITY = Identity("api-1", NAMESPACE, "uid-1", {"app": "api"}, {"note": "n"}, "runner")
OBJECTS = (
    declared("ConfigMap", data={"A": "1", "B": "2"}, name="settings"),
    declared("Secret", stringData={"TOKEN": "t"}, name="keys"),
)
RESOURCES = {"limits": {"memory": "130Mi", "cpu": "1500m"}, "requests": {"cpu": "250m"}}


def variables(
    tmp_path: Path,
    *,
    mounts: dict[str, str] | None = None,
    ports: dict[int, int] | None = None,
    **container: Any,
) -> dict[str, str]:
    given = {"name": "main", "resources": RESOURCES} | container
    store = store_of(tmp_path, *OBJECTS)
    return environment(given, IDENTITY, store, ports or {}, mounts or {}, "/bundle.pem")


def value(tmp_path: Path, source: dict[str, Any]) -> str | None:
    return variables(tmp_path, env=[{"name": "X", "valueFrom": source}]).get("X")


def test_variables_of_objects_come_before_those_of_the_container(tmp_path: Path) -> None:
    found = variables(
        tmp_path,
        envFrom=[{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}, "prefix": "P_"}],
        env=[{"name": "B", "value": "own"}, {"name": "C", "value": "$(A)-$(B)"}, {"name": "D"}],
    )
    assert {key: found[key] for key in ("A", "B", "C", "D", "P_TOKEN")} == {
        "A": "1",
        "B": "own",
        "C": "1-own",
        "D": "",
        "P_TOKEN": "t",
    }
    assert found["SSL_CERT_FILE"] == "/bundle.pem"
    assert (found["HOST"], found["HOSTNAME"]) == ("127.0.0.1", "api-1")


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("metadata.name", "api-1"),
        ("metadata.uid", "uid-1"),
        ("spec.serviceAccountName", "runner"),
        ("status.podIP", "127.0.0.1"),
        ("metadata.labels['app']", "api"),
        ("metadata.labels['other']", ""),
        ("metadata.annotations['note']", "n"),
    ],
)
def test_fields_of_the_downward_api_are_resolved(tmp_path: Path, field: str, expected: str) -> None:
    assert value(tmp_path, {"fieldRef": {"fieldPath": field}}) == expected


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [
        ("limits.memory", "1Mi", "130"),
        ("limits.memory", "100Mi", "2"),
        ("limits.cpu", None, "2"),
        ("limits.cpu", "1m", "1500"),
        ("requests.cpu", "0", "1"),
    ],
)
def test_resources_are_rounded_up_to_the_divisor(
    tmp_path: Path, resource: str, divisor: str | None, expected: str
) -> None:
    assert value(tmp_path, {"resourceFieldRef": {"resource": resource, "divisor": divisor}}) == expected


def test_keys_of_config_maps_and_secrets_are_resolved(tmp_path: Path) -> None:
    assert value(tmp_path, {"configMapKeyRef": {"name": "settings", "key": "A"}}) == "1"
    assert value(tmp_path, {"secretKeyRef": {"name": "keys", "key": "TOKEN"}}) == "t"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ({"configMapKeyRef": {"name": "settings", "key": "Z"}}, "key 'Z' is not in settings"),
        ({"configMapKeyRef": {"name": "other", "key": "A"}}, "ConfigMap kingdom/other does not exist"),
        ({"fieldRef": {"fieldPath": "metadata.owner"}}, "has no field 'metadata.owner'"),
        ({"resourceFieldRef": {"resource": "requests.memory"}}, "container main declares no requests.memory"),
    ],
)
def test_missing_source_is_named(tmp_path: Path, source: dict[str, Any], reason: str) -> None:
    with pytest.raises(MissingError, match=reason):
        value(tmp_path, source)


def test_optional_sources_are_left_out(tmp_path: Path) -> None:
    assert value(tmp_path, {"configMapKeyRef": {"name": "settings", "key": "Z", "optional": True}}) is None
    found = variables(tmp_path, envFrom=[{"configMapRef": {"name": "other", "optional": True}}])
    assert "A" not in found
    with pytest.raises(MissingError):
        variables(tmp_path, envFrom=[{"secretRef": {"name": "other"}}])


@pytest.mark.parametrize(
    ("env", "port"),
    [([], "18001"), ([{"name": "PORT", "value": "8080"}], "18001"), ([{"name": "PORT", "value": "9"}], "9")],
)
def test_port_is_the_local_one(tmp_path: Path, env: list[dict[str, str]], port: str) -> None:
    assert variables(tmp_path, ports={8080: 18001}, env=env)["PORT"] == port


def test_mount_paths_are_rewritten_in_declared_values_only(tmp_path: Path) -> None:
    env = [{"name": "FILE", "value": "/data/x"}, {"name": "DATA", "value": "see /data"}]
    found = variables(tmp_path, mounts={"/tmp": "/pod/tmp", "/data": "/pod/data"}, env=env)
    assert found["FILE"] == "/pod/data/x"
    assert found["DATA"] == "see /data"
    assert found["TMPDIR"] == "/pod/tmp"
    assert "TMPDIR" not in variables(tmp_path)


@pytest.mark.parametrize(
    ("text", "result"), [("$(A)", "1"), ("$$(A)", "$(A)"), ("$(B)", "$(B)"), ("a$", "a$"), ("$A", "$A")]
)
def test_references_are_expanded(text: str, result: str) -> None:
    assert expanded(text, {"A": "1"}) == result
