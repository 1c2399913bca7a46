"""`kingdom render`: every Kubernetes object of a stack as YAML, in an order in which it can be applied."""

from __future__ import annotations

import base64
import heapq
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from rehearsal.engine.state.resource_state import ResourceState, Snapshot
from rehearsal.errors import InputError
from rehearsal.pulumi.properties import UNKNOWN, Secret, format_path, leaves
from rehearsal.pulumi.urn import name_of

WITHHELD: Final = "WITHHELD"
# All values of a Secret are withheld, whether or not they are Pulumi secrets; `data` must be valid base64.
_SEALED: Final = {"data": base64.b64encode(WITHHELD.encode()).decode(), "stringData": WITHHELD}
_AUTONAMED: Final = "pulumi.com/autonamed"  # annotation for the Pulumi provider only
_FIRST_LINE: Final = "# Rendered by `kingdom render --stack {stack}`: generated file, edits are lost."
_OURS: Final = re.compile(r"# Rendered by `kingdom render --stack (\S+)`")
# Among independent objects: admission, names and configuration come before workloads.
_KINDS: Final = (
    "Namespace", "CustomResourceDefinition", "PriorityClass", "ResourceQuota", "LimitRange", "NetworkPolicy",
    "ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ConfigMap", "Secret",
    "SecretProviderClass", "Service",
)  # fmt: skip
_Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Object:
    """One Kubernetes object as it would be applied, without the value of any secret.

    `invented` are the paths of values that a cloud assigns and the rehearsal generated; `withheld` those of
    secrets, which are replaced by a placeholder.
    """

    urn: str
    manifest: dict[str, Any]
    invented: tuple[_Path, ...] = ()
    withheld: tuple[_Path, ...] = ()

    @property
    def kind(self) -> str:
        return str(self.manifest["kind"])

    @property
    def name(self) -> str:
        metadata = self.manifest["metadata"]
        return str(metadata.get("name") or metadata.get("generateName") or name_of(self.urn))

    @property
    def namespace(self) -> str:
        return str(self.manifest["metadata"].get("namespace") or "")


@dataclass(frozen=True)
class Rendered:
    """Result of rendering: objects by file name in apply order, and written, removed and skipped files."""

    stack: str
    folder: Path
    objects: Mapping[str, Object]
    written: Sequence[str]
    removed: Sequence[str]
    skipped: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": True,
            "stack": self.stack,
            "folder": str(self.folder),
            "objects": [
                {
                    "file": file,
                    "apiVersion": item.manifest["apiVersion"],
                    "kind": item.kind,
                    "namespace": item.namespace,
                    "name": item.name,
                    "invented": [format_path(path) for path in item.invented],
                    "withheld": [format_path(path) for path in item.withheld],
                }
                for file, item in self.objects.items()
            ],
            "written": list(self.written),
            "removed": list(self.removed),
            "skipped": list(self.skipped),
        }

    def lines(self) -> list[str]:
        """Return the result as lines of text."""
        same = len(self.objects) - len(self.written)
        count = f"{len(self.written)} written, {same} unchanged, {len(self.removed)} removed"
        text = [f"{self.stack}: {len(self.objects)} objects in {self.folder}: {count}"]
        invented = sum(1 for item in self.objects.values() if item.invented)
        withheld = sum(len(item.withheld) for item in self.objects.values())
        if invented:
            text.append(
                f"  {invented} have generated values for those that the clouds assign, marked in the files"
            )
        if withheld:
            text.append(f"  {withheld} secret values were replaced by a placeholder")
        return [*text, *(f"  not an object, skipped: {what}" for what in self.skipped)]


def objects(created: Snapshot, planned: Snapshot | None = None) -> list[Object]:
    """Return the Kubernetes objects of a stack in dependency order.

    The order is determined by the contents of the snapshot, not by the order of its resources, which varies
    with timing. With `planned`, the snapshot of a plan, values that are unknown in it are marked.
    """
    unknown = {} if planned is None else {item.urn: _unknown(item.inputs) for item in planned.resources}
    return [_object(item, unknown.get(item.urn, ())) for item in _in_order(created) if _is_object(item)]


def skipped(created: Snapshot) -> list[str]:
    """Return the Kubernetes resources that are not objects: patches and Helm releases."""
    return sorted(
        f"{item.type} {name_of(item.urn)}"
        for item in created.resources
        if item.custom and item.type.startswith("kubernetes:") and not _is_object(item)
    )


def write(stack: str, found: Sequence[Object], folder: Path, left_out: Sequence[str] = ()) -> Rendered:
    """Write one numbered file per object to `folder`, and remove files of an earlier run without an object.

    A file of an earlier run is recognized by its first line. Other files are not changed; if one has a
    required name, or the folder contains objects of another stack, InputError is raised and nothing is
    changed.
    """
    digits = max(2, len(str(len(found))))
    named = {f"{number:0{digits}}-{_slug(item)}.yaml": item for number, item in enumerate(found, 1)}
    before = _earlier(stack, folder)
    foreign = [name for name in named if name not in before and (folder / name).exists()]
    if foreign:
        raise InputError(
            f"{folder} holds files that `kingdom render` did not write and would overwrite:",
            details=foreign,
            remedy="Nothing was written. Move them, or give another folder.",
        )
    texts = {name: _text(stack, item) for name, item in named.items()}
    written = [name for name, text in texts.items() if before.get(name) != text]
    removed = sorted(set(before) - set(named))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in written:
            draft = folder / f".{name}.draft"
            draft.write_text(texts[name])
            draft.replace(folder / name)
        for name in removed:
            (folder / name).unlink()
    except OSError as error:
        raise InputError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
    return Rendered(stack, folder, named, written, removed, left_out)


def check_folder(stack: str, folder: Path) -> None:
    """Check before planning that the objects of `stack` can be written to `folder`. Raises InputError."""
    _earlier(stack, folder)


def _earlier(stack: str, folder: Path) -> dict[str, str]:
    """Return the texts of files that an earlier run wrote, by name."""
    if folder.exists() and not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder", remedy="Specify a folder, or a name that does not exist yet."
        )
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else []:
        try:
            text = path.read_text()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            continue
        match = _OURS.match(text)
        if match and match[1] != stack:
            raise InputError(
                f"{folder} holds the objects of the stack {match[1]!r}",
                remedy="Nothing was written. Give each stack a folder of its own.",
            )
        if match:
            found[path.name] = text
    return found


def _text(stack: str, item: Object) -> str:
    lines = [_FIRST_LINE.format(stack=stack)]
    if item.invented:
        lines.append(f"# Generated in place of values that the clouds assign: {_paths(item.invented)}")
    if item.withheld:
        lines.append(f"# Secret, left out: {_paths(item.withheld)}")
    return "\n".join([*lines, yaml.dump(item.manifest, Dumper=_Dumper, sort_keys=False, width=110)])


def _paths(paths: Iterable[_Path]) -> str:
    return ", ".join(format_path(path) for path in paths)


def _slug(item: Object) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", f"{item.kind}-{item.name}".lower()).strip("-.")


def _is_object(resource: ResourceState) -> bool:
    kind = resource.type.rpartition(":")[2]
    return resource.custom and resource.type.startswith("kubernetes:") and resource.inputs.get("kind") == kind


def _unknown(inputs: Mapping[str, Any]) -> tuple[_Path, ...]:
    return tuple(
        path
        for path, leaf in leaves(dict(inputs))
        if leaf is UNKNOWN or (isinstance(leaf, Secret) and leaf.element is UNKNOWN)
    )


def _object(resource: ResourceState, unknown: Iterable[_Path]) -> Object:
    withheld: list[_Path] = []
    sealed = _SEALED if resource.type == "kubernetes:core/v1:Secret" else {}
    manifest = {
        key: _shown(resource.inputs[key], (key,), withheld, sealed.get(key))
        for key in sorted(resource.inputs, key=_rank)
    }
    metadata = manifest.setdefault("metadata", {})
    annotations = metadata.get("annotations", {})
    annotations.pop(_AUTONAMED, None)
    if not annotations:
        metadata.pop("annotations", None)
    return Object(resource.urn, manifest, tuple(sorted(unknown, key=str)), tuple(withheld))


def _rank(key: str) -> tuple[int, str]:
    first = ("apiVersion", "kind", "metadata", "spec")
    return (first.index(key) if key in first else len(first), key)


def _shown(value: Any, path: _Path, withheld: list[_Path], sealed: str | None) -> Any:
    """Return `value` with sorted keys and a placeholder for each secret.

    If it is `sealed`, the whole value is replaced by one placeholder.
    """
    match value:
        case Secret(element) if isinstance(element, (dict, list)):
            return _shown(element, path, withheld, sealed or WITHHELD)
        case dict():
            return {key: _shown(value[key], (*path, key), withheld, sealed) for key in sorted(value)}
        case list():
            return [_shown(item, (*path, index), withheld, sealed) for index, item in enumerate(value)]
        case Secret():
            withheld.append(path)
            return sealed or WITHHELD
        case _ if sealed:
            withheld.append(path)
            return sealed
        case _:
            return value


def _in_order(snapshot: Snapshot) -> Iterator[ResourceState]:
    """Yield resources in dependency order; independent ones by kind, namespace and name."""
    live = snapshot.live()
    waits = {
        urn: {target for target in resource.references() if target in live and target != urn}
        for urn, resource in live.items()
    }
    followers: dict[str, list[str]] = {}
    for urn, targets in waits.items():
        for target in targets:
            followers.setdefault(target, []).append(urn)

    def entry(urn: str) -> tuple[bool, int, str]:
        resource = live[urn]
        kind = resource.type.rpartition(":")[2]
        # Other resources come first: they are not rendered, and objects may depend on them.
        return (_is_object(resource), _KINDS.index(kind) if kind in _KINDS else len(_KINDS), urn)

    ready = [entry(urn) for urn, targets in waits.items() if not targets]
    heapq.heapify(ready)
    while ready:
        urn = heapq.heappop(ready)[2]
        yield live[urn]
        for follower in followers.get(urn, ()):
            waits[follower].discard(urn)
            if not waits[follower]:
                heapq.heappush(ready, entry(follower))


class _Dumper(yaml.SafeDumper):
    """Dumper with block scalars and without anchors, for readability."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
