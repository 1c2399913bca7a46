"""Volumes of a pod as folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.kubernetes.references import MissingError
from rehearsal.host.kubernetes.volumes import Volumes, rewritten
from tests.rehearsal.host.kubernetes.objects import NAMESPACE, declared, store_of

CONFIG = declared("ConfigMap", data={"a": "1", "b": "2"}, name="settings")
FILES = declared("Secret", stringData={"key": "k"}, name="keys")


def volumes(folder: Path, *sources: dict[str, Any]) -> Volumes:
    store = store_of(folder / "store", CONFIG, FILES)
    named = [{"name": f"v{number}", **source} for number, source in enumerate(sources)]
    return Volumes(folder / "pod", named, NAMESPACE, store)


def written(folder: Path) -> dict[str, str]:
    root = folder / "pod"
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_files_of_config_maps_secrets_and_projections_are_written(tmp_path: Path) -> None:
    volumes(
        tmp_path,
        {"configMap": {"name": "settings"}},
        {"secret": {"secretName": "keys"}},
        {"projected": {"sources": [{"configMap": {"name": "settings"}}, {"secret": {"name": "keys"}}]}},
        {"configMap": {"name": "settings", "items": [{"key": "a", "path": "x/y"}]}},
    ).refresh()
    assert written(tmp_path) == {
        "v0/a": "1",
        "v0/b": "2",
        "v1/key": "k",
        "v2/a": "1",
        "v2/b": "2",
        "v2/key": "k",
        "v3/x/y": "1",
    }


def test_changed_files_are_updated_and_absent_ones_removed(tmp_path: Path) -> None:
    mounted = volumes(tmp_path, {"configMap": {"name": "settings"}})
    mounted.refresh()
    before = (tmp_path / "pod/v0/a").stat()
    mounted._store.put(declared("ConfigMap", data={"a": "1", "c": "3"}, name="settings"))
    mounted.refresh()
    assert written(tmp_path) == {"v0/a": "1", "v0/c": "3"}
    assert (tmp_path / "pod/v0/a").stat().st_ino == before.st_ino


def test_empty_directory_is_not_touched(tmp_path: Path) -> None:
    mounted = volumes(tmp_path, {"emptyDir": {}})
    mounted.refresh()
    (tmp_path / "pod/v0/data").write_text("x")
    mounted.refresh()
    assert written(tmp_path) == {"v0/data": "x"}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ({"configMap": {"name": "other"}}, "ConfigMap kingdom/other does not exist"),
        (
            {"configMap": {"name": "settings", "items": [{"key": "x", "path": "x"}]}},
            "key 'x' is not in settings",
        ),
        ({"csi": {"driver": "disk.example.com"}}, "volume v0: no CSI driver disk.example.com"),
        ({"csi": {"driver": "secrets-store.csi.k8s.io"}}, "SecretProviderClass kingdom/ does not exist"),
    ],
)
def test_missing_source_is_named(tmp_path: Path, source: dict[str, Any], reason: str) -> None:
    with pytest.raises(MissingError, match=reason):
        volumes(tmp_path, source).refresh()


@pytest.mark.parametrize(
    "source",
    [
        {"configMap": {"name": "other", "optional": True}},
        {"configMap": {"name": "settings", "optional": True, "items": [{"key": "x", "path": "x"}]}},
        {"downwardAPI": {}},
    ],
)
def test_optional_source_is_an_empty_folder(tmp_path: Path, source: dict[str, Any]) -> None:
    volumes(tmp_path, source).refresh()
    assert (tmp_path / "pod/v0").is_dir()
    assert written(tmp_path) == {}


def test_nested_mount_path_is_rewritten_first(tmp_path: Path) -> None:
    container = {
        "volumeMounts": [
            {"name": "v0", "mountPath": "/etc/"},
            {"name": "v1", "mountPath": "/etc/app", "subPath": "settings.json"},
        ]
    }
    mounts = volumes(tmp_path, {"emptyDir": {}}, {"emptyDir": {}}).mounts(container)
    assert list(mounts) == ["/etc/app", "/etc"]
    assert rewritten("/etc/app", mounts) == str(tmp_path / "pod/v1/settings.json")
    assert rewritten("/etc/passwd", mounts) == str(tmp_path / "pod/v0/passwd")
    assert rewritten("/etcetera", mounts) == "/etcetera"
    assert rewritten("see /etc", mounts) == "see /etc"
