"""Pod volumes as local folders, and mount paths rewritten to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rehearsal.host.desired_state import DesiredStore
from rehearsal.host.kubernetes.references import MissingError, config_map, provided_secrets, secret
from rehearsal.host.paths import slug
from rehearsal.host.processes.atomic_files import make_folder, write_atomic

# The managed add-on of GKE, and the upstream driver with the same parameters.
_SECRET_DRIVERS = frozenset({"secrets-store-gke.csi.k8s.io", "secrets-store.csi.k8s.io"})


class Volumes:
    """Volumes of one pod below `folder`. `refresh` writes changed files, as the kubelet does."""

    def __init__(
        self, folder: Path, declared: Sequence[Mapping[str, Any]], namespace: str, store: DesiredStore
    ) -> None:
        self._folder = folder
        self._declared = declared
        self._namespace = namespace
        self._store = store

    def refresh(self) -> None:
        """Update every volume. Raises MissingError if one refers to an absent object."""
        for volume in self._declared:
            folder = make_folder(self._path(volume["name"]))
            files = self._files(volume)
            if files is None:
                continue  # an emptyDir is created empty and not updated
            for name, content in files.items():
                path = folder / name
                make_folder(path.parent)
                if not path.exists() or path.read_bytes() != content:
                    write_atomic(path, content, durable=False)
            for path in folder.rglob("*"):
                if path.is_file() and str(path.relative_to(folder)) not in files:
                    path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / slug(name)

    def _files(self, volume: Mapping[str, Any]) -> dict[str, bytes] | None:
        if "emptyDir" in volume:
            return None
        if "csi" in volume:
            source = volume["csi"] or {}
            if source.get("driver") not in _SECRET_DRIVERS:
                raise MissingError(
                    f"volume {volume['name']}: no CSI driver {source.get('driver')} on this machine"
                )
            name = (source.get("volumeAttributes") or {}).get("secretProviderClass", "")
            return provided_secrets(self._store, self._namespace, name)
        if "projected" in volume:
            files: dict[str, bytes] = {}
            for source in (volume["projected"] or {}).get("sources") or []:
                files |= self._source(source)
            return files
        return self._source(volume)

    def _source(self, source: Mapping[str, Any]) -> dict[str, bytes]:
        if "configMap" in source:
            declared = source["configMap"] or {}
            return self._picked(
                declared, lambda: config_map(self._store, self._namespace, declared.get("name", ""))
            )
        if "secret" in source:
            declared = source["secret"] or {}
            name = declared.get("secretName") or declared.get("name", "")
            return self._picked(declared, lambda: secret(self._store, self._namespace, name))
        # Tokens and downward files need an API server; an empty folder is mounted instead.
        return {}

    @staticmethod
    def _picked(declared: Mapping[str, Any], read: Any) -> dict[str, bytes]:
        try:
            data: dict[str, bytes] = read()
        except MissingError:
            if declared.get("optional"):
                return {}
            raise
        items = declared.get("items")
        if not items:
            return data
        absent = [item["key"] for item in items if item["key"] not in data]
        if absent and not declared.get("optional"):
            raise MissingError(
                f"key {absent[0]!r} is not in {declared.get('name') or declared.get('secretName')}"
            )
        return {item["path"]: data[item["key"]] for item in items if item["key"] in data}

    def mounts(self, container: Mapping[str, Any]) -> dict[str, str]:
        """Return local folders (files with a subPath) by mount path, the longest path first."""
        found = {}
        for mount in container.get("volumeMounts") or []:
            path = self._path(mount["name"])
            if mount.get("subPath"):
                path /= mount["subPath"]
            found[mount["mountPath"].rstrip("/") or "/"] = str(path)
        return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def rewritten(text: str, mounts: Mapping[str, str]) -> str:
    """Replace a mount path at the start of `text` with its local path."""
    for path, host in mounts.items():
        if text == path or text.startswith(f"{path}/"):
            return host + text[len(path) :]
    return text
