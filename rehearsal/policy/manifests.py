"""Plain Kubernetes YAML as resources that policies can judge, with the line of every value."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from policies.model.property_tree import Node
from policies.model.stack import Resource
from rehearsal.errors import InputError

_SUFFIXES: Final = (".yaml", ".yml", ".json")
_SURROGATES: Final = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_DEEPEST: Final = 1_000  # levels
_MOST_VALUES: Final = 5_000_000  # of one document
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Manifest:
    """One Kubernetes object: where it stands, and the resource that policies see."""

    file: str
    tree: yaml.Node
    resource: Resource
    kind: str
    name: str
    namespace: str

    def line(self, path: tuple[str | int, ...]) -> int:
        """The line of the value at `path`, or of its nearest ancestor that is written."""
        node = self.tree
        line = node.start_mark.line
        for part in path:
            found = _child(node, part)
            if found is None:
                break
            node = found
            line = node.start_mark.line
        return line + 1


def _child(node: yaml.Node, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in reversed(node.value) if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part]
    return None


def read(paths: list[str]) -> list[Manifest]:
    """The objects of files, folders and ``-`` (standard input), in the order of their names.

    In a folder, documents that are no Kubernetes objects (a chart's values) are left out. Raises InputError
    with every file and line that cannot be read.
    """
    found: list[Manifest] = []
    problems: list[str] = []
    for path in paths:
        before = len(found)
        for name, text in _texts(path, problems):
            try:
                found.extend(_documents(name, text, strict=not Path(path).is_dir(), problems=problems))
            except yaml.YAMLError as error:
                mark = getattr(error, "problem_mark", None)
                where = f"{name}:{mark.line + 1}" if mark else name
                hint = "; it looks like a template: render it first" if "{{" in text else ""
                problems.append(f"{where}: {getattr(error, 'problem', None) or 'not YAML'}{hint}")
            except (RecursionError, TooLargeError):
                problems.append(f"{name}: nested too deeply, or an anchor that contains itself")
        if len(found) == before and not problems:
            problems.append(f"{path}: holds no Kubernetes object")
    if problems:
        raise InputError("some manifests cannot be read, and nothing was judged:", details=problems)
    return found


class TooLargeError(Exception):
    """A document is deeper, or unfolds to more, than any manifest is and this process can hold."""


def _check_depth(text: str) -> None:
    """Refuses a document that is so deep that the parser, which calls itself for each level, would crash."""
    # Each level takes a bracket, a dash or a column of its own.
    if sum(map(text.count, ("[", "{", "- "))) + max(map(len, text.split("\n"))) < _DEEPEST:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise TooLargeError


def _unfolded(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a document has once every alias stands for what it means."""
    if id(node) not in known:
        known[id(node)] = _MOST_VALUES  # an anchor inside itself has no end
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            inner = list(node.value)
        elif isinstance(node, yaml.MappingNode):
            inner = [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_unfolded(part, known) for part in inner)
    return known[id(node)]


def _texts(path: str, problems: list[str]) -> Iterator[tuple[str, str]]:
    if path == "-":
        try:
            # Strictly UTF-8 as files are, whatever the terminal's encoding lets through.
            yield "<stdin>", sys.stdin.buffer.read().decode()
        except UnicodeDecodeError:
            problems.append("<stdin>: not text")
        return
    place = Path(path)
    files = [place]
    if place.is_dir():
        files = sorted(file for file in place.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
    for file in files:
        try:
            yield str(file), file.read_text()
        except OSError as error:
            problems.append(f"{file}: {error.strerror}")
        except UnicodeDecodeError:
            problems.append(f"{file}: not text")


def _documents(name: str, text: str, *, strict: bool, problems: list[str]) -> Iterator[Manifest]:
    text = _as_yaml(text)
    _check_depth(text)
    loader = _LOADER(text)
    try:
        while loader.check_node():
            tree = loader.get_node()
            if isinstance(tree, yaml.Node) and _unfolded(tree, {}) > _MOST_VALUES:
                raise TooLargeError
            value = _as_json(loader.construct_document(tree))
            if isinstance(tree, yaml.Node) and value is not None:
                yield from _objects(name, tree, value, "", "", strict=strict, problems=problems)
    finally:
        loader.dispose()


def _as_yaml(text: str) -> str:
    """JSON as YAML: without its tabs, which are never within strings, and its pairs of surrogates."""
    if text.lstrip()[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            json.loads(text)
            return _SURROGATES.sub(lambda pair: json.loads(f'"{pair[0]}"'), text.replace("\t", " "))
    return text


def _as_json(value: Any) -> Any:
    """`value` as `kubectl` sends it: JSON, so that keys are text and a date is what was written."""
    if isinstance(value, dict):
        return {_as_key(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_as_json(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)


def _as_key(key: Any) -> str:
    if isinstance(key, bool):
        return str(key).lower()
    return "null" if key is None else str(key)


def _objects(
    name: str, tree: yaml.Node, value: Any, version: str, kind: str, *, strict: bool, problems: list[str]
) -> Iterator[Manifest]:
    named = value if isinstance(value, dict) else {}
    version, kind = (
        named.get(key) or inherited for key, inherited in (("apiVersion", version), ("kind", kind))
    )
    if not (named and isinstance(version, str) and isinstance(kind, str) and version and kind):
        if strict:
            problems.append(f"{name}:{tree.start_mark.line + 1}: no Kubernetes object (apiVersion and kind)")
        return
    if kind.endswith("List") and isinstance(value.get("items"), list):
        items = _child(tree, "items")
        for index, item in enumerate(value["items"]):
            if item is None:
                continue  # as an empty document is
            below = _child(items, index) if items is not None else None
            inner = "" if kind == "List" else kind.removesuffix("List")
            yield from _objects(name, below or tree, item, version, inner, strict=strict, problems=problems)
        return
    group = version if "/" in version else f"core/{version}"
    metadata = value.get("metadata") if isinstance(value.get("metadata"), dict) else {}
    label = str(metadata.get("name") or metadata.get("generateName") or "")
    urn = f"{name}:{tree.start_mark.line + 1}:{tree.start_mark.column}"
    resource = Resource(urn, f"kubernetes:{group}:{kind}", label, Node(value))
    yield Manifest(name, tree, resource, kind, label, str(metadata.get("namespace") or ""))
