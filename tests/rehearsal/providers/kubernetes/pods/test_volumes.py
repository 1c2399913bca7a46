"""Sources of a pod's volumes."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.pods.volumes import volume_problems
from rehearsal.pulumi.properties import UNKNOWN


def found(volume: dict[str, Any]) -> list[str]:
    return [one.path for one in volume_problems({"name": "v", **volume}, ())]


def projected(source: dict[str, Any]) -> dict[str, Any]:
    return {"projected": {"sources": [source]}}


@pytest.mark.parametrize(
    ("volume", "path"),
    [
        ({"emptyDir": {"sizeLimit": "-1Gi"}}, "emptyDir.sizeLimit"),
        ({"secret": {}}, "secret.secretName"),
        ({"secret": {"secretName": "s", "defaultMode": 1000}}, "secret.defaultMode"),
        ({"configMap": {"items": [{"key": "a", "path": "../b"}]}}, "configMap.items[0].path"),
        ({"configMap": {"items": [{"key": "a", "path": "/b", "mode": 1}]}}, "configMap.items[0].path"),
        ({"downwardAPI": {"items": [{"path": "a", "mode": -1}]}}, "downwardAPI.items[0].mode"),
        ({"hostPath": {"path": "/a/../b"}}, "hostPath.path"),
        ({"hostPath": {"path": "/a", "type": "Folder"}}, "hostPath.type"),
        (
            projected({"serviceAccountToken": {"path": "t", "expirationSeconds": 60}}),
            "projected.sources[0].serviceAccountToken.expirationSeconds",
        ),
        (projected({"secret": {"name": "s"}, "configMap": {"name": "c"}}), "projected.sources[0]"),
        (
            projected({"secret": {"name": "s", "items": [{"key": "a", "path": "a/.."}]}}),
            "projected.sources[0].secret.items[0].path",
        ),
    ],
)
def test_source_that_the_server_refuses(volume: dict[str, Any], path: str) -> None:
    assert found(volume) == [path]


@pytest.mark.parametrize(
    "volume",
    [
        {"emptyDir": {"sizeLimit": "1Gi"}},
        {"emptyDir": {}},
        {"secret": {"secretName": UNKNOWN, "defaultMode": 0o400}},
        {"secret": UNKNOWN},
        {"configMap": {"name": "c", "items": [{"key": "a", "path": "b/..c"}]}},
        {"hostPath": {"path": "/a", "type": ""}},
        projected({"serviceAccountToken": {"path": "t", "expirationSeconds": 600}}),
    ],
)
def test_source_that_the_server_accepts(volume: dict[str, Any]) -> None:
    assert found(volume) == []
