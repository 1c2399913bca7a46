"""Read Kubernetes YAML as resources for policies, with the line of every value."""

from __future__ import annotations

import codecs
import fnmatch
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml

from policies.api import Node, Resource, pod_templates
from rehearsal.errors import InputError
from rehearsal.policy.yaml_documents import (
    TooLargeError,
    child,
    documents,
    json_without_object,
)
from rehearsal.yaml_nodes import nodes_below

_SUFFIXES: Final = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Manifest:
    """One Kubernetes object with its position in a file, and its resource for policies."""

    file: str
    tree: yaml.Node
    resource: Resource
    kind: str
    name: str
    namespace: str
    # False if no object in it has the same key twice.
    may_repeat_keys: bool = True

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
            found = child(node, part)
            if found is None:
                break
            node = found
            line = node.start_mark.line
        return line + 1


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
    """The objects, the problems of unreadable files, and the ignore comments."""

    manifests: list[Manifest] = field(default_factory=list)
    # One line each, with file and line.
    problems: list[str] = field(default_factory=list)
    ignores: list[Ignore] = field(default_factory=list)
    # The files that a kustomization, or a test of Chainsaw, names as patches of other objects.
    patches: set[Path] = field(default_factory=set)
    # The URNs of manifests with directives of strategic merge patches.
    directives: set[str] = field(default_factory=set)
    # The files that a test of Chainsaw compares with objects of the cluster.
    assertions: set[Path] = field(default_factory=set)
    # The files that a test of Chainsaw applies, also if it compares them later.
    applied: set[Path] = field(default_factory=set)
    # Files of assertions that were left out of folders.
    left_out: list[str] = field(default_factory=list)

    def is_patch(self, manifest: Manifest) -> bool:
        """Whether a manifest changes an object that is declared elsewhere, so that it need not be complete.

        The API server requires an image of every container; a patch without one leaves it to the object.
        """
        if manifest.resource.urn in self.directives:
            return True
        if self.patches and Path(manifest.file).resolve() in self.patches:
            return True
        return any(
            container["image"].raw is None
            for template in pod_templates(manifest.resource)
            for container in template.containers("initContainers", "containers")
        )


# KUTTL's names of files with the expected state of objects (https://kuttl.dev/docs/testing/steps.html).
_ASSERTIONS: Final = re.compile(r"[0-9]+-(?:assert|errors?)\.ya?ml")


def read(paths: list[str], *, exclude: tuple[str, ...] = ()) -> Reading:
    """Read the objects of files, folders and ``-`` (standard input), in the order of their names.

    `exclude` has glob patterns of files and folders to leave out of folders. In a folder, documents that are
    not Kubernetes objects (a chart's values) are left out, and so are the assertions of tests (KUTTL,
    Chainsaw), which are never applied; those files are listed. Raises InputError, with every file and line
    that cannot be read, if no object can be read at all.
    """
    reading = Reading()
    for path in paths:
        before, failed = len(reading.manifests), len(reading.problems)
        for name, text in _texts(path, exclude, reading.problems):
            _read_file(name, text, strict=not Path(path).is_dir(), reading=reading)
        if len(reading.manifests) == before and len(reading.problems) == failed:
            reading.problems.append(f"{path}: contains no Kubernetes object")
        if Path(path).is_dir():
            _leave_out_assertions(reading, before)
    if reading.problems and not reading.manifests:
        raise InputError(
            "some manifests cannot be read, and none was checked:",
            details=list(dict.fromkeys(reading.problems)),
        )
    return reading


def _leave_out_assertions(reading: Reading, start: int) -> None:
    """Remove the manifests from `start` on that are assertions, and record their files."""
    known: dict[str, bool] = {}
    only_compared = reading.assertions - reading.applied
    for manifest in reading.manifests[start:]:
        if manifest.file not in known:
            path = Path(manifest.file)
            named = _ASSERTIONS.fullmatch(path.name) is not None
            known[manifest.file] = named or bool(only_compared and path.resolve() in only_compared)
    files = [file for file, assertion in known.items() if assertion]
    if files:
        reading.left_out += files
        left = [item for item in reading.manifests[start:] if not known[item.file]]
        reading.manifests[start:] = left
        reading.ignores = [item for item in reading.ignores if not known.get(item.file)]


def _read_file(name: str, text: str, *, strict: bool, reading: Reading) -> None:
    if not strict and json_without_object(text):
        return
    problems = reading.problems
    found: list[Manifest] = []
    rest, failed = text, 0
    while rest:
        try:
            # The items before an error are in the list already.
            found.extend(_documents(name, rest, strict=strict, reading=reading))
            break
        except yaml.YAMLError as error:
            if not strict and name.endswith(".json") and _is_json_with_comments(text):
                return
            line, reason = _place(error, rest)
            where = name if line is None else f"{name}:{line + 1}"
            hint = "; it looks like a template: render it first" if "{{" in text else ""
            if not hint or not failed:  # once for each template
                problems.append(f"{where}: {reason}{hint}")
            failed += 1
            rest = _after(rest, line) if line is not None and failed < _MAX_FAILED else ""
        except (RecursionError, TooLargeError):
            problems.append(f"{name}: nested too deeply, or an anchor that contains itself")
            break
        except ValueError as error:  # a date that does not exist, a number of too many digits
            problems.append(f"{name}: {error}")
            break
    reading.manifests.extend(found)
    if "$" in text and _DIRECTIVE.search(text):
        reading.directives.update(item.resource.urn for item in found if _has_directive(item.tree))
    if found and _MARK in text:
        reading.ignores.extend(_ignores(name, text, [manifest.tree for manifest in found]))


def _is_json_with_comments(text: str) -> bool:
    """Whether `text` has comments or trailing commas, as settings of editors and compilers, and no object."""
    return '"apiVersion"' not in text and _JSON_COMMENT.search(text) is not None


_JSON_COMMENT: Final = re.compile(r"(?:^|[\s,{\[])(?://|/\*)|,\s*[}\]]")


def _place(error: yaml.YAMLError, text: str) -> tuple[int | None, str]:
    """Return the line of an error, from 0, and its reason."""
    if isinstance(error, yaml.reader.ReaderError):
        # libyaml counts bytes.
        line = text.encode(errors="surrogatepass")[: error.position].count(b"\n")
        return line, f"{error.reason} (the character {chr(error.character)!r})"
    mark = getattr(error, "problem_mark", None)
    return (mark.line if mark else None), getattr(error, "problem", None) or "not YAML"


_MAX_FAILED: Final = 20  # documents of one file
_START: Final = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)


def _after(text: str, line: int) -> str:
    """Return `text` from the next document at or after a line, after as many empty lines; "" without one."""
    at = 0
    for _ in range(line):
        at = text.find("\n", at) + 1
        if not at:
            return ""
    found = _START.search(text, at)
    if found is None or not text[: found.start()].strip():
        return ""  # the same document would fail again
    return "\n" * text.count("\n", 0, found.start()) + text[found.start() :]


# Directives of strategic merge patches
# (https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/).
_DIRECTIVE: Final = re.compile(r"\$(?:patch|retainKeys|setElementOrder|deleteFromPrimitiveList)\b")


def _has_directive(tree: yaml.Node) -> bool:
    return any(
        isinstance(node, yaml.MappingNode)
        and any(isinstance(key.value, str) and _DIRECTIVE.match(key.value) for key, _ in node.value)
        for node in nodes_below(tree)
    )


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
            # A comment on a line of its own applies to the next line of YAML.
            after = (at for at in range(number + 1, len(lines)) if lines[at].strip(" -\t\r"))
            target = next((at for at in after if not lines[at].lstrip().startswith("#")), number)
        policies = tuple(word for word in re.split(r"[,\s]+", found["names"]) if word)
        yield Ignore(name, number + 1, target + 1, policies, (found["reason"] or "").strip())


def _lines_of_text(tree: yaml.Node) -> Iterator[int]:
    """Yield the lines within block scalars, where a number sign starts no comment."""
    for node in nodes_below(tree):
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            yield from range(node.start_mark.line + 1, node.end_mark.line)


def _excluded(file: Path, folder: Path, patterns: tuple[str, ...]) -> bool:
    """Whether a file or its folder matches one of the patterns."""
    relative = file.relative_to(folder)
    for pattern in patterns:
        wanted = pattern.rstrip("/").removeprefix("./")
        names = (
            *(str(relative), str(file), *map(str, relative.parents)),
            *(str(folder / parent) for parent in relative.parents if parent.parts),
            *relative.parts,
        )
        if any(fnmatch.fnmatchcase(name, wanted) for name in names):
            return True
    return False


def _texts(path: str, exclude: tuple[str, ...], problems: list[str]) -> Iterator[tuple[str, str]]:
    if path == "-":
        try:
            # As files are read, whatever the terminal's encoding lets through.
            yield "<stdin>", _text(sys.stdin.buffer.read())
        except UnicodeDecodeError:
            problems.append("<stdin>: not text")
        return
    for file in _files(Path(path), exclude, problems) if Path(path).is_dir() else [Path(path)]:
        try:
            yield str(file), _text(file.read_bytes())
        except OSError as error:
            problems.append(f"{file}: {error.strerror}")
        except UnicodeDecodeError:
            problems.append(f"{file}: not text")


def _text(data: bytes) -> str:
    """Return the text of a file: UTF-16 with a byte order mark, as PowerShell writes it, else UTF-8."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if wide else "utf-8").replace("\r\n", "\n").replace("\r", "\n")


def _files(place: Path, exclude: tuple[str, ...], problems: list[str]) -> list[Path]:
    """Return the files of a folder that may be manifests, sorted.

    Folders that cannot be listed are recorded as problems.
    """

    def unreadable(error: OSError) -> None:
        if not (exclude and _excluded(Path(error.filename, "file"), place, exclude)):
            problems.append(f"{error.filename}: {error.strerror}")

    found = [
        Path(folder, name)
        # Path.rglob takes five times as long in folders of other files, and skips what it cannot list.
        for folder, _, names in os.walk(place, onerror=unreadable)
        for name in names
        if name.endswith(_SUFFIXES) or name in _KUSTOMIZATIONS
    ]
    return sorted(
        (
            file
            for file in found
            # A link to nothing is an error when it is read.
            if (file.is_file() or (file.is_symlink() and not file.exists()))
            and not (exclude and _excluded(file, place, exclude))
        ),
        key=lambda file: file.parts,
    )


_KUSTOMIZATIONS: Final = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})


def _patches(name: str, kustomization: Any) -> Iterator[Path]:
    """Yield the files that a kustomization names as patches."""
    if not isinstance(kustomization, dict):
        return
    for key in ("patches", "patchesStrategicMerge"):
        patches = kustomization.get(key)
        for patch in patches if isinstance(patches, list) else ():
            path = patch.get("path") if isinstance(patch, dict) else patch
            if isinstance(path, str) and path and "\n" not in path:
                yield Path(name).parent.joinpath(path).resolve()


_TEST_GROUP: Final = "chainsaw.kyverno.io/"


def _files_of_test(name: str, test: dict[str, Any], *operations: str) -> Iterator[Path]:
    """Yield the files that a test of Chainsaw names in steps with one of the operations."""
    for step in _items(_field(test.get("spec"), "steps")):
        for phase in ("try", "catch", "finally", "cleanup"):
            for operation in _items(_field(step, phase)):
                for wanted in operations:
                    file = _field(_field(operation, wanted), "file")
                    if isinstance(file, str) and file and "\n" not in file:
                        yield Path(name).parent.joinpath(file).resolve()


def _field(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _documents(name: str, text: str, *, strict: bool, reading: Reading) -> Iterator[Manifest]:
    problems = reading.problems
    for document in documents(text):
        if Path(name).name in _KUSTOMIZATIONS:
            reading.patches.update(_patches(name, document.value))
        version = _field(document.value, "apiVersion")
        if isinstance(version, str) and version.startswith(_TEST_GROUP):
            reading.patches.update(_files_of_test(name, document.value, "patch"))
            reading.assertions.update(_files_of_test(name, document.value, "assert", "error"))
            reading.applied.update(_files_of_test(name, document.value, "apply", "create", "update"))
        if document.bad_number_line:
            problems.append(
                f"{name}:{document.bad_number_line}: not a number: JSON has neither .inf nor .nan"
            )
        elif document.tree is not None and document.value is not None:
            for item in _objects(
                name, document.tree, document.value, "", "", strict=strict, problems=problems
            ):
                yield item if document.may_repeat_keys else replace(item, may_repeat_keys=False)


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
    if kind.endswith("List") and "items" in value and value["items"] is None:
        return  # an empty list, as the API server reads it
    if kind.endswith("List") and isinstance(value.get("items"), list):
        items = child(tree, "items")
        for index, item in enumerate(value["items"]):
            if item is None:
                continue  # as an empty document is
            below = child(items, index) if items is not None else None
            inner = "" if kind == "List" else kind.removesuffix("List")
            yield from _objects(name, below or tree, item, version, inner, strict=strict, problems=problems)
        return
    group = version if "/" in version else f"core/{version}"
    metadata = value.get("metadata") if isinstance(value.get("metadata"), dict) else {}
    label = str(metadata.get("name") or metadata.get("generateName") or "")
    urn = f"{name}:{tree.start_mark.line + 1}:{tree.start_mark.column}"
    resource = Resource(urn, f"kubernetes:{group}:{kind}", label, Node(value), source=name)
    yield Manifest(name, tree, resource, kind, label, str(metadata.get("namespace") or ""))
