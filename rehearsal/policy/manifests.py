"""Plain Kubernetes YAML as resources that policies can judge, with the line of every value."""

from __future__ import annotations

import base64
import contextlib
import fnmatch
import json
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from policies.api import Node, Resource
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

    def lines(self, path: tuple[str | int, ...]) -> list[int]:
        """The lines of the object and of each key and list item on the way to the value at `path`."""
        node = self.tree
        found = [node.start_mark.line + 1]
        for part in path:
            if isinstance(node, yaml.MappingNode):
                pair = next((pair for pair in reversed(node.value) if pair[0].value == str(part)), None)
                if pair is None:
                    break
                found.append(pair[0].start_mark.line + 1)
                node = pair[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                found.append(node.start_mark.line + 1)
            else:
                break
        return found

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


@dataclass(frozen=True)
class Ignore:
    """A comment ``# kingdom: ignore POLICY, POLICY -- REASON``, and the line of YAML that it is about."""

    file: str
    line: int
    target: int
    policies: tuple[str, ...]
    reason: str


@dataclass
class Reading:
    """The objects that were read, what could not be read, and the ignore comments."""

    manifests: list[Manifest] = field(default_factory=list)
    # One line each, with file and line.
    problems: list[str] = field(default_factory=list)
    ignores: list[Ignore] = field(default_factory=list)


def read(paths: list[str], *, exclude: tuple[str, ...] = ()) -> Reading:
    """Read the objects of files, folders and ``-`` (standard input), in the order of their names.

    `exclude` has glob patterns of files and folders to leave out of folders. In a folder, documents that are
    not Kubernetes objects (a chart's values) are left out. Raises InputError, with every file and line that
    cannot be read, when no object can be read at all.
    """
    reading = Reading()
    for path in paths:
        before, failed = len(reading.manifests), len(reading.problems)
        for name, text in _texts(path, exclude, reading.problems):
            _read_file(name, text, strict=not Path(path).is_dir(), reading=reading)
        if len(reading.manifests) == before and len(reading.problems) == failed:
            reading.problems.append(f"{path}: contains no Kubernetes object")
    if reading.problems and not reading.manifests:
        raise InputError(
            "some manifests cannot be read, and none was checked:",
            details=list(dict.fromkeys(reading.problems)),
        )
    return reading


def _read_file(name: str, text: str, *, strict: bool, reading: Reading) -> None:
    problems = reading.problems
    found: list[Manifest] = []
    try:
        # Up to the first that cannot be read: those before it are still checked.
        found.extend(_documents(name, text, strict=strict, problems=problems))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        hint = "; it looks like a template: render it first" if "{{" in text else ""
        problems.append(f"{where}: {getattr(error, 'problem', None) or 'not YAML'}{hint}")
    except (RecursionError, TooLargeError):
        problems.append(f"{name}: nested too deeply, or an anchor that contains itself")
    except ValueError as error:  # a date that does not exist, a number of too many digits
        problems.append(f"{name}: {error}")
    reading.manifests.extend(found)
    if found and _MARK in text:
        reading.ignores.extend(_ignores(name, text, [manifest.tree for manifest in found]))


_MARK: Final = "kingdom:"
_IGNORE: Final = re.compile(
    r"#\s*kingdom:\s*ignore\b[ \t]*(?P<names>[a-z0-9, \t-]*?)[ \t]*(?:(?<=[ \t])--[ \t]*(?P<reason>.*))?$"
)


def _ignores(name: str, text: str, trees: list[yaml.Node]) -> Iterator[Ignore]:
    lines = text.splitlines()
    inside = {line for tree in trees for line in _lines_of_text(tree)}
    for number, line in enumerate(lines):
        found = _IGNORE.search(line) if _MARK in line and number not in inside else None
        if found is None:
            continue
        target = number
        if not line[: found.start()].strip():
            # A comment of its own is about what follows.
            after = (at for at in range(number + 1, len(lines)) if lines[at].strip(" -\t\r"))
            target = next((at for at in after if not lines[at].lstrip().startswith("#")), number)
        policies = tuple(word for word in re.split(r"[,\s]+", found["names"]) if word)
        yield Ignore(name, number + 1, target + 1, policies, (found["reason"] or "").strip())


def _lines_of_text(tree: yaml.Node) -> Iterator[int]:
    """The lines within block scalars, where a number sign starts no comment."""
    waiting: list[yaml.Node] = [tree]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            waiting.extend(part for pair in node.value for part in pair)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            yield from range(node.start_mark.line + 1, node.end_mark.line)


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


def _excluded(file: Path, folder: Path, patterns: tuple[str, ...]) -> bool:
    """Whether a file, or a folder it is in, matches one of the patterns."""
    relative = file.relative_to(folder)
    for pattern in patterns:
        wanted = pattern.rstrip("/")
        names = (str(relative), str(file), *map(str, relative.parents), *relative.parts)
        if any(fnmatch.fnmatchcase(name, wanted) for name in names):
            return True
    return False


def _texts(path: str, exclude: tuple[str, ...], problems: list[str]) -> Iterator[tuple[str, str]]:
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
        files = sorted(
            file
            for file in place.rglob("*")
            if file.suffix in _SUFFIXES and file.is_file() and not _excluded(file, place, exclude)
        )
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
            try:
                value = _as_json(loader.construct_document(tree))
            except NotJsonError:
                line = _line_of_no_number(tree) + 1 if isinstance(tree, yaml.Node) else 1
                problems.append(f"{name}:{line}: not a number: JSON has neither .inf nor .nan")
                continue
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
    if isinstance(value, float) and not math.isfinite(value):
        raise NotJsonError
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)


class NotJsonError(Exception):
    """A document has a number that JSON, and so the API server, does not have: infinity or NaN."""


def _line_of_no_number(tree: yaml.Node) -> int:
    """The line of the first such number."""
    waiting: list[yaml.Node] = [tree]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            waiting.extend(part for pair in reversed(node.value) for part in reversed(pair))
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(reversed(node.value))
        elif node.tag == "tag:yaml.org,2002:float" and node.value.lstrip("+-").lower() in (".inf", ".nan"):
            return node.start_mark.line
    return tree.start_mark.line


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
